"""The audit log: a hash chain of rows, each written with the change it records.

Each row's hash covers the row and the previous hash, and a one-row table holds the count and the last hash. `verify`
therefore finds rows that were changed, removed, added or moved, including the last one. Somebody who rewrites the whole
file is found by comparing rows with heads that were kept elsewhere (`storage/maintenance/audit_heads.py`).

The hash of a row without an origin covers six fields, as before there were origins, so that old rows still verify.
"""

import hashlib
import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from storage.domain.clock import utc_now
from storage.domain.errors import LedgerUnreadable
from storage.domain.records import AuditRow
from storage.ledger import audit_origin
from storage.ledger.audit_origin import Origin

Row = tuple[Any, ...]
Head = tuple[int, str]

HEAD = "SELECT count, hash FROM audit_head"
APPEND = """
INSERT INTO audit (seq, happened_at, actor, action, subject, detail, address, agent, request_id, key_id, hash)
VALUES ($seq, $happened_at, $actor, $action, $subject, $detail, $address, $agent, $request_id, $key_id, $hash)
"""
APPEND_ALL = """
INSERT INTO audit (seq, happened_at, actor, action, subject, detail, address, agent, request_id, key_id, hash)
SELECT unnest($seq::BIGINT[]), unnest($happened_at::TIMESTAMPTZ[]), unnest($actor::VARCHAR[]),
    unnest($action::VARCHAR[]), unnest($subject::VARCHAR[]), unnest($detail::VARCHAR[]), unnest($address::VARCHAR[]),
    unnest($agent::VARCHAR[]), unnest($request_id::VARCHAR[]), unnest($key_id::VARCHAR[]), unnest($hash::VARCHAR[])
"""
MOVE_HEAD = "UPDATE audit_head SET count = $seq, hash = $hash WHERE count = $count AND hash = $before"
PAGE = """
SELECT seq, least(greatest(happened_at, $first), $last) AS happened_at, actor, action, subject, detail, address, agent,
    request_id, key_id, hash FROM audit
WHERE ($before IS NULL OR seq < $before)
  AND ($actor IS NULL OR actor = $actor OR starts_with(actor, $actor || ':'))
  AND ($action IS NULL OR action = $action) AND ($subject IS NULL OR subject = $subject)
  AND ($actions::VARCHAR[] IS NULL OR list_contains($actions::VARCHAR[], action))
  AND ($address IS NULL OR address = $address)
  AND ($since IS NULL OR happened_at >= $since) AND ($until IS NULL OR happened_at < $until)
ORDER BY seq DESC LIMIT $limit
"""
FIRST_MOMENT, LAST_MOMENT = datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 12, 29, tzinfo=UTC)
"""What a page shows for times outside of them, which only tampering makes; in any time zone they are Python's."""
ACTIONS = "SELECT DISTINCT action FROM audit ORDER BY action"
STORED = "seq, happened_at, actor, action, subject, detail, address, agent, request_id, key_id, hash"
STORED_BEFORE_ORIGINS = """
seq, happened_at, actor, action, subject, detail, NULL::VARCHAR AS address, NULL::VARCHAR AS agent,
NULL::VARCHAR AS request_id, NULL::VARCHAR AS key_id, hash
"""
DOUBTFUL = """
WITH stretch AS (
    SELECT *, strftime(happened_at AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%f+00:00') AS instant
    FROM (SELECT {} FROM audit WHERE seq > $after AND seq <= $upto)
),
chained AS (
    SELECT *, lag(seq, 1, $after) OVER (ORDER BY seq) AS seq_before, lag(hash, 1, $digest) OVER (ORDER BY seq) AS before
    FROM stretch
),
hashed AS (
    SELECT *, sha256('[' || concat_ws(', ',
        to_json(before), seq,
        coalesce(to_json(instant), 'null'),
        coalesce(to_json(actor), 'null'), coalesce(to_json(action), 'null'), coalesce(to_json(subject), 'null'),
        coalesce(to_json(detail::VARCHAR), 'null'),
        CASE WHEN coalesce(address, agent, request_id, key_id) IS NOT NULL THEN concat_ws(', ',
            coalesce(to_json(address), 'null'), coalesce(to_json(agent), 'null'),
            coalesce(to_json(request_id), 'null'), coalesce(to_json(key_id), 'null')
        ) END
    ) || ']') AS found FROM chained
)
SELECT seq_before, before, seq, instant, actor, action, subject, detail, address, agent, request_id, key_id, hash
FROM hashed WHERE seq <> seq_before + 1 OR found IS DISTINCT FROM hash ORDER BY seq
"""
"""Rows that are wrong, or hold control characters, whose codes DuckDB writes in capitals and `_digest` does not.

Their times are texts, since Python has none before the year 1 or after 9999.
"""
LAST_OF_STRETCH = "SELECT seq, hash FROM audit WHERE seq > $after AND seq <= $upto ORDER BY seq DESC LIMIT 1"
HAS_ORIGINS = "SELECT 1 FROM duckdb_columns() WHERE table_name = 'audit' AND column_name = 'key_id'"
EXTENT = "SELECT count(*), min(seq) FROM audit"
CHUNK = 20_000
NAMES = ("seq", "happened_at", "actor", "action", "subject", "detail", "address", "agent", "request_id", "key_id")
COLUMNS = (*NAMES, "hash")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a row of the audit log tells."""

    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]


def record(
    con: DuckDBPyConnection,
    *,
    actor: str,
    action: str,
    subject: str,
    detail: dict[str, Any] | None = None,
    origin: Origin | None = None,
) -> int:
    """Append one row to the chain and return its `seq`; call it inside `Ledger.write`.

    `action` is the value of an `AuditAction`. `origin` is by default where the current request comes from.
    """
    entry = Entry(actor=actor, action=action, subject=subject, detail=detail or {})
    return record_all(con, [entry], origin=origin)


def record_all(con: DuckDBPyConnection, entries: Sequence[Entry], *, origin: Origin | None = None) -> int:
    """Append rows to the chain in one go, and return the last `seq`; see `record`."""
    if not entries:
        return 0
    told = _fields(origin or audit_origin.current())
    rows = [(utc_now(), one.actor, str(one.action), one.subject, _text(one.detail), *told) for one in entries]
    if not (_known_heads and _appended(con, _known_heads[-1], rows)) and not _appended(con, head(con), rows):
        raise LedgerUnreadable("the audit log", "its head is missing; restore a backup")
    return _known_heads[-1][0]


_known_heads: deque[Head] = deque(maxlen=1)
"""The head after the last row of this process: a guess, since its transaction may have failed."""


def _appended(con: DuckDBPyConnection, at: Head, told: Sequence[Row]) -> bool:
    """Append rows, if this is the head of the chain."""
    (count, before), digest, rows = at, at[1], []
    for seq, (happened_at, *fields) in enumerate(told, count + 1):
        digest = _digest(digest, (seq, happened_at.astimezone(UTC).isoformat(timespec="microseconds"), *fields))
        rows.append((seq, happened_at, *fields, digest))
    moved = {"seq": count + len(rows), "hash": digest, "count": count, "before": before}
    if con.execute(MOVE_HEAD, moved).fetchall() != [(1,)]:
        return False
    if len(rows) == 1:
        con.execute(APPEND, dict(zip(COLUMNS, rows[0], strict=True)))
    else:
        con.execute(APPEND_ALL, dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True)))
    _known_heads.append((count + len(rows), digest))
    return True


def _text(detail: Mapping[str, Any]) -> str:
    return json.dumps(detail, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _fields(origin: Origin) -> tuple[str | None, ...]:
    return (origin.address, origin.agent, origin.request_id, origin.key_id)


def head(con: DuckDBPyConnection) -> Head:
    """Return the number of rows in the chain, and its last hash."""
    row = con.execute(HEAD).fetchone()
    return (int(row[0]), str(row[1])) if row else (0, "")


def page(
    con: DuckDBPyConnection,
    *,
    before_seq: int | None = None,
    limit: int = 100,
    actor: str | None = None,
    action: str | None = None,
    actions: Sequence[str] | None = None,
    subject: str | None = None,
    address: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[AuditRow]:
    """Return rows below `before_seq`, newest first; `actor` may be a prefix such as "worker"."""
    found = {"before": before_seq, "limit": limit, "actor": actor, "action": action, "subject": subject}
    among = {"actions": actions, "address": address, "since": since, "until": until}
    rows = con.execute(PAGE, found | among | {"first": FIRST_MOMENT, "last": LAST_MOMENT}).fetchall()
    return [_audit_row(row) for row in rows]


def recorded_actions(con: DuckDBPyConnection) -> list[str]:
    """Return every action that has been recorded."""
    return [row[0] for row in con.execute(ACTIONS).fetchall()]


COUNTS = """
SELECT action, coalesce(sum(times) FILTER (WHERE happened_at >= $day), 0)::BIGINT,
       coalesce(sum(times) FILTER (WHERE happened_at >= $week), 0)::BIGINT, sum(times)::BIGINT
