"""Bring jobs and transcripts from storage into an empty or older ledger."""

import dataclasses
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

from duckdb import DuckDBPyConnection

from storage.accounts import quotas, users
from storage.domain import names
from storage.domain.clock import utc_now
from storage.domain.errors import JobMoved, NotFound, NotStored, StorageUnreachable
from storage.domain.job_messages import Restored, encode
from storage.domain.records import ExportFormat, Job, JobState, Transcript, Version, from_json, to_json
from storage.domain.tags import SEPARATOR
from storage.files.file_store import Files
from storage.jobs import save_edit
from storage.jobs.annotations import notes, summaries
from storage.jobs.annotations.metadata import to_column
from storage.jobs.job_rows import NOT_DESCRIBED
from storage.jobs.manifests import Manifest
from storage.ledger import audit
from storage.ledger.database import Ledger
from storage.transcripts import transcript_files, transcript_store, versions

logger = logging.getLogger(__name__)
ACTOR = "system:rebuild"
JOBS_TOGETHER, SEGMENTS_TOGETHER = 20, 2000

INSERT = """
INSERT INTO jobs (id, owner_id, name, media_sha256, media_bytes, state, lane, options, attempt, version, duration_s,
    speech_s, done_s, detail, error, error_code, model, fingerprint, language, given_up, created_at, updated_at,
    started_at, finished_at, deleted_at, media_start_s, tags, held, metadata, apart)
VALUES ($id, $owner_id, $name, $media_sha256, $media_bytes, $state, $lane, $options, $attempt, $version, $duration_s,
    $speech_s, $done_s, $detail, $error, $error_code, $model, $fingerprint, $language, $given_up, $created_at, $now,
    $started_at, $finished_at, $deleted_at, $media_start_s, $tags, $held, $metadata, $apart)
"""
VERSIONS = "SELECT id, version, coalesce(manifest_state <> $not_described, FALSE) FROM jobs"
NUMBERS = "SELECT job_id, max(number) FROM versions GROUP BY job_id"
PURGED = "SELECT subject FROM audit WHERE action = 'job.purge'"
PURGED_SINCE = "SELECT 1 FROM audit WHERE action = 'job.purge' AND subject = $id AND seq > $since LIMIT 1"
THERE = "SELECT 1 FROM jobs WHERE id = $id"
FORGET = (
    "DELETE FROM transcripts WHERE job_id = $id",
    "DELETE FROM segments WHERE job_id = $id",
    "DELETE FROM spans WHERE job_id = $id",
    "DELETE FROM exports WHERE job_id = $id",
    "DELETE FROM versions WHERE job_id = $id",
    "DELETE FROM notes WHERE job_id = $id",
    "DELETE FROM summaries WHERE job_id = $id",
    "DELETE FROM jobs WHERE id = $id",
)
ADD_EXPORT = "INSERT INTO exports (job_id, format, name) VALUES ($id, $format, $name)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What was brought in; `skipped` names unreadable manifests.

    `updated` counts jobs that the ledger had in an older state, or with fewer versions; `missing` those that storage no
    longer describes, because they were deleted permanently after the ledger's backup, or because it is another storage.
    """

    jobs: int
    transcripts: int
    users: int
    skipped: tuple[str, ...]
    updated: int = 0
    missing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What the ledger has: versions of jobs, which are described on storage, which were purged."""

    versions: dict[str, int]
    described: frozenset[str]
    purged: frozenset[str]
    audit_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _StoredJob:
    """A job as storage describes it."""

    manifest: Manifest
    transcript: Transcript | None
    exports: dict[str, str]


def rebuild(ledger: Ledger, files: Files) -> Rebuilt:
    """Bring in every job of which storage knows more than the ledger.

    Finished jobs come back as they were, others queued; jobs that were deleted permanently stay away. Owners are
    restored by name, without a password; sessions, keys and the audit log are not. After an interruption, the next call
    continues.

    Raises:
        StorageUnreachable: not all could be read; what was restored stays.
    """
    with ledger.read() as con:
        known = _known(con)
    skipped: list[str] = []
    described: set[str] = set()
    new = updated = heard = owners = 0
    for some in _together(_newer(files, known, described, skipped)):
        for found, made_owner in zip(some, ledger.run(_restore_some, some, since=known.audit_rows), strict=True):
            if made_owner is None:  # deleted meanwhile
                continue
            owners += made_owner
            new += found.manifest.job.id not in known.versions
            updated += found.manifest.job.id in known.versions
            heard += found.transcript is not None
    updated += _bring_in_versions(ledger, files)
    ledger.run(quotas.recount)
    missing = len(known.described - described)
    told = {"jobs": new, "updated": updated, "transcripts": heard, "users": owners, "skipped": len(skipped)}
    ledger.run(
        audit.record, actor=ACTOR, action="ledger.rebuild", subject=files.url, detail=told | {"missing": missing}
    )
    return Rebuilt(jobs=new, updated=updated, transcripts=heard, users=owners, skipped=tuple(skipped), missing=missing)


