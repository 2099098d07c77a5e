"""Batches: thousands of recordings that are got one after the other, with one state.

An item waits, is got as a download, and then is its job; what a batch says is counted from items and jobs whenever
somebody asks, so that nothing can be out of step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from duckdb import DuckDBPyConnection

from storage.domain.clock import new_id, utc_now
from storage.domain.errors import BadRequest, KeyReused, NotFound
from storage.domain.records import Job, JobState, Lane
from storage.jobs import job_rows, job_store
from storage.jobs.annotations.metadata import from_column, to_column
from storage.ledger import audit

MOST_ITEMS = 10_000
AT_ONCE = 50
"""Jobs that are cancelled or retried in one transaction."""


class ItemState(StrEnum):
    """Where an item is; one with a job has that job's state instead."""

    WAITING = "waiting"
    DOWNLOADING = "downloading"
    ACCEPTED = "accepted"
    FAILED = "failed"
    CANCELLED = "cancelled"


class BatchState(StrEnum):
    """The state of a whole batch."""

    WORKING = "working"
    COMPLETED = "completed"
    PARTLY_COMPLETED = "partly_completed"
    FAILED = "failed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


GONE = "deleted"
COUNTED = (
    *(state.value for state in (ItemState.WAITING, ItemState.DOWNLOADING)),
    *(state.value for state in JobState),
    GONE,
)
"""What items are counted by; failed and cancelled are of items and of jobs."""
UNFINISHED = COUNTED[:2] + tuple(state.value for state in JobState if not state.finished)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """A recording to get; `options` are JSON."""

    source: str
    name: str | None
    options: str
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch; `asked_by` is who cancelled or retried it last."""

    id: str
    owner_id: str
    name: str
    lane: Lane
    api_key_id: str | None
    asked_sha256: str
    total: int
    created_at: datetime
    cancelled_at: datetime | None
    asked_by: str | None
    retry_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A recording of a batch; `state` is its job's, if it has one."""

    number: int
    source: str
    name: str | None
    options: str
    state: str
    tries: int
    download_id: str | None
    job_id: str | None
    error_code: str | None
    error: str | None
    tags: tuple[str, ...]
    metadata: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemOutcome:
    """What became of an item."""

    number: int
    state: ItemState
    download_id: str | None = None
    job_id: str | None = None
    error_code: str | None = None
    error: str | None = None


INSERT = """
INSERT INTO batches (id, owner_id, name, lane, api_key_id, key, asked_sha256, total, created_at)
VALUES ($id, $owner_id, $name, $lane, $api_key_id, $key, $asked_sha256, $total, $now)
"""
INSERT_ITEMS = """
INSERT INTO batch_items (batch_id, number, source, name, options, tags, metadata, state, tries)
SELECT $id, unnest($numbers::INTEGER[]), unnest($sources::VARCHAR[]), unnest($names::VARCHAR[]),
    unnest($options::VARCHAR[]), unnest($tags::VARCHAR[][]), unnest($metadata::VARCHAR[]), 'waiting', 0
"""


def create(
    con: DuckDBPyConnection,
    items: Sequence[NewItem],
    *,
    owner_id: str,
    name: str,
    lane: Lane,
    key: str | None,
    asked_sha256: str,
    api_key_id: str | None,
    actor: str,
) -> Batch:
    """Create a batch; a repeated key returns the existing one.

    Raises:
        BadRequest: it has no items, or too many.
        KeyReused: the key was used for another batch.
    """
    if key and (known := keyed(con, owner_id, key, asked_sha256)):
        return known
    if not 1 <= len(items) <= MOST_ITEMS:
        raise BadRequest("items", f"a batch has 1 to {MOST_ITEMS:,} recordings, and this one {len(items):,}")
    batch_id, now = new_id(), utc_now()
    values = {"id": batch_id, "owner_id": owner_id, "name": name, "lane": lane.value, "api_key_id": api_key_id}
    con.execute(INSERT, values | {"key": key, "asked_sha256": asked_sha256, "total": len(items), "now": now})
    rows = {"sources": [one.source for one in items], "names": [one.name for one in items]}
    rows |= {"options": [one.options for one in items], "numbers": list(range(1, len(items) + 1))}
    rows |= {"tags": [list(one.tags) for one in items], "metadata": [to_column(one.metadata) for one in items]}
    con.execute(INSERT_ITEMS, {"id": batch_id, **rows})
    detail = {"name": name, "lane": lane, "recordings": len(items)}
    audit.record(con, actor=actor, action="batch.create", subject=batch_id, detail=detail)
    return get(con, batch_id)


COLUMNS = """
SELECT id, owner_id, name, lane, api_key_id, asked_sha256, total, created_at, cancelled_at, asked_by, retry_at
FROM batches
"""
KEYED = COLUMNS + "WHERE owner_id = $owner_id AND key = $key"
GET = COLUMNS + "WHERE id = $id"
PAGE = (
    COLUMNS
    + "WHERE ($owner_id IS NULL OR owner_id = $owner_id) AND ($before IS NULL OR id < $before) "
    + "ORDER BY id DESC LIMIT $limit"
)


