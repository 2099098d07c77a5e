"""Make jobs and transcripts again in an empty ledger, from what lies on storage."""

import dataclasses
import json
import logging
from dataclasses import dataclass
from typing import Any

from duckdb import DuckDBPyConnection

from storage import audit, jobs, names, notes, quotas, transcripts, users, versions
from storage.clock import utc_now
from storage.errors import BadRequest, NotStored
from storage.files import Files
from storage.ledger import Ledger
from storage.manifests import Manifest
from storage.records import ExportFormat, Job, JobState, Transcript, Version, from_json, to_json

logger = logging.getLogger(__name__)
ACTOR = "system:rebuild"

INSERT = """
INSERT INTO jobs (id, owner_id, name, media_sha256, media_bytes, state, lane, options, attempt, version, duration_s,
    speech_s, done_s, detail, error, error_code, model, fingerprint, language, given_up, created_at, updated_at,
    started_at, finished_at, deleted_at)
VALUES ($id, $owner_id, $name, $media_sha256, $media_bytes, $state, $lane, $options, $attempt, $version, $duration_s,
    $speech_s, $done_s, $detail, $error, $error_code, $model, $fingerprint, $language, $given_up, $created_at, $now,
    $started_at, $finished_at, $deleted_at)
"""
RESTORED = "SELECT id FROM jobs WHERE id IN (SELECT subject FROM audit WHERE action = 'job.rebuild')"
ADD_EXPORT = "INSERT INTO exports (job_id, format, name) VALUES ($id, $format, $name)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What came back; `skipped` names descriptions that could not be read."""

    jobs: int
    transcripts: int
    users: int
    skipped: tuple[str, ...]


def rebuild(ledger: Ledger, files: Files) -> Rebuilt:
    """Restore every job that storage describes: finished ones as they were, the others queued again.

    Owners come back by name, without a password; sessions, keys and the audit log do not come back. Asked again
    after it was broken off, it goes on with the jobs that are still missing.

    Raises:
        BadRequest: the ledger has jobs of its own already.
        StorageUnreachable: not all could be read; what was restored stays.
    """
    with ledger.read() as con:
        there = {row[0] for row in con.execute(RESTORED).fetchall()}
        if sum(jobs.counts(con).values()) > len(there):
            raise BadRequest("ledger", f"{ledger.path} has jobs in it; move it away and rebuild into a new one")
    skipped: list[str] = []
    count = heard = owners = 0
    for name in files.list("jobs"):
        try:
            manifest = from_json(Manifest, files.read(name))
            if manifest.job.id in there:
                continue
            found = _found(files, manifest)
        except (ValueError, NotStored):
            logger.warning("%s describes no job; it is left out", name)
            skipped.append(name)
            continue
        owners += ledger.run(_restore, found)
        count += 1
        heard += found.transcript is not None
    ledger.run(quotas.recount)
    told = {"jobs": count, "transcripts": heard, "users": owners, "skipped": len(skipped)}
    ledger.run(audit.record, actor=ACTOR, action="ledger.rebuild", subject=files.url, detail=told)
    return Rebuilt(jobs=count, transcripts=heard, users=owners, skipped=tuple(skipped))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    manifest: Manifest
    transcript: Transcript | None
    exports: dict[str, str]


def _found(files: Files, manifest: Manifest) -> _Found:
    """Look for the transcript even where the description is older than it."""
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
    return _Found(manifest=dataclasses.replace(manifest, transcript=stored_as), transcript=transcript, exports=exports)


def _later(files: Files, manifest: Manifest, transcript: Transcript) -> tuple[Manifest, Transcript]:
    """Take in edits that were saved after the description was written."""
    job_id = manifest.job.id
    if not manifest.versions:
        stored_as = names.transcript_name(job_id)
        first = Version(number=1, stored_as=stored_as, made_by=versions.ENGINE, made_at=utc_now())
        manifest = dataclasses.replace(manifest, versions=(first,))
    while files.exists(name := names.version_name(job_id, transcript.version + 1)):
        transcript = from_json(Transcript, files.read(name))
        newer = Version(number=transcript.version, stored_as=name, made_by=ACTOR, made_at=utc_now())
        manifest = dataclasses.replace(manifest, transcript=name, exports={}, versions=(newer, *manifest.versions))
    return manifest, transcript


def _restore(con: DuckDBPyConnection, found: _Found) -> bool:
    manifest, transcript = found.manifest, found.transcript
    owner = users.by_name(con, manifest.owner_name)
    new_owner = owner is None
    if owner is None:
        owner = users.restore(
            con,
            user_id=manifest.job.owner_id,
            name=manifest.owner_name,
            role=manifest.owner_role,
            actor=ACTOR,
        )
    job = dataclasses.replace(_as_restored(manifest.job, transcript), owner_id=owner.id)
    con.execute(INSERT, _values(job))
    if transcript:
        transcripts.keep(con, job.id, transcript, stored_as=str(manifest.transcript))
        for version in reversed(manifest.versions):
            versions.add(con, job.id, version)
        for fmt, name in sorted(found.exports.items()):
            con.execute(ADD_EXPORT, {"id": job.id, "format": fmt, "name": name})
    for note in manifest.notes:
        notes.put(con, job.id, note)
    audit.record(con, actor=ACTOR, action="job.rebuild", subject=job.id, detail={"state": job.state})
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
        job, state=JobState.QUEUED, attempt=job.attempt + 1, done_s=0.0, finished_at=None, detail="restored"
    )


def _values(job: Job) -> dict[str, Any]:
    values = {field.name: getattr(job, field.name) for field in dataclasses.fields(Job)}
    for left_out in ("flow_run_id", "updated_at", "read_s", "parts"):
        del values[left_out]
    options, given_up = to_json(job.options).decode(), json.dumps(list(job.given_up))
    return values | {"options": options, "given_up": given_up, "now": utc_now()}
