"""A description of each job beside its files, so that the ledger can be made again from storage."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from duckdb import DuckDBPyConnection

from storage import job_rows, jobs, notes, users, versions
from storage.errors import NotFound, TranscriberError
from storage.names import job_manifest_name
from storage.records import Job, Note, Role, Version, to_json

if TYPE_CHECKING:
    from storage.files import Files
    from storage.ledger import Ledger

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What `jobs/<id>.json` holds."""

    schema_version: int = 1
    job: Job
    owner_name: str
    owner_role: Role
    transcript: str | None
    exports: dict[str, str]
    versions: tuple[Version, ...] = ()
    notes: tuple[Note, ...] = ()


STORED_AS = "SELECT stored_as FROM transcripts WHERE job_id = $id"
KEPT = """
UPDATE jobs SET manifest_state = $state WHERE id = $id AND state = $state
    AND (version = $version OR state NOT IN ('completed', 'failed', 'cancelled'))
"""
BEHIND = """
SELECT * FROM job_rows WHERE id IN (
    SELECT id FROM jobs
    WHERE manifest_state IS NULL
       OR manifest_state <> state AND (state IN ('completed', 'failed', 'cancelled')
            OR manifest_state IN ('completed', 'failed', 'cancelled')))
ORDER BY id LIMIT $limit
"""


def of(con: DuckDBPyConnection, job_id: str) -> Manifest:
    """Describe the job as it is now.

    Raises:
        NotFound: there is no such job.
    """
    job = jobs.get(con, job_id)
    owner_name, owner_role = "unknown", Role.MEMBER
    try:
        owner = users.get(con, job.owner_id)
        owner_name, owner_role = owner.name, owner.role
    except NotFound:
        logger.warning("job %s has an owner that is gone", job_id)
    row = con.execute(STORED_AS, {"id": job_id}).fetchone()
    return Manifest(
        job=job,
        owner_name=owner_name,
        owner_role=owner_role,
        transcript=row[0] if row else None,
        exports=jobs.exports_of(con, job_id),
        versions=tuple(versions.list_of(con, job_id)),
        notes=tuple(notes.list_of(con, job_id)),
    )


def keep(ledger: "Ledger", files: "Files", job_id: str) -> None:
    """Write the job's description to storage; belongs after the commit that changed the job.

    A job deleted meanwhile leaves none behind.
    """
    with ledger.read() as con:
        manifest = of(con, job_id)
    files.write(job_manifest_name(job_id), to_json(manifest))
    if not ledger.run(_mark, manifest.job):
        files.delete(job_manifest_name(job_id))


def keep_if_possible(ledger: "Ledger", files: "Files", job_id: str) -> None:
    """Do what `keep` does, and leave it to `catch_up` where storage does not answer."""
    try:
        keep(ledger, files, job_id)
    except NotFound:
        return
    except TranscriberError as error:
        logger.warning("the description of job %s is not on storage yet: %s", job_id, error)


def catch_up(ledger: "Ledger", files: "Files", *, limit: int = 100) -> int:
    """Write the descriptions that a crash or an outage left out; return how many. Called every few seconds."""
    with ledger.read() as con:
        con.execute(BEHIND, {"limit": limit})
        behind = [job.id for job in job_rows.found(con)]
    for job_id in behind:
        keep_if_possible(ledger, files, job_id)
    return len(behind)


def _mark(con: DuckDBPyConnection, job: Job) -> bool:
    """Note that the description says how the job is, unless it has changed once more; tell whether it is there."""
    con.execute(KEPT, {"id": job.id, "state": job.state, "version": job.version})
    try:
        jobs.get(con, job.id)
    except NotFound:
        return False
    return True
