"""Editing a transcript: a new version is written to storage, then the ledger moves to it, one edit at a time."""

import dataclasses
import threading

from duckdb import DuckDBPyConnection

from storage import audit, job_rows, manifests, names, transcripts, versions
from storage.clock import utc_now
from storage.editing import Draft, edited
from storage.errors import JobMoved, NotFound, TranscriptMoved
from storage.files import Files
from storage.ledger import Ledger
from storage.records import JobState, Transcript, Version, to_json

_LOCKS = tuple(threading.Lock() for _ in range(64))


def edit(ledger: Ledger, files: Files, job_id: str, draft: Draft, *, actor: str) -> Version:
    """Save an edit as a new version, which is the current one from then on; one that changes nothing adds none.

    Raises:
        TranscriptMoved: the draft began at a version that is not the current one; nothing is written.
        BadRequest: the draft makes no sense; nothing is written.
        JobMoved: the job is not completed, or is deleted.
        NotFound: there is no such job.
    """
    with _lock_of(job_id):
        with ledger.read() as con:
            _may_change(con, job_id, draft.base)
            whole = transcripts.get(con, job_id)
        if whole is None:
            raise NotFound("transcript of job", job_id)
        after, changed = edited(whole, draft)
        if after.segments == whole.segments:
            with ledger.read() as con:
                return versions.current(con, job_id)
        return _save(ledger, files, after, changed=changed, note=draft.note, actor=actor, action="transcript.edit")


def restore(ledger: Ledger, files: Files, job_id: str, number: int, *, base: int, actor: str) -> Version:
    """Make an earlier version current again, as a new version; see `edit`.

    Raises:
        NotFound: there is no such job or version.
        NotStored: its file is gone.
        TranscriptMoved: `base` is not the current version.
    """
    with _lock_of(job_id):
        with ledger.read() as con:
            _may_change(con, job_id, base)
            wanted = versions.one_of(con, job_id, number)
        before = dataclasses.replace(versions.read(files, wanted), version=base + 1)
        note = f"Version {number} restored"
        return _save(ledger, files, before, changed=0, note=note, actor=actor, action="transcript.restore")


def _save(
    ledger: Ledger, files: Files, after: Transcript, *, changed: int, note: str, actor: str, action: str
) -> Version:
    version = Version(
        number=after.version,
        stored_as=names.version_name(after.job_id, after.version),
        made_by=actor,
        made_at=utc_now(),
        note=" ".join(note.split())[:200],
        changed=changed,
    )
    files.write(version.stored_as, to_json(after))
    ledger.run(_keep, after, version, action=action)
    manifests.keep_if_possible(ledger, files, after.job_id)
    return version


TOUCH = "UPDATE jobs SET version = version + 1, updated_at = $now, manifest_state = NULL WHERE id = $id"
FORGET_EXPORTS = "DELETE FROM exports WHERE job_id = $id"  # they were made from the version before


def _keep(con: DuckDBPyConnection, after: Transcript, version: Version, *, action: str) -> None:
    job_id = after.job_id
    _may_change(con, job_id, version.number - 1)
    before = versions.begin(con, job_id)
    versions.add(con, job_id, version)
    transcripts.keep(con, job_id, after, stored_as=version.stored_as)
    con.execute(FORGET_EXPORTS, {"id": job_id})
    con.execute(TOUCH, {"id": job_id, "now": utc_now()})
    detail = {"from": before.number, "to": version.number, "changed": version.changed, "note": version.note}
    audit.record(con, actor=version.made_by, action=action, subject=job_id, detail=detail)


def _may_change(con: DuckDBPyConnection, job_id: str, base: int) -> None:
    job = job_rows.get(con, job_id)
    if job.deleted_at or job.state is not JobState.COMPLETED:
        raise JobMoved(job_id, "deleted" if job.deleted_at else job.state, "edited")
    number = versions.current(con, job_id).number
    if number != base:
        raise TranscriptMoved(job_id, base, number)


def _lock_of(job_id: str) -> threading.Lock:
    return _LOCKS[hash(job_id) % len(_LOCKS)]