def _newer(files: Files, known: _Known, described: set[str], skipped: list[str]) -> Iterator[_StoredJob]:
    """Yield the jobs of which storage knows more.

    All that are described are noted, and so is what describes no job.
    """
    for name in files.list("jobs"):
        try:
            described.add(PurePosixPath(name).stem)
            manifest = from_json(Manifest, files.read(name))
            job_id = manifest.job.id
            if job_id in known.purged or manifest.job.version <= known.versions.get(job_id, -1):
                continue
            yield _found(files, manifest)
        except (ValueError, NotStored):
            logger.warning("%s describes no job; it is left out", name)
            skipped.append(name)


def _together(jobs: Iterable[_StoredJob]) -> Iterator[list[_StoredJob]]:
    """Yield the jobs that one transaction brings in: several short ones, or one long one.

    What was read before storage went away is brought in, too.
    """
    some: list[_StoredJob] = []
    segments = 0
    try:
        for found in jobs:
            some.append(found)
            segments += len(found.transcript.segments) if found.transcript else 0
            if len(some) >= JOBS_TOGETHER or segments >= SEGMENTS_TOGETHER:
                yield some
                some, segments = [], 0
    except StorageUnreachable:
        yield some
        raise
    yield some


def restore_one(
    ledger: Ledger, files: Files, job_id: str, *, actor: str, action: str, detail: Mapping[str, Any]
) -> bool:
    """Bring in one described job, and return whether it is there.

    It is not if it was purged meanwhile.

    Raises:
        NotStored: storage does not describe it.
    """
    with ledger.read() as con:
        since = audit.head(con)[0]
    found = _found(files, from_json(Manifest, files.read(names.job_manifest_name(job_id))))
    restored = ledger.run(_restore, found, since=since, actor=actor, action=action, detail=detail)
    return restored is not None


def _known(con: DuckDBPyConnection) -> _Known:
    rows = con.execute(VERSIONS, {"not_described": NOT_DESCRIBED}).fetchall()
    return _Known(
        versions={job_id: version for job_id, version, _ in rows},
        described=frozenset(job_id for job_id, _, is_described in rows if is_described),
        purged=frozenset(row[0] for row in con.execute(PURGED).fetchall()),
        audit_rows=audit.head(con)[0],
    )


def _bring_in_versions(ledger: Ledger, files: Files) -> int:
    """Bring in edits that no manifest has, and return the number of their jobs."""
    with ledger.read() as con:
        known = dict(con.execute(NUMBERS).fetchall())
    count = 0
    for job_id, newest in transcript_files.newest_numbers(files).items():
        if newest <= known.get(job_id, 1):
            continue
        try:
            count += save_edit.bring_in_newer(ledger, files, job_id) > 0
        except (JobMoved, NotFound, NotStored, ValueError) as error:
            logger.warning("newer versions of the transcript of job %s stay on storage: %s", job_id, error)
    return count


def _found(files: Files, manifest: Manifest) -> _StoredJob:
    """Look for the transcript even if the manifest is older than it."""
    job_id = manifest.job.id
    stored_as = manifest.transcript or names.transcript_name(job_id)
    cancelled = manifest.job.state is JobState.CANCELLED
    try:
        transcript = None if cancelled else from_json(Transcript, files.read(stored_as))
    except (NotStored, ValueError):
        transcript = None
    if transcript:
        manifest, transcript = _later(files, manifest, transcript)
        stored_as = manifest.transcript or stored_as
    exports = manifest.exports
    if transcript and not exports:
        cues = transcript.options.cues
        there = {str(fmt): names.export_name(job_id, stored_as, fmt, cues) for fmt in ExportFormat}
        exports = {fmt: name for fmt, name in there.items() if files.exists(name)}
    return _StoredJob(
        manifest=dataclasses.replace(manifest, transcript=stored_as), transcript=transcript, exports=exports
    )


