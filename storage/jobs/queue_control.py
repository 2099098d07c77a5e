"""What people decide about jobs in the queue: pause, resume, another lane, to the front.

A job that is under way goes back into the queue as a new attempt, which stops its flow runs. Transcribed spans stay.
"""

from collections.abc import Callable

from duckdb import DuckDBPyConnection

from storage.domain.clock import utc_now
from storage.domain.job_actions import JobAction
from storage.domain.job_messages import JobMessage, JobPaused, encode
from storage.domain.records import Job, JobState, Lane
from storage.jobs import job_rows, job_store
from storage.ledger import audit

HOLD = "UPDATE jobs SET held = TRUE, detail = $detail, updated_at = $now, version = version + 1 WHERE id = $id"


def hold(con: DuckDBPyConnection, job_id: str, *, actor: str, detail: JobMessage | None = None) -> Job:
    """Pause the job until somebody resumes it; `detail` says why. Idempotent.

    Raises:
        JobMoved: it is finished or deleted.
    """
    job = job_rows.get(con, job_id)
    if job.held and not job.state.finished:
        return job
    JobAction.PAUSE.require(job)
    if is_under_way(job):
        job_store.put_back(con, job)
    con.execute(HOLD, {"id": job.id, "detail": encode(detail or JobPaused()), "now": utc_now()})
    return _recorded(con, job, action="job.pause", actor=actor)


RELEASE = "UPDATE jobs SET held = FALSE, detail = '', updated_at = $now, version = version + 1 WHERE id = $id"


def release(con: DuckDBPyConnection, job_id: str, *, actor: str) -> Job:
    """Let a paused job go on. Idempotent.

    Raises:
        JobMoved: it is finished or deleted.
    """
    job = job_rows.get(con, job_id)
    if not job.held and not job.state.finished:
        return job
    JobAction.RESUME.require(job)
    con.execute(RELEASE, {"id": job.id, "now": utc_now()})
    return _recorded(con, job, action="job.resume", actor=actor)


MOVE_UP = "UPDATE jobs SET moved_up_at = $now, updated_at = $now, version = version + 1 WHERE id = $id"


def move_up(con: DuckDBPyConnection, job_id: str, *, actor: str) -> Job:
    """Put the job before its owner's other waiting jobs of the same lane.

    Raises:
        JobMoved: it does not wait any more.
    """
    job = job_rows.get(con, job_id)
    JobAction.FIRST.require(job)
    con.execute(MOVE_UP, {"id": job.id, "now": utc_now()})
    return _recorded(con, job, action="job.first", actor=actor)


SET_LANE = "UPDATE jobs SET lane = $lane, updated_at = $now, version = version + 1 WHERE id = $id"


def change_lane(con: DuckDBPyConnection, job_id: str, lane: Lane, *, actor: str) -> Job:
    """Move the job to another lane; the same one changes nothing.

    Raises:
        JobMoved: it is finished or deleted.
    """
    job = job_rows.get(con, job_id)
    JobAction.LANE.require(job)
    if job.lane is lane:
        return job
    if is_under_way(job):
        job_store.put_back(con, job)
    con.execute(SET_LANE, {"id": job.id, "lane": lane, "now": utc_now()})
    return _recorded(con, job, action="job.lane", actor=actor, to=lane.value)


def is_under_way(job: Job) -> bool:
    """Return whether the job was handed out, so that its flow runs have to stop."""
    return not (job.state is JobState.QUEUED and job.flow_run_id is None)


ORDERS: dict[JobAction, Callable[..., Job]] = {
    JobAction.CANCEL: job_store.cancel,
    JobAction.RETRY: job_store.retry,
    JobAction.PAUSE: hold,
    JobAction.RESUME: release,
    JobAction.FIRST: move_up,
}
"""The actions that change a job's place in the queue: connection and job id, keyword `actor`."""


def _recorded(con: DuckDBPyConnection, before: Job, *, action: str, actor: str, to: str | None = None) -> Job:
    """Write the audit row of a decision; return the job as it is then."""
    job = job_rows.get(con, before.id)
    detail = {"from": before.lane, "to": to} if to else {"from": before.state}
    audit.record(con, actor=actor, action=action, subject=job.id, detail=detail | {"attempt": job.attempt})
    return job
