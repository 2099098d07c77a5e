"""Manifests: a description of each job on storage, for rebuilding the ledger."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from duckdb import DuckDBPyConnection

from storage.accounts import users
from storage.accounts.quotas import AllowedOwner
from storage.domain.errors import NotFound, TranscriberError
from storage.domain.names import job_manifest_name
from storage.domain.records import Job, Note, Role, StoredSummary, User, Version, to_json
from storage.jobs import job_store
from storage.jobs.annotations import notes, summaries
from storage.jobs.job_rows import NOT_DESCRIBED
from storage.transcripts import versions

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
EXISTS = "SELECT count(*) FROM jobs WHERE id = $id"
BEHIND = """
SELECT id FROM jobs
WHERE manifest_state IS NULL OR manifest_state = $not_described
    OR manifest_state <> state AND (state IN ('completed', 'failed', 'cancelled')
        OR manifest_state IN ('completed', 'failed', 'cancelled'))
ORDER BY id LIMIT $limit
"""
PARTS = """
SELECT 'transcript', stored_as, NULL FROM transcripts WHERE job_id = $id
UNION ALL SELECT 'export', format, name FROM exports WHERE job_id = $id
UNION ALL SELECT 'version', NULL, NULL FROM versions WHERE job_id = $id
UNION ALL SELECT 'note', NULL, NULL FROM notes WHERE job_id = $id
UNION ALL SELECT 'summary', NULL, NULL FROM summaries WHERE job_id = $id
"""
"""What there is besides the job; most have no more than a transcript and its exports."""


def of(con: DuckDBPyConnection, job_id: str) -> Manifest:
    """Describe the job as it is now.

    Raises:
        NotFound: there is no such job.
    """
    job, owner = job_store.get(con, job_id), None
    try:
        owner = users.get(con, job.owner_id)
    except NotFound:
        logger.warning("job %s has an owner that is gone", job_id)
    rows = con.execute(PARTS, {"id": job_id}).fetchall()
    kinds = {kind for kind, _, _ in rows}
    return Manifest(
        job=job,
        owner_name=owner.name if owner else "unknown",
        owner_role=owner.role if owner else Role.MEMBER,
        transcript=next((name for kind, name, _ in rows if kind == "transcript"), None),
        exports=dict(sorted((fmt, name) for kind, fmt, name in rows if kind == "export")),
        versions=tuple(versions.list_of(con, job_id)) if kinds & {"transcript", "version"} else (),
        notes=tuple(notes.all_of(con, job_id)) if "note" in kinds else (),
        summaries=tuple(summaries.list_of(con, job_id)) if "summary" in kinds else (),
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
    with _left_to_catch_up(job_id):
        keep(ledger, files, job_id)


def describe_new(ledger: "Ledger", files: "Files", job: Job, owner: AllowedOwner | None = None) -> None:
    """Write the manifest of a job that was just accepted, which has nothing else yet.

    The ledger hears of it together with others, at the next `catch_up`: a commit for each would take as long as
    accepting the job. If the process dies before, the manifest is written again.
    """
    with _left_to_catch_up(job.id):
        found = owner or _owner_of(ledger, job)
        manifest = Manifest(job=job, owner_name=found.name, owner_role=found.role, transcript=None, exports={})
        _write_and_note(ledger, files, manifest)


def _owner_of(ledger: "Ledger", job: Job) -> User:
    with ledger.read() as con:
        return users.get(con, job.owner_id)


def describe_ended(ledger: "Ledger", files: "Files", job_id: str) -> None:
    """Write the manifest of a job that has just ended; see `describe_new`."""
    with _left_to_catch_up(job_id):
        with ledger.read() as con:
            manifest = of(con, job_id)
        _write_and_note(ledger, files, manifest)


def catch_up(ledger: "Ledger", files: "Files", *, limit: int = 100) -> int:
    """Write manifests that a crash or outage left out; return their number.

    It is called every few seconds, and records what was written since.
    """
    for job_id in _record_written(ledger):
        files.delete(job_manifest_name(job_id))
    with ledger.read() as con:
        rows = con.execute(BEHIND, {"limit": limit, "not_described": NOT_DESCRIBED}).fetchall()
    for (job_id,) in rows:
        keep_if_possible(ledger, files, job_id)
    return len(rows)


@contextmanager
def _left_to_catch_up(job_id: str) -> Iterator[None]:
    try:
        yield
    except NotFound:
        return
    except TranscriberError as error:
        logger.warning("the description of job %s is not on storage yet: %s", job_id, error)


def _mark(con: DuckDBPyConnection, job: Job) -> bool:
    """Mark the manifest as current, unless the job has changed; return whether it exists."""
    con.execute(KEPT, {"id": job.id, "state": job.state, "version": job.version})
    return bool(con.execute(EXISTS, {"id": job.id}).fetchall()[0][0])


_written: "WeakKeyDictionary[Ledger, dict[str, Job]]" = WeakKeyDictionary()
"""Jobs as their manifests have them, by id, of which the ledger has not heard."""
_written_lock = Lock()
WRITTEN = """
UPDATE jobs SET manifest_state = CASE WHEN jobs.version = written.version
    OR jobs.manifest_state = $not_described AND written.state NOT IN ('completed', 'failed', 'cancelled')
    THEN written.state END
FROM (SELECT unnest($ids::VARCHAR[]) AS id, unnest($states::VARCHAR[]) AS state, unnest($versions::INTEGER[]) AS version
) AS written
WHERE jobs.id = written.id
"""
"""A job that goes on has the same manifest; one that was changed and described meanwhile is described again."""
THERE = "SELECT id FROM jobs WHERE list_contains($ids::VARCHAR[], id)"


def _write_and_note(ledger: "Ledger", files: "Files", manifest: Manifest) -> None:
    files.write(job_manifest_name(manifest.job.id), to_json(manifest))
    with _written_lock:
        _written.setdefault(ledger, {})[manifest.job.id] = manifest.job


def _record_written(ledger: "Ledger") -> list[str]:
    """Mark the manifests that were written since.

    Returns the ids of jobs that were purged meanwhile.
    """
    with _written_lock:
        jobs = list(_written.pop(ledger, {}).values())
    return ledger.run(_mark_all, jobs) if jobs else []


def _mark_all(con: DuckDBPyConnection, jobs: Sequence[Job]) -> list[str]:
    ids = [job.id for job in jobs]
    told = {"states": [job.state.value for job in jobs], "versions": [job.version for job in jobs]}
    con.execute(WRITTEN, {"ids": ids, "not_described": NOT_DESCRIBED, **told})
    there = {row[0] for row in con.execute(THERE, {"ids": ids}).fetchall()}
    return [job_id for job_id in ids if job_id not in there]
