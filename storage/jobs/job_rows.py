"""Convert job rows to records, and move jobs to a final state."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
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

NOT_DESCRIBED = "new"
"""The manifest state of a job that was just accepted: this process has described it, or died before."""
GET = "SELECT * FROM job_rows WHERE id = $id"
HAS_TAG = """
  AND ($tag IS NULL OR contains(',' || tags || ',', ',' || $tag || ',') OR contains(',' || tags, ',' || $tag || '/'))
"""
CHANGED = (
    "state",
    "duration_s",
    "speech_s",
    "done_s",
    "read_s",
    "parts",
    "detail",
    "error",
    "error_code",
    "model",
    "fingerprint",
    "language",
    "given_up",
    "flow_run_id",
    "media_start_s",
    "started_at",
    "finished_at",
)
"""The fields of a job that work on it changes; columns have their names."""


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


class JobUpdate:
    """What one transaction changes of a job.

    The job's row is written once, with the columns that differ, and all audit rows together. Whoever works on the job
    reads it here, as it will be: nobody else writes meanwhile.
    """

    def __init__(self, con: DuckDBPyConnection, job: Job, *, actor: str) -> None:
        self.con, self.before, self.job, self.actor = con, job, job, actor
        self._more: dict[str, Any] = {}
        self._told: list[audit.Entry] = []

    def set(self, **fields: Any) -> None:
        """Change fields of the job."""
        self.job = replace(self.job, **fields)

    def set_columns(self, **columns: Any) -> None:
        """Change columns that a job's record does not have."""
        self._more |= columns

    def tell(self, action: str, detail: Mapping[str, Any]) -> None:
        """Add an audit row."""
        self._told.append(audit.Entry(actor=self.actor, action=action, subject=self.job.id, detail=detail))

    def store(self) -> Job:
        """Write the change, if there is one, and return the job."""
        values = {name: getattr(self.job, name) for name in CHANGED}
        values = {name: value for name, value in values.items() if value != getattr(self.before, name)} | self._more
        if values:
            self.set(version=self.before.version + 1, updated_at=utc_now())
            _update(self.con, self.job, values)
        audit.record_all(self.con, self._told)
        self.before, self._more, self._told = self.job, {}, []
        return self.job


@contextmanager
def changing(con: DuckDBPyConnection, job: Job, *, actor: str) -> Iterator[JobUpdate]:
    """Provide a change of the job, and store it at the end of the block."""
    change = JobUpdate(con, job, actor=actor)
    yield change
    change.store()


def _update(con: DuckDBPyConnection, job: Job, values: dict[str, Any]) -> None:
    """Write columns of the job's row.

    A statement with all of them would log all of them.
    """
    columns = values | {"version": job.version, "updated_at": job.updated_at}
    if "given_up" in columns:
        columns["given_up"] = json.dumps(columns["given_up"])
    assigned = ", ".join(f"{name} = ${name}" for name in columns)
    con.execute(f"UPDATE jobs SET {assigned} WHERE id = $id", columns | {"id": job.id})  # noqa: S608 - our columns


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
    """Move the job to a final state; see `end`."""
    change = JobUpdate(con, job, actor=actor)
    return end(change, state, action=action, detail=detail, error=error, error_code=error_code)


def end(
    change: JobUpdate,
    state: JobState,
    *,
    action: str,
    detail: str = "",
    error: str | None = None,
    error_code: str | None = None,
) -> Job:
    """Move the job to a final state, and store the change.

    Audit row, mail, webhooks and an event are part of it.
    """
    told: dict[str, Any] = {"from": change.job.state, "attempt": change.job.attempt}
    if error:
        told |= {"error": for_audit(error), "code": error_code}
    change.set(state=state, detail=detail, error=error, error_code=error_code, finished_at=utc_now(), parts=0)
    change.tell(action, told)
    ended = change.store()
    mail_queue.want(change.con, ended)
    webhook_deliveries.want(change.con, ended)
    prefect_outbox.want(change.con, ended)
    return ended
