"""Sets the tags of recordings, and lists those that an owner uses."""

from collections.abc import Iterable

from duckdb import DuckDBPyConnection

from storage.domain.clock import utc_now
from storage.domain.job_actions import JobAction
from storage.domain.records import Job
from storage.domain.tags import SEPARATOR, clean_tags
from storage.jobs import job_rows
from storage.ledger import audit

SET = """
UPDATE jobs SET tags = $tags, version = version + 1, updated_at = $now, manifest_state = NULL WHERE id = $id
"""
USED = """
SELECT tag FROM (
    SELECT unnest(string_split(tags, ',')) AS tag FROM jobs
    WHERE tags <> '' AND deleted_at IS NULL AND ($owner_id IS NULL OR owner_id = $owner_id))
GROUP BY tag ORDER BY count(*) DESC, tag LIMIT $limit
"""
MOST_USED = 200


def set_tags(con: DuckDBPyConnection, job_id: str, tags: Iterable[str], *, actor: str) -> Job:
    """Replace a recording's tags; the same ones change nothing.

    Raises:
        NotFound: there is no such job.
        JobMoved: it is deleted.
        BadRequest: there are too many, or one is empty or too long.
    """
    job = job_rows.get(con, job_id)
    JobAction.TAG.require(job)
    wanted = clean_tags(tags)
    if wanted == job.tags:
        return job
    con.execute(SET, {"id": job.id, "tags": SEPARATOR.join(wanted), "now": utc_now()})
    detail = {"from": list(job.tags), "to": list(wanted)}
    audit.record(con, actor=actor, action="job.tag", subject=job.id, detail=detail)
    return job_rows.get(con, job.id)


def change_tags(
    con: DuckDBPyConnection, job_id: str, *, add: Iterable[str] = (), remove: Iterable[str] = (), actor: str
) -> Job:
    """Add some tags to a recording, and take others away; raises as `set_tags` does."""
    job = job_rows.get(con, job_id)
    kept = set(job.tags) - set(clean_tags(remove))
    return set_tags(con, job_id, {*kept, *clean_tags(add)}, actor=actor)


def used(con: DuckDBPyConnection, owner_id: str | None = None, *, limit: int = MOST_USED) -> tuple[str, ...]:
    """Return the tags of an owner's recordings, or of all, in order of the alphabet.

    Of very many, they are the commonest.
    """
    rows = con.execute(USED, {"owner_id": owner_id, "limit": limit}).fetchall()
    return tuple(sorted(row[0] for row in rows))
