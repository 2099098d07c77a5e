"""Jobs: accept, submit, cancel, retry and list; `storage.jobs.progress` applies reports.

`attempt` fences off workers: a report on another attempt than the job's is stale. `version` counts every change of a
row, so that readers can detect changes.
"""

from collections.abc import Iterable, Mapping, Sequence

from duckdb import DuckDBPyConnection

from storage.accounts import api_key_usage, quotas, vocabulary
from storage.domain.clock import new_id, utc_now
from storage.domain.errors import JobMoved, StaleAttempt
from storage.domain.interruptions import Interruption
from storage.domain.job_actions import JobAction
from storage.domain.job_messages import Cancelled, CrashedTooOften, JobMessage, Requeued, encode, for_audit
from storage.domain.records import Job, JobState, Lane, Options, SpanRow, to_json
from storage.domain.tags import SEPARATOR, clean_tags, one_tag
from storage.jobs import deletion, job_rows
from storage.jobs.annotations.metadata import NO_METADATA, clean_metadata, to_column
from storage.jobs.job_rows import found
from storage.jobs.repeated_calls import Repeats, keep_key, keyed
from storage.ledger import audit

MAX_CRASHES = 3
"""A job whose flow run has died this often is not requeued any more."""

INSERT = """
INSERT INTO jobs (id, owner_id, name, media_sha256, media_bytes, state, lane, options, tags, metadata, attempt,
    version, duration_s, created_at, updated_at, manifest_state)
VALUES ($id, $owner_id, $name, $media_sha256, $media_bytes, 'queued', $lane, $options, $tags, $metadata, 1, 1,
    $duration_s, $now, $now, $manifest_state)
"""


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
    asked_sha256: str | None = None,
    repeats: Repeats | None = None,
    api_key_id: str | None = None,
    duration_s: float | None = None,
    tags: tuple[str, ...] = (),
    metadata: Mapping[str, str] = NO_METADATA,
    job_id: str | None = None,
) -> Job:
    """Queue a recording whose bytes are stored; a repeated key returns the existing job.

    A new job gets `job_id`, by which a caller tells it from an existing one.

    `asked_sha256` is of the options as they were asked for, which a repeated key must have again. With `repeats`
    the key of a job that ended long ago is free again.

    `duration_s` is the length in the header, if it is known. The owner's vocabulary is added to the hotwords here, so
    that the job records what it was transcribed with.

    Raises:
        BadRequest: there are too many tags or fields of metadata, or one is empty or too long.
        KeyReused: the key was used for other bytes or options.
        SpaceUsedUp, HoursUsedUp, KeyHoursUsedUp: the quota of the owner or of the API key does not allow it.
    """
    asked = (media_sha256, asked_sha256)
    if idempotency_key and (job := keyed(con, owner_id, idempotency_key, *asked, repeats=repeats)):
        return job
    quotas.check(con, owner_id, more_bytes=media_bytes, api_key_id=api_key_id)
    now = utc_now()
    job = Job(
        id=job_id or new_id(),
        owner_id=owner_id,
        name=name,
        media_sha256=media_sha256,
        media_bytes=media_bytes,
        state=JobState.QUEUED,
        lane=lane,
        options=vocabulary.joined_to(options, vocabulary.words_of(con, owner_id)),
        attempt=1,
        version=1,
        duration_s=duration_s,
        speech_s=None,
        done_s=0.0,
        detail="",
        error=None,
        model=None,
        fingerprint=None,
        language=None,
        given_up=(),
        flow_run_id=None,
        created_at=now,
        updated_at=now,
        started_at=None,
        finished_at=None,
        tags=clean_tags(tags),
        metadata=clean_metadata(metadata),
    )
    _insert(con, job)
    if idempotency_key:
        keep_key(con, job, idempotency_key, asked_sha256)
    api_key_usage.add_job(con, api_key_id, job.id)
    detail = {"name": name, "bytes": media_bytes, "sha256": media_sha256, "lane": lane}
    detail |= {"tags": list(job.tags)} if job.tags else {}
    audit.record(con, actor=actor, action="job.accept", subject=job.id, detail=detail)
    return job


def _insert(con: DuckDBPyConnection, job: Job) -> None:
    fields = ("id", "owner_id", "name", "media_sha256", "media_bytes", "lane", "duration_s")
    values = {field: getattr(job, field) for field in fields}
    values |= {"options": to_json(job.options).decode(), "tags": SEPARATOR.join(job.tags), "now": job.created_at}
    values |= {"metadata": to_column(job.metadata), "manifest_state": job_rows.NOT_DESCRIBED}
    con.execute(INSERT, values)


get = job_rows.get
delete, purge, restore = deletion.delete, deletion.purge, deletion.restore

