"""Events for Prefect, written by the transaction that makes them.

They are deleted when they are sent. A restart loses none; one that was just being sent may be sent twice, with the same
id, which Prefect stores once.
https://docs.prefect.io/v3/concepts/events
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from duckdb import DuckDBPyConnection

from storage.accounts import webhook_deliveries
from storage.accounts.canary_account import CANARY_ID
from storage.domain.clock import utc_now
from storage.domain.records import Job, JobState

JOB_EVENTS = {
    JobState.COMPLETED: "transcriber.job.completed",
    JobState.FAILED: "transcriber.job.failed",
    JobState.CANCELLED: "transcriber.job.cancelled",
}
KEPT_FOR = timedelta(days=7)
"""What Prefect could not take for so long is of no use to an automation any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingEvent:
    """An event as Prefect's API takes it."""

    id: str
    body: dict[str, Any]


ADD = "INSERT INTO prefect_events (id, body, created_at) VALUES ($id, $body, $now)"


def want(con: DuckDBPyConnection, job: Job) -> None:
    """Queue the event of a job that has just ended; never its text."""
    event = JOB_EVENTS.get(job.state)
    if event is None or job.owner_id == CANARY_ID:
        return
    related = [_related(f"prefect.tag.{tag}", "tag") for tag in job.tags]
    if job.flow_run_id:
        related.append(_related(f"prefect.flow-run.{job.flow_run_id}", "flow-run"))
    labels = {"transcriber.owner-id": job.owner_id, "transcriber.lane": job.lane.value}
    facts = webhook_deliveries.facts_of(job) | {"tags": list(job.tags)}
    queue(con, event, f"transcriber.job.{job.id}", job.name, labels=labels, related=related, payload=facts)


def queue(
    con: DuckDBPyConnection,
    event: str,
    resource_id: str,
    name: str,
    *,
    labels: Mapping[str, str],
    payload: Mapping[str, Any],
    related: Sequence[Mapping[str, str]] = (),
) -> None:
    """Queue an event about a resource; it happens now."""
    ident, now = str(uuid4()), utc_now()
    body = {
        "id": ident,
        "event": event,
        "occurred": now.isoformat(),
        "resource": {"prefect.resource.id": resource_id, "prefect.resource.name": name, **labels},
        "related": list(related),
        "payload": dict(payload),
    }
    con.execute(ADD, {"id": ident, "body": json.dumps(body, ensure_ascii=False), "now": now})


def _related(resource_id: str, role: str) -> dict[str, str]:
    return {"prefect.resource.id": resource_id, "prefect.resource.role": role}


WAITING = "SELECT id, body FROM prefect_events ORDER BY created_at, id LIMIT $limit"


def waiting(con: DuckDBPyConnection, *, limit: int) -> list[OutgoingEvent]:
    """Return the oldest events that are not sent yet."""
    rows = con.execute(WAITING, {"limit": limit}).fetchall()
    return [OutgoingEvent(id=ident, body=json.loads(body)) for ident, body in rows]


REMOVE = "DELETE FROM prefect_events WHERE list_contains($ids::VARCHAR[], id)"
REMOVE_OLD = "DELETE FROM prefect_events WHERE created_at < $before"


def remove(con: DuckDBPyConnection, ids: Sequence[str]) -> None:
    """Delete events that were sent."""
    con.execute(REMOVE, {"ids": list(ids)})


def remove_old(con: DuckDBPyConnection, *, now: datetime) -> None:
    """Delete events that Prefect could not take for a week."""
    con.execute(REMOVE_OLD, {"before": now - KEPT_FOR})