def keyed(con: DuckDBPyConnection, owner_id: str, key: str, asked_sha256: str) -> Batch | None:
    """Return the owner's batch with this idempotency key.

    Raises:
        KeyReused: it was another batch.
    """
    row = con.execute(KEYED, {"owner_id": owner_id, "key": key}).fetchone()
    if row is None:
        return None
    if (found := _batch(row)).asked_sha256 != asked_sha256:
        raise KeyReused("Idempotency-Key", "it began another batch; use a new one")
    return found


def get(con: DuckDBPyConnection, batch_id: str) -> Batch:
    """Return the batch.

    Raises:
        NotFound: there is none with this id.
    """
    row = con.execute(GET, {"id": batch_id}).fetchone()
    if row is None:
        raise NotFound("batch", batch_id)
    return _batch(row)


def page(con: DuckDBPyConnection, *, owner_id: str | None, before: str | None = None, limit: int = 50) -> list[Batch]:
    """Return batches, newest first, after the id `before`."""
    return [
        _batch(row) for row in con.execute(PAGE, {"owner_id": owner_id, "before": before, "limit": limit}).fetchall()
    ]


COUNTS = "SELECT state, count(*) FROM batch_item_rows WHERE batch_id = $id GROUP BY state"
FIELDS = ("number", "source", "name", "options", "state", "tries", "download_id", "job_id", "error_code", "error")
ITEM_COLUMNS = f"SELECT {', '.join(FIELDS)}, tags, metadata"
ITEMS = f"""{ITEM_COLUMNS} FROM batch_item_rows
WHERE batch_id = $id AND number > $after AND ($states IS NULL OR list_contains($states::VARCHAR[], state))
ORDER BY number LIMIT $limit
"""


def counts(con: DuckDBPyConnection, batch_id: str) -> dict[str, int]:
    """Return how many of the batch's recordings are in each state."""
    there = dict(con.execute(COUNTS, {"id": batch_id}).fetchall())
    return {state: there.get(state, 0) for state in COUNTED}


def items(
    con: DuckDBPyConnection, batch_id: str, *, states: Sequence[str] | None = None, after: int = 0, limit: int = 100
) -> list[Item]:
    """Return items in their order, after the number `after`."""
    asked = {"id": batch_id, "after": after, "limit": limit, "states": None if states is None else list(states)}
    return [_item(row) for row in con.execute(ITEMS, asked).fetchall()]


def _item(row: tuple[Any, ...]) -> Item:
    *told, tags, metadata = row
    return Item(**dict(zip(FIELDS, told, strict=True)), tags=tuple(tags or ()), metadata=from_column(metadata))


def state_of(batch: Batch, counted: Mapping[str, int]) -> BatchState:
    """Return the one state of a batch."""
    going_on = any(counted[state] for state in UNFINISHED)
    if batch.cancelled_at:
        return BatchState.CANCELLING if going_on else BatchState.CANCELLED
    if going_on:
        return BatchState.WORKING
    if not counted[JobState.FAILED] and not counted[JobState.CANCELLED]:
        return BatchState.COMPLETED
    return BatchState.PARTLY_COMPLETED if counted[JobState.COMPLETED] else BatchState.FAILED


CANCEL = "UPDATE batches SET cancelled_at = $now, asked_by = $actor, retry_at = NULL WHERE id = $id"
CANCEL_WAITING = "UPDATE batch_items SET state = 'cancelled' WHERE batch_id = $id AND state = 'waiting'"


def cancel(con: DuckDBPyConnection, batch_id: str, *, actor: str) -> Batch:
    """Cancel a batch, so that nothing more is begun. Idempotent.

    What is in progress is cancelled in the background, see `cancel_some`.
    """
    batch = get(con, batch_id)
    if batch.cancelled_at:
        return batch
    con.execute(CANCEL, {"id": batch_id, "now": utc_now(), "actor": actor})
    con.execute(CANCEL_WAITING, {"id": batch_id})
    audit.record(con, actor=actor, action="batch.cancel", subject=batch_id, detail=counts(con, batch_id))
    return get(con, batch_id)


RETRY = "UPDATE batches SET retry_at = $now, asked_by = $actor WHERE id = $id"
TELL_AGAIN = "DELETE FROM batch_ends WHERE batch_id = $id"
RETRY_ITEMS = """
UPDATE batch_items SET state = 'waiting', tries = tries + 1, download_id = NULL, error = NULL, error_code = NULL
WHERE batch_id = $id AND state = 'failed'
"""


def retry(con: DuckDBPyConnection, batch_id: str, *, actor: str) -> Batch:
    """Try the failed recordings of a batch again; jobs are queued again in the background.

    Raises:
        BadRequest: the batch is cancelled, or nothing in it has failed.
    """
    batch, counted = get(con, batch_id), counts(con, batch_id)
    if batch.cancelled_at or not counted[JobState.FAILED]:
        raise BadRequest("batch", "it is cancelled" if batch.cancelled_at else "nothing in it has failed")
    con.execute(RETRY, {"id": batch_id, "now": utc_now(), "actor": actor})
    con.execute(RETRY_ITEMS, {"id": batch_id})
    con.execute(TELL_AGAIN, {"id": batch_id})
    audit.record(con, actor=actor, action="batch.retry", subject=batch_id, detail={"failed": counted["failed"]})
    return get(con, batch_id)


