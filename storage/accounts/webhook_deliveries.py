"""Deliveries of events to webhooks: what is due, each attempt, and replay.

A delivery is written by the transaction that makes its event, with the body that every attempt sends. It is taken for
a while before it is sent, so that it is not sent twice at once, and is due again if the process dies.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from duckdb import DuckDBPyConnection

from storage.accounts import webhooks
from storage.accounts.webhooks import TEST_EVENT, DisabledBecause, WebhookEvent
from storage.domain.clock import new_id, utc_now
from storage.domain.errors import BadRequest, NotFound
from storage.domain.job_messages import text_of
from storage.domain.model_names import display_name
from storage.domain.records import Job, JobState
from storage.ledger import audit

PAUSES_S = (5.0, 60.0, 300.0, 1800.0, 7200.0, 18_000.0, 28_800.0, 28_800.0)
"""Pauses between attempts, each up to a tenth longer: about a day in all."""
JITTER = 0.1
LONGEST_ASKED_S = 6 * 3600.0
"""A server that is busy may ask for so long a pause."""
TAKEN_FOR = timedelta(seconds=60)
KEPT_FOR = timedelta(days=14)
SENDER = "system:webhooks"
EVENT_OF = {
    JobState.COMPLETED: WebhookEvent.JOB_COMPLETED,
    JobState.FAILED: WebhookEvent.JOB_FAILED,
    JobState.CANCELLED: WebhookEvent.JOB_CANCELLED,
}


class DeliveryState(StrEnum):
    """Where a delivery is."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt: the status that came back, or what went wrong."""

    sent_at: datetime
    duration_ms: int
    status: int | None = None
    error: str | None = None

    @property
    def succeeded(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An event for one webhook, and its last attempt.

    `tries` counts from the last replay, `attempts` from the beginning.
    """

    id: str
    webhook_id: str
    event: str
    job_id: str | None
    body: str
    created_at: datetime
    state: DeliveryState
    tries: int
    due_at: datetime | None
    attempts: int
    last: Attempt | None


SUBSCRIBED = """
SELECT webhooks.id FROM webhooks JOIN users ON users.id = webhooks.user_id
WHERE webhooks.enabled AND NOT users.disabled AND list_contains(string_split(events, ' '), $event)
  AND (webhooks.user_id = $owner_id OR (everybody AND users.role = 'admin' AND $owner_id <> 'canary'))
"""
ADD = """
INSERT INTO webhook_deliveries
    (id, webhook_id, event, job_id, occasion, body, created_at, state, tries, due_at, attempts)
VALUES ($id, $webhook_id, $event, $job_id, $occasion, $body, $now, 'waiting', 0, $now, 0)
ON CONFLICT DO NOTHING
"""


def want(con: DuckDBPyConnection, job: Job) -> None:
    """Queue the event of a job that has just ended."""
    if event := EVENT_OF.get(job.state):
        _queue(con, event, job, job.attempt, facts_of(job))


def want_changed(con: DuckDBPyConnection, job: Job, *, version: int) -> None:
    """Queue the event of a transcript that has just been edited or restored."""
    _queue(con, WebhookEvent.TRANSCRIPT_CHANGED, job, version, facts_of(job) | {"version": version})


def queue_test(con: DuckDBPyConnection, webhook_id: str) -> Delivery:
    """Queue a test message.

    Raises:
        NotFound: there is no such webhook.
        BadRequest: it is disabled.
    """
    if not webhooks.get(con, webhook_id).enabled:
        raise BadRequest("enabled", "this webhook is disabled; enable it first")
    return get(con, webhook_id, _add(con, webhook_id, TEST_EVENT, {"webhook_id": webhook_id}))


def _queue(con: DuckDBPyConnection, event: WebhookEvent, job: Job, occasion: int, data: Mapping[str, Any]) -> None:
    for (webhook_id,) in con.execute(SUBSCRIBED, {"event": event, "owner_id": job.owner_id}).fetchall():
        _add(con, webhook_id, event, data, job_id=job.id, occasion=occasion)


def _add(
    con: DuckDBPyConnection,
    webhook_id: str,
    event: str,
    data: Mapping[str, Any],
    *,
    job_id: str | None = None,
    occasion: int | None = None,
) -> str:
    now, ident = utc_now(), f"msg_{new_id()}"
    body = json.dumps({"type": event, "timestamp": now.isoformat(), "data": data}, ensure_ascii=False)
    values = {"id": ident, "webhook_id": webhook_id, "event": event, "body": body, "now": now}
    con.execute(ADD, values | {"job_id": job_id, "occasion": occasion})
    return ident


def facts_of(job: Job) -> dict[str, Any]:
    """Return what an event says about a job; never its text."""
    return {
        "job_id": job.id,
        "owner_id": job.owner_id,
        "name": job.name,
        "state": job.state,
        "attempt": job.attempt,
        "lane": job.lane,
        "duration_s": job.duration_s,
        "language": job.language,
        "model": display_name(job.model) if job.model else None,
        "created_at": job.created_at.isoformat(),
        "finished_at": job.finished_at.isoformat() if job.finished_at else None,
        "error": {"code": job.error_code, "message": text_of(job.error)} if job.error else None,
    }


SENDABLE = """
FROM webhook_deliveries JOIN webhooks ON webhooks.id = webhook_id JOIN users ON users.id = webhooks.user_id
WHERE due_at <= $now AND webhooks.enabled AND NOT users.disabled AND (users.role = 'admin' OR NOT everybody)
"""
DUE_WEBHOOKS = "SELECT webhook_id " + SENDABLE + " GROUP BY webhook_id ORDER BY min(due_at) LIMIT $limit"
NEXT = (
    "SELECT webhook_deliveries.id "
    + SENDABLE
    + " AND webhook_id = $webhook_id ORDER BY due_at, webhook_deliveries.id LIMIT 1"
)
TAKE = "UPDATE webhook_deliveries SET tries = tries + 1, due_at = $until WHERE id = $id"


def due_webhooks(con: DuckDBPyConnection, *, now: datetime, limit: int = 100) -> list[str]:
    """Return the webhooks with something to send now, the longest due first.

    What is due to a disabled webhook or account, or to one that may not see the job any more, waits.
    """
    return [row[0] for row in con.execute(DUE_WEBHOOKS, {"now": now, "limit": limit}).fetchall()]


def take(
    con: DuckDBPyConnection, webhook_id: str, *, now: datetime, taken_for: timedelta = TAKEN_FOR
) -> Delivery | None:
    """Take the next delivery of a webhook; nobody else gets it until `taken_for` is over."""
    row = con.execute(NEXT, {"webhook_id": webhook_id, "now": now}).fetchone()
    if row is None:
        return None
    con.execute(TAKE, {"id": row[0], "until": now + taken_for})
    return get(con, webhook_id, row[0])


ATTEMPT = """
INSERT INTO webhook_attempts (delivery_id, sent_at, duration_ms, status, error)
VALUES ($delivery_id, $sent_at, $duration_ms, $status, $error)
"""
LAST = """
UPDATE webhook_deliveries SET attempts = attempts + 1, sent_at = $sent_at, duration_ms = $duration_ms,
    status = $status, error = $error
WHERE id = $delivery_id
"""
SET_STATE = "UPDATE webhook_deliveries SET state = $state, due_at = $due_at WHERE id = $id"
SUCCEEDED = "UPDATE webhooks SET failing_since = NULL WHERE id = $id AND failing_since IS NOT NULL"
FAILED = "UPDATE webhooks SET failing_since = $now WHERE id = $id AND failing_since IS NULL"


def tried(
    con: DuckDBPyConnection,
    delivery: Delivery,
    attempt: Attempt,
    *,
    asked_pause_s: float = 0.0,
    pauses_s: Sequence[float] = PAUSES_S,
) -> DeliveryState:
    """Record an attempt and schedule the next one if it failed.

    A webhook that says it is gone is disabled, and so is one that took nothing while a delivery was tried to the end.
    """
    values = {"sent_at": attempt.sent_at, "duration_ms": attempt.duration_ms}
    values |= {"delivery_id": delivery.id, "status": attempt.status, "error": attempt.error}
    con.execute(ATTEMPT, values)
    con.execute(LAST, values)
    if attempt.succeeded:
        con.execute(SUCCEEDED, {"id": delivery.webhook_id})
        return _set_state(con, delivery, DeliveryState.DELIVERED)
    con.execute(FAILED, {"id": delivery.webhook_id, "now": attempt.sent_at})
    if attempt.status == 410:
        _disable(con, delivery, DisabledBecause.GONE)
        return _set_state(con, delivery, DeliveryState.FAILED)
    if delivery.tries > len(pauses_s):
        since = webhooks.get(con, delivery.webhook_id).failing_since
        if since and attempt.sent_at - since >= timedelta(seconds=sum(pauses_s)):
            _disable(con, delivery, DisabledBecause.FAILING)
        return _set_state(con, delivery, DeliveryState.FAILED)
    usual_s = pauses_s[delivery.tries - 1] * random.uniform(1.0, 1.0 + JITTER)  # noqa: S311
    pause_s = max(usual_s, min(asked_pause_s, LONGEST_ASKED_S))
    return _set_state(con, delivery, DeliveryState.WAITING, due_at=utc_now() + timedelta(seconds=pause_s))


def secret_lost(con: DuckDBPyConnection, delivery: Delivery) -> None:
    """Disable a webhook whose secret is not its owner's; the delivery waits."""
    _disable(con, delivery, DisabledBecause.SECRET_LOST)
    _set_state(con, delivery, DeliveryState.WAITING, due_at=utc_now())


def _disable(con: DuckDBPyConnection, delivery: Delivery, because: DisabledBecause) -> None:
    webhooks.disable(con, delivery.webhook_id, because, now=utc_now(), actor=SENDER)


def _set_state(
    con: DuckDBPyConnection, delivery: Delivery, state: DeliveryState, due_at: datetime | None = None
) -> DeliveryState:
    con.execute(SET_STATE, {"id": delivery.id, "state": state, "due_at": due_at})
    return state


ROWS = """
SELECT id, webhook_id, event, job_id, body, created_at, state, tries, due_at, attempts, sent_at, duration_ms, status,
    error
FROM webhook_deliveries
"""
BY_ID = ROWS + "WHERE id = $id AND webhook_id = $webhook_id"
PAGE = (
    ROWS
    + """
WHERE webhook_id = $webhook_id AND ($before IS NULL OR id < $before) AND ($state IS NULL OR state = $state)
ORDER BY id DESC LIMIT $limit
"""
)
ATTEMPTS = """
SELECT sent_at, duration_ms, status, error FROM webhook_attempts WHERE delivery_id = $id ORDER BY sent_at
"""


def get(con: DuckDBPyConnection, webhook_id: str, delivery_id: str) -> Delivery:
    """Return a delivery of the webhook.

    Raises:
        NotFound: there is no such delivery.
    """
    row = con.execute(BY_ID, {"id": delivery_id, "webhook_id": webhook_id}).fetchone()
    if row is None:
        raise NotFound("delivery", delivery_id)
    return _delivery(row)


def page(
    con: DuckDBPyConnection,
    webhook_id: str,
    *,
    state: DeliveryState | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[Delivery]:
    """Return deliveries of the webhook, newest first, after the id `before`."""
    asked = {"webhook_id": webhook_id, "state": state, "before": before, "limit": limit}
    return [_delivery(row) for row in con.execute(PAGE, asked).fetchall()]


def attempts_of(con: DuckDBPyConnection, delivery_id: str) -> list[Attempt]:
    """Return the attempts of a delivery, in order."""
    return [_attempt(*row) for row in con.execute(ATTEMPTS, {"id": delivery_id}).fetchall()]


def _attempt(sent_at: datetime, duration_ms: int, status: int | None, error: str | None) -> Attempt:
    return Attempt(sent_at=sent_at.astimezone(UTC), duration_ms=duration_ms, status=status, error=error)


REPLAY = "UPDATE webhook_deliveries SET state = 'waiting', tries = 0, due_at = $now WHERE id = $id"


def replay(con: DuckDBPyConnection, webhook_id: str, delivery_id: str, *, actor: str) -> Delivery:
    """Make a delivery due again, with its id and body.

    Raises:
        NotFound: there is no such delivery.
        BadRequest: the webhook is disabled.
    """
    get(con, webhook_id, delivery_id)
    if not webhooks.get(con, webhook_id).enabled:
        raise BadRequest("enabled", "this webhook is disabled; enable it first")
    con.execute(REPLAY, {"id": delivery_id, "now": utc_now()})
    audit.record(con, actor=actor, action="webhook.replay", subject=webhook_id, detail={"delivery": delivery_id})
    return get(con, webhook_id, delivery_id)


OLD = """
DELETE FROM webhook_deliveries
WHERE created_at < $before OR (job_id IS NOT NULL AND job_id NOT IN (SELECT id FROM jobs))
"""
LEFT_OVER = "DELETE FROM webhook_attempts WHERE delivery_id NOT IN (SELECT id FROM webhook_deliveries)"


def tidy(con: DuckDBPyConnection, *, now: datetime) -> None:
    """Delete old deliveries and those of purged jobs, with their attempts."""
    con.execute(OLD, {"before": now - KEPT_FOR})
    con.execute(LEFT_OVER)


def _delivery(row: tuple[Any, ...]) -> Delivery:
    ident, webhook_id, event, job_id, body, created_at, state, tries, due_at, attempts, sent_at, *how = row
    return Delivery(
        id=ident,
        webhook_id=webhook_id,
        event=event,
        job_id=job_id,
        body=body,
        created_at=created_at.astimezone(UTC),
        state=DeliveryState(state),
        tries=tries,
        due_at=due_at.astimezone(UTC) if due_at else None,
        attempts=attempts,
        last=_attempt(sent_at, *how) if sent_at else None,
    )
