"""Convert job rows to records, and move jobs to a final state."""

import json
from datetime import UTC, datetime
from typing import Any

from duckdb import DuckDBPyConnection

from storage.accounts import mail_queue, prefect_outbox, webhook_deliveries
from storage.domain.clock import utc_now
from storage.domain.errors import NotFound
from storage.domain.job_messages import for_audit
from storage.domain.records import Job, JobState, Lane, Options, from_json
from storage.domain.tags import SEPARATOR
from storage.jobs.annotations import metadata
from storage.ledger import audit

GET = "SELECT * FROM job_rows WHERE id = $id"
HAS_TAG = """
  AND ($tag IS NULL OR contains(',' || tags || ',', ',' || $tag || ',') OR contains(',' || tags, ',' || $tag || '/'))
"""
FINISH = """
UPDATE jobs SET state = $state, detail = $detail, error = $error, error_code = $error_code, version = version + 1,
    updated_at = $now, finished_at = $now, parts = 0
WHERE id = $id
"""


def found(con: DuckDBPyConnection) -> list[Job]:
    """Return the jobs that the last statement selected from the view `job_rows`."""
    fields = [str(column[0]) for column in con.description or ()]
    return [_job(dict(zip(fields, row, strict=True))) for row in con.fetchall()]


def _job(values: dict[str, Any]) -> Job:
    values |= {
        "state": JobState(values["state"]),
        "lane": Lane(values["lane"]),
        "options": from_json(Options, values["options"]),
        "given_up": tuple(json.loads(values["given_up"])),
        "tags": tuple(values["tags"].split(SEPARATOR)) if values["tags"] else (),
        "metadata": metadata.from_column(values["metadata"]),
    }
    for field in ("created_at", "updated_at", "started_at", "finished_at", "deleted_at"):
        instant: datetime | None = values[field]
        values[field] = instant.astimezone(UTC) if instant else None
    return Job(**values)


def get(con: DuckDBPyConnection, job_id: str) -> Job:
    """Return the job.

    Raises:
        NotFound: there is none with this id.
    """
    con.execute(GET, {"id": job_id})
    for job in found(con):
        return job
    raise NotFound("job", job_id)


def finish(
    con: DuckDBPyConnection,
    job: Job,
    state: JobState,
    *,
    actor: str,
    action: str,
    detail: str = "",
    error: str | None = None,
    error_code: str | None = None,
) -> Job:
    """Move the job to a final state, with audit row, mail, webhooks and an event."""
    values = {
        "id": job.id,
        "state": state,
        "detail": detail,
        "error": error,
        "error_code": error_code,
        "now": utc_now(),
    }
    con.execute(FINISH, values)
    told: dict[str, Any] = {"from": job.state, "attempt": job.attempt}
    if error:
        told |= {"error": for_audit(error), "code": error_code}
    audit.record(con, actor=actor, action=action, subject=job.id, detail=told)
    ended = get(con, job.id)
    mail_queue.want(con, ended)
    webhook_deliveries.want(con, ended)
    prefect_outbox.want(con, ended)
    return ended