ACTIVE = """
WITH work AS (
    SELECT batch_id FROM batch_items WHERE state IN ('waiting', 'downloading')
), going_on AS (
    SELECT batch_id FROM batch_items JOIN jobs ON jobs.id = job_id
    WHERE jobs.state NOT IN ('completed', 'failed', 'cancelled')
)
SELECT id, owner_id, name, lane, api_key_id, asked_sha256, total, created_at, cancelled_at, asked_by, retry_at
FROM batches
WHERE id IN (FROM work) OR retry_at IS NOT NULL OR cancelled_at IS NOT NULL AND id IN (FROM going_on)
ORDER BY id
"""


def active(con: DuckDBPyConnection) -> list[Batch]:
    """Return the batches that something has to be done for, oldest first."""
    return [_batch(row) for row in con.execute(ACTIVE).fetchall()]


NEXT = f"""{ITEM_COLUMNS} FROM batch_items
WHERE batch_id = $id AND state = $state ORDER BY number LIMIT $limit
"""


def next_of(con: DuckDBPyConnection, batch_id: str, state: ItemState, limit: int) -> list[Item]:
    """Return the first items that wait, or are being downloaded."""
    rows = con.execute(NEXT, {"id": batch_id, "state": state.value, "limit": limit}).fetchall()
    return [_item(row) for row in rows]


SETTLE = """
UPDATE batch_items SET state = $state, download_id = $download_id, job_id = $job_id, error_code = $error_code,
    error = $error
WHERE batch_id = $id AND number = $number AND state IN ('waiting', 'downloading')
RETURNING number
"""


def settle(con: DuckDBPyConnection, batch_id: str, outcomes: Sequence[ItemOutcome]) -> list[ItemOutcome]:
    """Record how far items are; return those whose batch was cancelled meanwhile."""
    late = []
    for one in outcomes:
        values: dict[str, Any] = {"id": batch_id, "number": one.number, "state": one.state.value}
        values |= {"download_id": one.download_id, "job_id": one.job_id}
        told = con.execute(SETTLE, values | {"error_code": one.error_code, "error": one.error})
        if not told.fetchall():
            late.append(one)
    return late


TO_CANCEL = """
SELECT job_rows.* FROM job_rows JOIN batch_items ON job_rows.id = job_id
WHERE batch_id = $id AND job_rows.state NOT IN ('completed', 'failed', 'cancelled') AND deleted_at IS NULL LIMIT $limit
"""
TO_RETRY = """
SELECT job_rows.* FROM job_rows JOIN batch_items ON job_rows.id = job_id
WHERE batch_id = $id AND job_rows.state = 'failed' AND deleted_at IS NULL AND finished_at < $retry_at LIMIT $limit
"""
RETRIED = "UPDATE batches SET retry_at = NULL WHERE id = $id"


def cancel_some(con: DuckDBPyConnection, batch: Batch) -> list[Job]:
    """Cancel some jobs of a cancelled batch; return them as they are then."""
    con.execute(TO_CANCEL, {"id": batch.id, "limit": AT_ONCE})
    actor = batch.asked_by or "system:batches"
    return [job_store.cancel(con, job.id, actor=actor) for job in job_rows.found(con)]


def retry_some(con: DuckDBPyConnection, batch: Batch) -> list[Job]:
    """Queue some failed jobs of a batch again; note when none is left."""
    con.execute(TO_RETRY, {"id": batch.id, "retry_at": batch.retry_at, "limit": AT_ONCE})
    found = job_rows.found(con)
    if len(found) < AT_ONCE:
        con.execute(RETRIED, {"id": batch.id})
    return [job_store.retry(con, job.id, actor=batch.asked_by or "system:batches") for job in found]


FORGET = (
    "DELETE FROM batch_items WHERE batch_id IN (SELECT id FROM batches WHERE owner_id = $owner_id)",
    "DELETE FROM batches WHERE owner_id = $owner_id",
)


def forget(con: DuckDBPyConnection, owner_id: str) -> None:
    """Delete a leaving user's batches, as part of closing the account."""
    for statement in FORGET:
        con.execute(statement, {"owner_id": owner_id})


def _batch(row: tuple[Any, ...]) -> Batch:
    (ident, owner_id, name, lane, api_key_id, asked_sha256, total, created_at, cancelled_at, asked_by, retry_at) = row
    return Batch(
        id=ident,
        owner_id=owner_id,
        name=name,
        lane=Lane(lane),
        api_key_id=api_key_id,
        asked_sha256=asked_sha256,
        total=total,
        created_at=created_at.astimezone(UTC),
        cancelled_at=cancelled_at.astimezone(UTC) if cancelled_at else None,
        asked_by=asked_by,
        retry_at=retry_at.astimezone(UTC) if retry_at else None,
    )
