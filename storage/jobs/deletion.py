"""Deleting a job: out of sight at once, restorable for a while, then gone with all that only it used."""

from datetime import datetime

from duckdb import DuckDBPyConnection

from storage import audit, job_rows, names
from storage.clock import utc_now
from storage.errors import JobMoved
from storage.records import Job

DELETE_PARTS = (
    "DELETE FROM spans WHERE job_id = $id",
    "DELETE FROM segments WHERE job_id = $id",
    "DELETE FROM transcripts WHERE job_id = $id",
    "DELETE FROM exports WHERE job_id = $id",
    "DELETE FROM versions WHERE job_id = $id",
    "DELETE FROM notes WHERE job_id = $id",
    "DELETE FROM shares WHERE job_id = $id",
    "DELETE FROM job_keys WHERE job_id = $id",
    "DELETE FROM answers WHERE job_id = $id",
    "DELETE FROM jobs WHERE id = $id",
)


MARK = """
UPDATE jobs SET deleted_at = $deleted_at, version = version + 1, updated_at = $now, manifest_state = NULL WHERE id = $id
"""
FREE_KEYS = "DELETE FROM job_keys WHERE job_id = $id"


def delete(con: DuckDBPyConnection, job_id: str, *, actor: str) -> Job:
    """Put a finished job out of sight; it can be restored until it is purged. One that is deleted stays so.

    Its idempotency keys are free again, so that sending the recording once more makes a new job.

    Raises:
        JobMoved: it is not finished; cancel it first.
    """
    job = job_rows.get(con, job_id)
    if job.deleted_at:
        return job
    if not job.state.finished:
        raise JobMoved(job_id, job.state, "deleted")
    now = utc_now()
    con.execute(FREE_KEYS, {"id": job_id})
    con.execute(MARK, {"id": job_id, "deleted_at": now, "now": now})
    audit.record(con, actor=actor, action="job.delete", subject=job_id, detail={"name": job.name, "state": job.state})
    return job_rows.get(con, job_id)


def restore(con: DuckDBPyConnection, job_id: str, *, actor: str) -> Job:
    """Bring a deleted job back; one that is not deleted stays as it is.

    Raises:
        NotFound: it has been purged.
    """
    job = job_rows.get(con, job_id)
    if job.deleted_at is None:
        return job
    con.execute(MARK, {"id": job_id, "deleted_at": None, "now": utc_now()})
    audit.record(con, actor=actor, action="job.restore", subject=job_id, detail={"name": job.name})
    return job_rows.get(con, job_id)


OVERDUE = "SELECT id FROM jobs WHERE deleted_at < $before ORDER BY deleted_at LIMIT $limit"


def overdue(con: DuckDBPyConnection, before: datetime, *, limit: int = 1000) -> list[str]:
    """Return the ids of jobs that were deleted before this instant, the oldest first."""
    return [row[0] for row in con.execute(OVERDUE, {"before": before, "limit": limit}).fetchall()]


def purge(con: DuckDBPyConnection, job_id: str, *, actor: str) -> tuple[str, ...]:
    """Forget a finished job for good, and return the names on storage that may go now, in the order to delete them.

    What another job uses, because it has the same bytes or holds the same samples, stays. Delete the names
    after the commit (`storage.intake.throw_out` does both).

    Raises:
        JobMoved: it is not finished; cancel it first.
    """
    job = job_rows.get(con, job_id)
    if not job.state.finished:
        raise JobMoved(job_id, job.state, "purged")
    free = _own_names(con, job) + _unshared_names(con, job)
    for statement in DELETE_PARTS:
        con.execute(statement, {"id": job_id})
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
        stored.append(names.version_name(job.id, versions[-1][1] + 1))  # an edit that was cut off
    folder = names.exports_folder(job.id)  # with what was made later on, and by an attempt that was cut off
    exports = [row[0] for row in con.execute(EXPORTED_AS, {"id": job.id}).fetchall() if not row[0].startswith(folder)]
    own = [names.job_manifest_name(job.id), *stored, names.transcript_name(job.id), *exports, folder]
    own.append(names.partial_folder(job.id))
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
