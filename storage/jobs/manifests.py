"""Manifests: a description of each job on storage, for rebuilding the ledger."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from duckdb import DuckDBPyConnection

from storage.accounts import users
from storage.domain.errors import NotFound, TranscriberError
from storage.domain.names import job_manifest_name
from storage.domain.records import Job, Note, Role, StoredSummary, Version, to_json
from storage.jobs import job_rows, job_store
from storage.jobs.annotations import notes, summaries
from storage.transcripts import transcript_store, versions

if TYPE_CHECKING:
    from storage.files.file_store import Files
    from storage.ledger.database import Ledger

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The content of `jobs/<id>.json`."""

    schema_version: int = 1
    job: Job
    owner_name: str
    owner_role: Role
    transcript: str | None
    exports: dict[str, str]
    versions: tuple[Version, ...] = ()
    notes: tuple[Note, ...] = ()
    summaries: tuple[StoredSummary, ...] = ()


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
    job = job_store.get(con, job_id)
    owner_name, owner_role = "unknown", Role.MEMBER
    try:
        owner = users.get(con, job.owner_id)
        owner_name, owner_role = owner.name, owner.role
    except NotFound:
        logger.warning("job %s has an owner that is gone", job_id)
    return Manifest(
        job=job,
        owner_name=owner_name,
        owner_role=owner_role,
        transcript=transcript_store.stored_as(con, job_id),
        exports=job_store.exports_of(con, job_id),
        versions=tuple(versions.list_of(con, job_id)),
        notes=tuple(notes.all_of(con, job_id)),
        summaries=tuple(summaries.list_of(con, job_id)),
    )


def keep(ledger: "Ledger", files: "Files", job_id: str) -> None:
    """Write the job's manifest to storage; call it after the commit that changed the job.

    A job that was deleted meanwhile leaves none behind.
    """
    with ledger.read() as con:
        manifest = of(con, job_id)
    files.write(job_manifest_name(job_id), to_json(manifest))
    if not ledger.run(_mark, manifest.job):
        files.delete(job_manifest_name(job_id))


def keep_if_possible(ledger: "Ledger", files: "Files", job_id: str) -> None:
    """Call `keep`, and leave it to `catch_up` if storage does not answer."""
    try:
        keep(ledger, files, job_id)
    except NotFound:
        return
    except TranscriberError as error:
        logger.warning("the description of job %s is not on storage yet: %s", job_id, error)


def catch_up(ledger: "Ledger", files: "Files", *, limit: int = 100) -> int:
    """Write manifests that a crash or outage left out; return their number.

    It is called every few seconds.
    """
    with ledger.read() as con:
        con.execute(BEHIND, {"limit": limit})
        behind = [job.id for job in job_rows.found(con)]
    for job_id in behind:
        keep_if_possible(ledger, files, job_id)
    return len(behind)


def _mark(con: DuckDBPyConnection, job: Job) -> bool:
    """Mark the manifest as current, unless the job has changed; return whether it exists."""
    con.execute(KEPT, {"id": job.id, "state": job.state, "version": job.version})
    try:
        job_store.get(con, job.id)
    except NotFound:
        return False
    return True