def _later(files: Files, manifest: Manifest, transcript: Transcript) -> tuple[Manifest, Transcript]:
    """Apply edits that were saved after the manifest was written."""
    job_id = manifest.job.id
    if not manifest.versions:
        first = Version(
            number=1,
            stored_as=manifest.transcript or names.transcript_name(job_id),
            made_by=versions.ENGINE,
            made_at=utc_now(),
        )
        manifest = dataclasses.replace(manifest, versions=(first,))
    while files.exists(name := names.version_name(job_id, transcript.version + 1)):
        transcript = from_json(Transcript, files.read(name))
        newer = Version(number=transcript.version, stored_as=name, made_by=ACTOR, made_at=utc_now())
        manifest = dataclasses.replace(manifest, transcript=name, exports={}, versions=(newer, *manifest.versions))
    return manifest, transcript


def _restore_some(con: DuckDBPyConnection, some: Sequence[_StoredJob], *, since: int) -> list[bool | None]:
    """Restore these jobs; return for each whether its owner is new, see `_restore`."""
    return [_restore(con, found, since=since) for found in some]


def _restore(
    con: DuckDBPyConnection,
    found: _StoredJob,
    *,
    since: int,
    actor: str = ACTOR,
    action: str = "job.rebuild",
    detail: Mapping[str, Any] = MappingProxyType({}),
) -> bool | None:
    """Put the job's rows in place of older ones.

    Return whether its owner is new, or None if the job was purged meanwhile.
    """
    manifest, transcript = found.manifest, found.transcript
    if con.execute(PURGED_SINCE, {"id": manifest.job.id, "since": since}).fetchall():
        return None
    owner = users.by_name(con, manifest.owner_name)
    new_owner = owner is None
    if owner is None:
        owner = users.restore(
            con,
            user_id=manifest.job.owner_id,
            name=manifest.owner_name,
            role=manifest.owner_role,
            actor=actor,
        )
    job = dataclasses.replace(_as_restored(manifest.job, transcript), owner_id=owner.id)
    if con.execute(THERE, {"id": job.id}).fetchone():
        for statement in FORGET:
            con.execute(statement, {"id": job.id})
    con.execute(INSERT, _values(job))
    if transcript:
        transcript_store.keep(con, job.id, transcript, stored_as=str(manifest.transcript))
        for version in reversed(manifest.versions):
            versions.add(con, job.id, version)
        for fmt, name in sorted(found.exports.items()):
            con.execute(ADD_EXPORT, {"id": job.id, "format": fmt, "name": name})
    for note in manifest.notes:
        notes.put(con, job.id, note)
    for summary in manifest.summaries:
        summaries.put(con, job.id, summary)
    audit.record(con, actor=actor, action=action, subject=job.id, detail={"state": job.state, **detail})
    return new_owner


def _as_restored(job: Job, transcript: Transcript | None) -> Job:
    if transcript:
        return dataclasses.replace(
            job,
            state=JobState.COMPLETED,
            duration_s=transcript.duration_s,
            speech_s=transcript.speech_s,
            done_s=transcript.speech_s,
            language=transcript.language,
            model=transcript.model,
            fingerprint=transcript.fingerprint,
            given_up=transcript.given_up,
            detail="",
            error=None,
            error_code=None,
            finished_at=job.finished_at or utc_now(),
        )
    if job.state in {JobState.FAILED, JobState.CANCELLED}:
        return job
    return dataclasses.replace(
        job, state=JobState.QUEUED, attempt=job.attempt + 1, done_s=0.0, finished_at=None, detail=encode(Restored())
    )


def _values(job: Job) -> dict[str, Any]:
    values = {field.name: getattr(job, field.name) for field in dataclasses.fields(Job)}
    for left_out in ("flow_run_id", "updated_at", "read_s", "parts"):
        del values[left_out]
    options, given_up = to_json(job.options).decode(), json.dumps(list(job.given_up))
    told = {"options": options, "given_up": given_up, "tags": SEPARATOR.join(job.tags), "now": utc_now()}
    return values | told | {"metadata": to_column(job.metadata)}