OWNED = """
SELECT * FROM job_rows
WHERE deleted_at IS NULL AND ($owner_id IS NULL AND owner_id <> 'canary' OR owner_id = $owner_id)
  AND ($ids IS NULL OR list_contains($ids::VARCHAR[], id))
  AND ($states IS NULL OR list_contains($states::VARCHAR[], state))
"""
NEWEST_FIRST = " AND ($before IS NULL OR id < $before) ORDER BY id DESC LIMIT $limit"
PAGE = OWNED + job_rows.HAS_TAG + NEWEST_FIRST


def page(
    con: DuckDBPyConnection,
    *,
    owner_id: str | None = None,
    state: JobState | Iterable[JobState] | None = None,
    tag: str | None = None,
    ids: Sequence[str] | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[Job]:
    """Return jobs, newest first, after the id `before` (the last one of the previous page).

    With `ids`, they are among these.
    """
    states = None if state is None else [str(one) for one in ([state] if isinstance(state, JobState) else state)]
    asked = {"owner_id": owner_id, "states": states, "tag": one_tag(tag) if tag else None}
    asked |= {"ids": None if ids is None else list(ids)}
    con.execute(PAGE, asked | {"before": before, "limit": limit})
    return found(con)


DELETED = """
SELECT * FROM job_rows WHERE deleted_at IS NOT NULL AND ($owner_id IS NULL OR owner_id = $owner_id)
ORDER BY deleted_at DESC, id DESC LIMIT $limit
"""


def deleted(con: DuckDBPyConnection, *, owner_id: str | None = None, limit: int = 200) -> list[Job]:
    """Return the deleted jobs that can still be restored, most recently deleted first."""
    con.execute(DELETED, {"owner_id": owner_id, "limit": limit})
    return found(con)


COUNTS = """
SELECT state, count(*) FROM jobs
WHERE deleted_at IS NULL AND ($owner_id IS NULL AND owner_id <> 'canary' OR owner_id = $owner_id) GROUP BY state
"""


def counts(con: DuckDBPyConnection, owner_id: str | None = None) -> dict[JobState, int]:
    """Return the number of jobs in each state, for one owner or all."""
    rows = con.execute(COUNTS, {"owner_id": owner_id}).fetchall()
    there = {JobState(state): int(number) for state, number in rows}
    return {state: there.get(state, 0) for state in JobState}


IS_UNRECORDED = """
SELECT count(*) FROM jobs WHERE id = $id AND attempt = $attempt AND model IS NULL
    AND state NOT IN ('completed', 'failed', 'cancelled')
"""


def is_unrecorded(con: DuckDBPyConnection, job_id: str, *, attempt: int) -> bool:
    """Return whether this attempt goes on and its submission is not recorded."""
    return bool(con.execute(IS_UNRECORDED, {"id": job_id, "attempt": attempt}).fetchall()[0][0])


FORGET_HEARD = """
UPDATE spans SET result = NULL, worker = NULL, engine_s = NULL, reused = FALSE, live_s = 0 WHERE job_id = $id
"""


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
    """Record the job's flow run and model; repeating it changes nothing.

    Progress continues from the previous attempt, unless the model has changed. A job that was paused meanwhile goes to
    its next attempt instead, so that this flow run is outdated.

    Raises:
        StaleAttempt: the job is finished, at another attempt, or another flow run's; cancel the flow run.
    """
    job = get(con, job_id)
    if job.state.finished or job.attempt != attempt or job.flow_run_id not in {None, flow_run_id}:
        raise StaleAttempt(job_id, attempt)
    if job.held:
        put_back(con, job, stays_held=True, detail=job.detail)
        return get(con, job_id)
    if (job.flow_run_id, job.model, job.fingerprint) == (flow_run_id, model, fingerprint):
        return job
    change = job_rows.JobUpdate(con, job, actor=actor)
    if job.fingerprint not in {None, fingerprint}:
        con.execute(FORGET_HEARD, {"id": job_id})
        change.set(done_s=0.0)
    change.set(flow_run_id=flow_run_id, model=model, fingerprint=fingerprint)
    change.set_columns(submitted_at=utc_now())
    told = {"attempt": attempt, "flow_run": flow_run_id, "model": model, "fingerprint": fingerprint}
    change.tell("job.submit", told)
    return change.store()


def cancel(con: DuckDBPyConnection, job_id: str, *, actor: str) -> Job:
    """Cancel the job; the answer to its next report stops the flow run. Idempotent.

    Raises:
        JobMoved: it has completed or failed already.
    """
    job = get(con, job_id)
    if job.state is JobState.CANCELLED:
        return job
    JobAction.CANCEL.require(job)
    detail = encode(Cancelled())
    return job_rows.finish(con, job, JobState.CANCELLED, actor=actor, action="job.cancel", detail=detail)


REQUEUE = """
UPDATE jobs SET state = 'queued', attempt = attempt + 1, version = version + 1, crashes = coalesce($crashes, crashes),
    apart = apart OR $apart, flow_run_id = NULL, held = held AND $stays_held, detail = $detail, error = NULL,
    error_code = NULL, finished_at = NULL, parts = 0, updated_at = $now
WHERE id = $id
"""
DROP_LIVE = "UPDATE spans SET live_s = 0 WHERE job_id = $id AND live_s > 0"


def retry(con: DuckDBPyConnection, job_id: str, *, actor: str) -> Job:
    """Queue a failed or cancelled job as a new attempt, reusing transcribed spans.

    Raises:
        JobMoved: it is neither failed nor cancelled, or it is deleted.
    """
    job = get(con, job_id)
    JobAction.RETRY.require(job)
    put_back(con, job, crashes=0)
    return _recorded_in_queue(con, job, detail="", actor=actor, action="job.retry")


CRASHES = "SELECT crashes FROM jobs WHERE id = $id"


def requeue(
    con: DuckDBPyConnection,
    job_id: str,
    *,
    actor: str,
    reason: Interruption,
    crashed: bool = True,
    apart: bool = False,
) -> Job:
    """Requeue a job whose flow run died, or fail it after three deaths.

    Without `crashed` it was not a death: a resource was unavailable for a while. With `apart` it may have been this
    job's, or that of another one in the same run.

    Raises:
        JobMoved: the job is finished.
    """
    job = get(con, job_id)
    if job.state.finished:
        raise JobMoved(job_id, job.state, "queued again")
    crashes = int(con.execute(CRASHES, {"id": job_id}).fetchall()[0][0]) + crashed
    if not crashed or crashes < MAX_CRASHES:
        detail = encode(Requeued(reason=reason))
        put_back(con, job, crashes=crashes, detail=detail, apart=crashed or apart)
        return _recorded_in_queue(con, job, detail=detail, actor=actor, action="job.requeue")
    failure = CrashedTooOften(times=crashes, last=reason)
    error, code = encode(failure), failure.code
    return job_rows.finish(con, job, JobState.FAILED, actor=actor, action="job.fail", error=error, error_code=code)


def put_back(
    con: DuckDBPyConnection,
    job: Job,
    *,
    crashes: int | None = None,
    stays_held: bool = False,
    detail: str = "",
    apart: bool = False,
) -> None:
    """Queue an unfinished or ended job as its next attempt; the caller records why."""
    con.execute(DROP_LIVE, {"id": job.id})
    values = {"id": job.id, "crashes": crashes, "stays_held": stays_held, "detail": detail, "now": utc_now()}
    con.execute(REQUEUE, values | {"apart": apart})


def _recorded_in_queue(con: DuckDBPyConnection, job: Job, *, detail: str, actor: str, action: str) -> Job:
    again = get(con, job.id)
    told = {"from": job.state, "attempt": again.attempt} | ({"reason": for_audit(detail)} if detail else {})
    audit.record(con, actor=actor, action=action, subject=job.id, detail=told)
    return again


UNFINISHED = """
SELECT * FROM job_rows
WHERE state IN ('ingesting', 'transcribing', 'exporting') OR state = 'queued' AND flow_run_id IS NOT NULL
ORDER BY id
"""


def unfinished(con: DuckDBPyConnection) -> list[Job]:
    """Return the jobs that are submitted to Prefect; waiting jobs are in `next_queued`."""
    con.execute(UNFINISHED)
    return found(con)


NOTE = """
UPDATE jobs SET detail = $detail, updated_at = $now, version = version + 1
WHERE id = $id AND version = $version AND detail <> $detail AND state NOT IN ('completed', 'failed', 'cancelled')
RETURNING id
"""


def note(con: DuckDBPyConnection, job: Job, detail: JobMessage) -> Job | None:
    """Set the status line of an unfinished job, without an audit row.

    Returns:
        the job with its line, or None if the line is the same, the job has ended, or has changed since `job`.
    """
    values = {"id": job.id, "version": job.version, "detail": encode(detail), "now": utc_now()}
    return get(con, job.id) if con.execute(NOTE, values).fetchone() else None


SPANS = """
SELECT idx, start_s, end_s, samples_sha256, result, worker, engine_s, reused FROM spans
WHERE job_id = $id ORDER BY idx
"""


def spans_of(con: DuckDBPyConnection, job_id: str) -> list[SpanRow]:
    """Return the job's spans in order; empty before it is cut."""
    fields = ("index", "start_s", "end_s", "samples_sha256", "result", "worker", "engine_s", "reused")
    rows = con.execute(SPANS, {"id": job_id}).fetchall()
    return [SpanRow(job_id=job_id, **dict(zip(fields, row, strict=True))) for row in rows]


EXPORTS = "SELECT format, name FROM exports WHERE job_id = $id ORDER BY format"


def exports_of(con: DuckDBPyConnection, job_id: str) -> dict[str, str]:
    """Return the storage names of the job's exports by format."""
    return dict(con.execute(EXPORTS, {"id": job_id}).fetchall())