FROM (SELECT action, happened_at, coalesce(CAST(json_extract(detail, '$.times') AS BIGINT), 1) AS times
      FROM audit WHERE happened_at >= $month AND list_contains($actions::VARCHAR[], action))
GROUP BY action ORDER BY action
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditCounts:
    """How often something happened in the last 24 hours, 7 days and 30 days."""

    day: int = 0
    week: int = 0
    month: int = 0


def counts(con: DuckDBPyConnection, actions: Sequence[str], *, now: datetime) -> dict[str, AuditCounts]:
    """Return how often each of these actions happened lately.

    A row of repeats counts as many.
    """
    since = {"day": now - timedelta(days=1), "week": now - timedelta(days=7), "month": now - timedelta(days=30)}
    found = con.execute(COUNTS, since | {"actions": list(actions)}).fetchall()
    return {action: AuditCounts(day=day, week=week, month=month) for action, day, week, month in found}


def verify(con: DuckDBPyConnection, *, chunk: int = CHUNK) -> int | None:
    """Check the whole chain; return the first wrong or missing `seq`, or None.

    It may be the chain of an old ledger that was not migrated.
    """
    count, last = head(con)
    rows_there, first = con.execute(EXTENT).fetchall()[0]
    if rows_there and first != 1:
        return min(int(first), 1)
    doubtful = DOUBTFUL.format(STORED if con.execute(HAS_ORIGINS).fetchall() else STORED_BEFORE_ORIGINS)
    seq, digest = 0, ""
    while found := con.execute(LAST_OF_STRETCH, {"after": seq, "upto": seq + chunk}).fetchall():
        stretch = {"after": seq, "upto": seq + chunk, "digest": digest}
        for seq_before, before, *row in con.execute(doubtful, stretch).fetchall():
            if row[0] != seq_before + 1 or row[-1] != _digest(before, tuple(row[:-1])):
                return int(seq_before) + 1
        seq, digest = found[0]
    if seq != count or rows_there != count:
        return min(seq, count) + 1
    return None if digest == last else seq


def _digest(before: str, row: Row) -> str:
    seq, instant, actor, action, subject, detail, *origin = row
    values = [before, seq, instant, actor, action, subject, detail]
    if any(value is not None for value in origin):
        values += origin
    payload = json.dumps(values, ensure_ascii=False)
    return hashlib.sha256(payload.encode()).hexdigest()


def _audit_row(row: Row) -> AuditRow:
    values = dict(zip(NAMES, row, strict=False))
    values["happened_at"] = values["happened_at"].astimezone(UTC)
    values["detail"] = json.loads(values["detail"])
    return AuditRow(**values, hash=row[-1])
