"""Deleting jobs: hidden at once, restorable for a while, then purged with their files."""

from datetime import datetime

from duckdb import DuckDBPyConnection

from storage.domain import names
from storage.domain.clock import utc_now
from storage.domain.errors import JobMoved
from storage.domain.job_actions import JobAction
from storage.domain.records import Job, Lane
from storage.jobs import job_rows, legal_holds
from storage.ledger import audit

DELETE_PARTS = (
    "DELETE FROM spans WHERE job_id = $id",
    "DELETE FROM segments WHERE job_id = $id",
    "DELETE FROM transcripts WHERE job_id = $id",
    "DELETE FROM exports WHERE job_id = $id",
    "DELETE FROM versions WHERE job_id = $id",
    "DELETE FROM notes WHERE job_id = $id",
    "DELETE FROM summaries WHERE job_id = $id",
    "DELETE FROM shares WHERE job_id = $id",
    "DELETE FROM collaborators WHERE job_id = $id",
    "DELETE FROM alignments WHERE job_id = $id",
    "DELETE FROM answers WHERE job_id = $id",
    "DELETE FROM jobs_by_key WHERE job_id = $id",
    "DELETE FROM dropped_parts WHERE job_id = $id",
    "DELETE FROM jobs WHERE id = $id",
)


MARK = """
UPDATE jobs SET deleted_at = $deleted_at, version = version + 1, updated_at = $now, manifest_state = NULL WHERE id = $id
"""
FORGET_KEYS = "DELETE FROM job_keys WHERE job_id = $id"


def delete(con: DuckDBPyConnection, job_id: str, *, actor: str) -> Job:
    """Hide a finished job; it can be restored until it is purged. Idempotent.

    Its idempotency keys are free then: uploading the recording again creates a new job. `known_recordings` still finds
    them, so that batches can skip it.

    Raises:
        JobMoved: it is not finished; cancel it first.
        JobHeld: a legal hold covers it.
    """
    job = job_rows.get(con, job_id)
    if job.deleted_at:
        return job
    JobAction.DELETE.require(job)
    legal_holds.require_free(con, job_id)
    now = utc_now()
    con.execute(MARK, {"id": job_id, "deleted_at": now, "now": now})
    audit.record(con, actor=actor, action="job.delete", subject=job_id, detail={"name": job.name, "state": job.state})
    return job_rows.get(con, job_id)


def restore(con: DuckDBPyConnection, job_id: str, *, actor: str) -> Job:
    """Restore a deleted job; a job that is not deleted is not changed.

    Raises:
        NotFound: it has been purged.
    """
    job = job_rows.get(con, job_id)
    if job.deleted_at is None:
        return job
    con.execute(MARK, {"id": job_id, "deleted_at": None, "now": utc_now()})
    audit.record(con, actor=actor, action="job.restore", subject=job_id, detail={"name": job.name})
    return job_rows.get(con, job_id)


OVERDUE = """
SELECT id FROM jobs WHERE deleted_at < $before AND id NOT IN (SELECT id FROM held_jobs)
ORDER BY deleted_at LIMIT $limit
"""


def overdue(con: DuckDBPyConnection, before: datetime, *, limit: int = 1000) -> list[str]:
    """Return the ids of jobs that were deleted before this time, oldest first.

    What a legal hold covers stays.
    """
    return [row[0] for row in con.execute(OVERDUE, {"before": before, "limit": limit}).fetchall()]


def purge(con: DuckDBPyConnection, job_id: str, *, actor: str) -> tuple[str, ...]:
    """Purge a finished job; return the storage names to delete, in order.

    Objects that another job uses, because it has the same bytes or samples, are kept. Delete the names after the commit
    (`storage.jobs.intake.throw_out` does both).

    Raises:
        JobMoved: it is not finished; cancel it first.
        JobHeld: a legal hold covers it.
    """
    job = job_rows.get(con, job_id)
    legal_holds.require_free(con, job_id)
    if job.state not in JobAction.PURGE.spec.states:  # a deleted account also purges jobs that are not deleted yet
        raise JobMoved(job_id, job.state, JobAction.PURGE.spec.done)
    free = _own_names(con, job) + _unshared_names(con, job)
    for statement in DELETE_PARTS:
        con.execute(statement, {"id": job_id})
    if job.lane is not Lane.BATCH:  # the keys of batches stay, so that the next one does not bring the recording back
        con.execute(FORGET_KEYS, {"id": job_id})
    audit.record(con, actor=actor, action="job.purge", subject=job_id, detail={"name": job.name, "state": job.state})
    return free


EXPORTED_AS = "SELECT name FROM exports WHERE job_id = $id ORDER BY format"
STORED_AS = """
SELECT stored_as, 1 AS number FROM transcripts WHERE job_id = $id
UNION ALL SELECT stored_as, number FROM versions WHERE job_id = $id ORDER BY number
"""


def _own_names(con: DuckDBPyConnection, job: Job) -> tuple[str, ...]:
    versions = con.execute(STORED_AS, {"id": job.id}).fetchall()
    stored = [row[0] for row in versions]
    if versions:
        stored.append(names.version_name(job.id, versions[-1][1] + 1))  # of an edit that was interrupted
    folder = names.exports_folder(job.id)  # includes later exports, and those of an interrupted attempt
    exports = [row[0] for row in con.execute(EXPORTED_AS, {"id": job.id}).fetchall() if not row[0].startswith(folder)]
    own = [names.job_manifest_name(job.id), *stored, names.transcript_name(job.id), *exports, folder]
    own += [names.later_transcript_name(job.id, attempt) for attempt in range(1, job.attempt + 1)]
    own += [names.partial_folder(job.id), names.summaries_folder(job.id), names.alignments_folder(job.id)]
    own.append(names.proposals_folder(job.id))
    return tuple(dict.fromkeys(own))


SAME_MEDIA = "SELECT count(*) FROM jobs WHERE media_sha256 = $sha AND id <> $id"
LONELY_SAMPLES = """
SELECT DISTINCT samples_sha256 FROM spans WHERE job_id = $id
EXCEPT SELECT samples_sha256 FROM spans WHERE job_id <> $id
ORDER BY ALL
"""


def _unshared_names(con: DuckDBPyConnection, job: Job) -> tuple[str, ...]:
    if con.execute(SAME_MEDIA, {"sha": job.media_sha256, "id": job.id}).fetchall()[0][0]:
        return ()
    free = [names.peaks_folder(job.media_sha256)]
    free += [names.plans_folder(job.media_sha256)]  # first: a plan without its spans would mislead the next upload
    for (sha,) in con.execute(LONELY_SAMPLES, {"id": job.id}).fetchall():
        free += [names.span_name(sha), names.results_folder(sha)]
    return (*free, names.media_name(job.media_sha256))
