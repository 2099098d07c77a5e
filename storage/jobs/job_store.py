"""Jobs: taken in, handed on, given up, and listed. What workers report of them is in `storage.progress`.

`attempt` fences off workers: a report on another attempt than the job's is stale. `version` counts every change
of a row, so a reader can tell that something is new.
"""

from collections.abc import Iterable

from duckdb import DuckDBPyConnection

from storage import audit, job_rows, quotas, vocabulary
from storage.clock import new_id, utc_now
from storage.deletion import delete, purge, restore
from storage.errors import BadRequest, JobMoved, StaleAttempt
from storage.job_rows import found
from storage.records import Job, JobState, Lane, Options, SpanRow, to_json

MAX_CRASHES = 3
"""A job whose flow run has died so often is not put back in the queue any more."""

__all__ = [
    "MAX_CRASHES",
    "accept",
    "cancel",
    "counts",
    "delete",
    "deleted",
    "exports_of",
    "get",
    "keyed",
    "next_queued",
    "note",
    "page",
    "places",
    "purge",
    "requeue",
    "restore",
    "retry",
    "spans_of",
    "submitted",
    "unfinished",
]

INSERT = """
INSERT INTO jobs (id, owner_id, name, media_sha256, media_bytes, state, lane, options, attempt, version, created_at,
    updated_at)
VALUES ($id, $owner_id, $name, $media_sha256, $media_bytes, 'queued', $lane, $options, 1, 1, $now, $now)
"""
KEYED = "SELECT job_id FROM job_keys WHERE owner_id = $owner_id AND key = $key"
KEEP_KEY = "INSERT INTO job_keys (owner_id, key, job_id, created_at) VALUES ($owner_id, $key, $job_id, $now)"


def keyed(con: DuckDBPyConnection, owner_id: str, key: str, media_sha256: str) -> Job | None:
    """Return the job that the owner made of these bytes with this idempotency key, or None.

    Raises:
        BadRequest: the key was used for other bytes.
    """
    row = con.execute(KEYED, {"owner_id": owner_id, "key": key}).fetchone()
    if row is None:
        return None
    job = get(con, row[0])
    if job.media_sha256 != media_sha256:
        raise BadRequest("idempotency_key", "it was used for another recording; take a new one")
    return job


def accept(
    con: DuckDBPyConnection,
    *,
    owner_id: str,
    name: str,
    media_sha256: str,
    media_bytes: int,
    options: Options,
    lane: Lane,
    actor: str,
    idempotency_key: str | None = None,
) -> Job:
    """Queue a recording whose bytes are on storage; the same key of the same owner gives the job made before.

    The owner's vocabulary joins the hotwords here, so that the job keeps what it is heard with.

    Raises:
        BadRequest: the key was used for other bytes.
        SpaceUsedUp, HoursUsedUp: the owner's quota does not allow it.
    """
    if idempotency_key and (job := keyed(con, owner_id, idempotency_key, media_sha256)):
        return job
    quotas.check(con, owner_id, more_bytes=media_bytes)
    job_id, now = new_id(), utc_now()
    options = vocabulary.joined_to(options, vocabulary.words_of(con, owner_id))
    values = {
        "id": job_id,
        "owner_id": owner_id,
        "name": name,
        "media_sha256": media_sha256,
        "media_bytes": media_bytes,
        "lane": lane,
        "options": to_json(options).decode(),
        "now": now,
    }
    con.execute(INSERT, values)
    if idempotency_key:
        con.execute(KEEP_KEY, {"owner_id": owner_id, "key": idempotency_key, "job_id": job_id, "now": now})
    detail = {"name": name, "bytes": media_bytes, "sha256": media_sha256, "lane": lane}
    audit.record(con, actor=actor, action="job.accept", subject=job_id, detail=detail)
    return get(con, job_id)


get = job_rows.get

PAGE = """
SELECT * FROM job_rows
WHERE deleted_at IS NULL AND ($owner_id IS NULL OR owner_id = $owner_id)
  AND ($states IS NULL OR list_contains($states::VARCHAR[], state))
  AND ($before IS NULL OR id < $before)
ORDER BY id DESC LIMIT $limit
"""


def page(
    con: DuckDBPyConnection,
    *,
    owner_id: str | None = None,
    state: JobState | Iterable[JobState] | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[Job]:
    """Return jobs, newest first, below the id `before` (the last one of the page above)."""
    states = None if state is None else [str(one) for one in ([state] if isinstance(state, JobState) else state)]
    con.execute(PAGE, {"owner_id": owner_id, "states": states, "before": before, "limit": limit})
    return found(con)


DELETED = """
SELECT * FROM job_rows WHERE deleted_at IS NOT NULL AND ($owner_id IS NULL OR owner_id = $owner_id)
ORDER BY deleted_at DESC, id DESC LIMIT $limit
"""


def deleted(con: DuckDBPyConnection, *, owner_id: str | None = None, limit: int = 200) -> list[Job]:
    """Return the deleted jobs that can still be restored, the last deleted first."""
    con.execute(DELETED, {"owner_id": owner_id, "limit": limit})
    return found(con)


COUNTS = """
SELECT state, count(*) FROM jobs WHERE deleted_at IS NULL AND ($owner_id IS NULL OR owner_id = $owner_id) GROUP BY state
"""


def counts(con: DuckDBPyConnection, owner_id: str | None = None) -> dict[JobState, int]:
    """Return how many jobs are in each state, of one owner or of all; every state is there."""
    rows = con.execute(COUNTS, {"owner_id": owner_id}).fetchall()
    there = {JobState(state): int(number) for state, number in rows}
    return {state: there.get(state, 0) for state in JobState}


WAITING = """
WITH owners AS (
    SELECT owner_id, lane,
        count(*) FILTER (WHERE flow_run_id IS NOT NULL AND state NOT IN ('completed', 'failed', 'cancelled')) AS busy,
        max(submitted_at) AS served_at
    FROM jobs GROUP BY owner_id, lane
), waiting AS (
    SELECT id AS job_id, owner_id, lane, row_number() OVER (PARTITION BY owner_id, lane ORDER BY id) AS place
    FROM jobs WHERE state = 'queued' AND flow_run_id IS NULL
), turns AS (
    SELECT job_id, lane AS of_lane, busy, busy + place AS turn, served_at
    FROM waiting JOIN owners USING (owner_id, lane)
)
"""
IN_ORDER = """
ORDER BY CASE of_lane WHEN 'interactive' THEN 0 WHEN 'batch' THEN 1 ELSE 2 END, turn, busy DESC,
    served_at NULLS FIRST, job_id
"""
JOBS_OF_TURNS = "SELECT job_rows.* FROM job_rows JOIN turns ON job_id = id"
IDS_OF_TURNS = "SELECT job_id FROM turns"
NEXT_QUEUED = WAITING + JOBS_OF_TURNS + IN_ORDER + "LIMIT $limit"
PLACES = WAITING + IDS_OF_TURNS + IN_ORDER


def next_queued(con: DuckDBPyConnection, limit: int) -> list[Job]:
    """Return the jobs to hand to Prefect next, in order.

    Lanes one after the other; within a lane users take turns: who has fewer jobs in flight there, counting those
    further up in this list, comes first; then who was served longest ago; then the older job.
    """
    con.execute(NEXT_QUEUED, {"limit": limit})
    return found(con)


SUBMITTED = """
UPDATE jobs SET flow_run_id = $flow_run_id, model = $model, fingerprint = $fingerprint, submitted_at = $now,
    updated_at = $now, version = version + 1
WHERE id = $id
"""
FORGET_HEARD = """
UPDATE spans SET result = NULL, worker = NULL, engine_s = NULL, reused = FALSE, live_s = 0 WHERE job_id = $id
"""
START_OVER = "UPDATE jobs SET done_s = 0 WHERE id = $id"


def submitted(
    con: DuckDBPyConnection,
    job_id: str,
    *,
    attempt: int,
    flow_run_id: str,
    model: str | None,
    fingerprint: str | None,
    actor: str,
) -> Job:
    """Note the flow run that has the job and the model that will hear it; said twice, it changes nothing.

    Progress goes on from the attempt before, unless another model listens now.

    Raises:
        StaleAttempt: the job is finished or at another attempt; cancel the flow run.
    """
    job = get(con, job_id)
    if job.state.finished or job.attempt != attempt:
        raise StaleAttempt(job_id, attempt)
    if (job.flow_run_id, job.model, job.fingerprint) == (flow_run_id, model, fingerprint):
        return job
    if job.fingerprint not in {None, fingerprint}:
        con.execute(FORGET_HEARD, {"id": job_id})
        con.execute(START_OVER, {"id": job_id})
    values = {"id": job_id, "flow_run_id": flow_run_id, "model": model, "fingerprint": fingerprint, "now": utc_now()}
    con.execute(SUBMITTED, values)
    detail = {"attempt": attempt, "flow_run": flow_run_id, "model": model, "fingerprint": fingerprint}
    audit.record(con, actor=actor, action="job.submit", subject=job_id, detail=detail)
    return get(con, job_id)


def cancel(con: DuckDBPyConnection, job_id: str, *, actor: str) -> Job:
    """Stop the job; its flow run is told by the answer to its next report. One that is cancelled stays so.

    Raises:
        JobMoved: it has completed or failed already.
    """
    job = get(con, job_id)
    if job.state is JobState.CANCELLED:
        return job
    if job.state.finished:
        raise JobMoved(job_id, job.state, "cancelled")
    return job_rows.finish(con, job, JobState.CANCELLED, actor=actor, action="job.cancel", detail="cancelled")


REQUEUE = """
UPDATE jobs SET state = 'queued', attempt = attempt + 1, version = version + 1, crashes = $crashes,
    flow_run_id = NULL, detail = $detail, error = NULL, error_code = NULL, finished_at = NULL, parts = 0,
    updated_at = $now
WHERE id = $id
"""
DROP_LIVE = "UPDATE spans SET live_s = 0 WHERE job_id = $id AND live_s > 0"


def retry(con: DuckDBPyConnection, job_id: str, *, actor: str) -> Job:
    """Queue a failed or cancelled job again as a new attempt; spans that were heard are found on storage.

    Raises:
        JobMoved: it is neither failed nor cancelled, or it is deleted.
    """
    job = get(con, job_id)
    if job.deleted_at or job.state not in {JobState.FAILED, JobState.CANCELLED}:
        raise JobMoved(job_id, "deleted" if job.deleted_at else job.state, "retried")
    return _back_in_queue(con, job, crashes=0, detail="", actor=actor, action="job.retry")


CRASHES = "SELECT crashes FROM jobs WHERE id = $id"


def requeue(con: DuckDBPyConnection, job_id: str, *, actor: str, reason: str, crashed: bool = True) -> Job:
    """Queue a job whose flow run has died as a new attempt, or fail it after the third death.

    Without `crashed` this was no death: what it needs was away for a while.

    Raises:
        JobMoved: the job is finished.
    """
    job = get(con, job_id)
    if job.state.finished:
        raise JobMoved(job_id, job.state, "queued again")
    crashes = int(con.execute(CRASHES, {"id": job_id}).fetchall()[0][0]) + crashed
    if not crashed or crashes < MAX_CRASHES:
        return _back_in_queue(con, job, crashes=crashes, detail=f"again: {reason}", actor=actor, action="job.requeue")
    error = (
        f"the work on this recording broke off {crashes} times (last: {reason}); see the log of the workers and "
        "`transcriber doctor`, choose a smaller model if memory is short, then retry: the source is kept"
    )
    return job_rows.finish(
        con, job, JobState.FAILED, actor=actor, action="job.fail", error=error, error_code="crashed_too_often"
    )


def _back_in_queue(con: DuckDBPyConnection, job: Job, *, crashes: int, detail: str, actor: str, action: str) -> Job:
    con.execute(DROP_LIVE, {"id": job.id})
    con.execute(REQUEUE, {"id": job.id, "crashes": crashes, "detail": detail, "now": utc_now()})
    again = get(con, job.id)
    told = {"from": job.state, "attempt": again.attempt} | ({"reason": detail} if detail else {})
    audit.record(con, actor=actor, action=action, subject=job.id, detail=told)
    return again


def places(con: DuckDBPyConnection) -> dict[str, int]:
    """Return the place in line of every job that waits to be handed to Prefect; 0 is the next."""
    return {row[0]: place for place, row in enumerate(con.execute(PLACES).fetchall())}


UNFINISHED = """
SELECT * FROM job_rows
WHERE state IN ('ingesting', 'transcribing', 'exporting') OR state = 'queued' AND flow_run_id IS NOT NULL
ORDER BY id
"""


def unfinished(con: DuckDBPyConnection) -> list[Job]:
    """Return the jobs that Prefect has in hand; what still waits for its turn is `next_queued`."""
    con.execute(UNFINISHED)
    return found(con)


NOTE = """
UPDATE jobs SET detail = $detail, updated_at = $now, version = version + 1
WHERE id = $id AND version = $version AND detail <> $detail AND state NOT IN ('completed', 'failed', 'cancelled')
RETURNING id
"""


def note(con: DuckDBPyConnection, job: Job, detail: str) -> Job | None:
    """Leave a line for the reader of an unfinished job; no change of state, so no audit row.

    Returns:
        the job with its line, or None if it says so already, has ended, or is no longer as `job` says.
    """
    values = {"id": job.id, "version": job.version, "detail": detail, "now": utc_now()}
    return get(con, job.id) if con.execute(NOTE, values).fetchone() else None


SPANS = """
SELECT idx, start_s, end_s, samples_sha256, result, worker, engine_s, reused FROM spans
WHERE job_id = $id ORDER BY idx
"""


def spans_of(con: DuckDBPyConnection, job_id: str) -> list[SpanRow]:
    """Return the job's spans in order; none before it has been cut."""
    fields = ("index", "start_s", "end_s", "samples_sha256", "result", "worker", "engine_s", "reused")
    rows = con.execute(SPANS, {"id": job_id}).fetchall()
    return [SpanRow(job_id=job_id, **dict(zip(fields, row, strict=True))) for row in rows]


EXPORTS = "SELECT format, name FROM exports WHERE job_id = $id ORDER BY format"


def exports_of(con: DuckDBPyConnection, job_id: str) -> dict[str, str]:
    """Return the names on storage of the job's files by format."""
    return dict(con.execute(EXPORTS, {"id": job_id}).fetchall())
