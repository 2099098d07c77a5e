"""Save edits of a transcript: a new version on storage, then in the ledger."""

import dataclasses
from collections.abc import Callable

from duckdb import DuckDBPyConnection

from storage.accounts import webhook_deliveries
from storage.domain import names
from storage.domain.clock import utc_now
from storage.domain.errors import AlreadyStored, NotFound, TranscriptMoved
from storage.domain.job_actions import JobAction
from storage.domain.records import AlignedText, Transcript, Version, from_json, to_json
from storage.files.file_store import Files
from storage.files.keyed_locks import KeyedLocks
from storage.jobs import job_rows, manifests
from storage.ledger import audit
from storage.ledger.database import Ledger
from storage.transcripts import transcript_store, versions
from storage.transcripts.edits import Draft, Piece, edited

FINDER = "system:rebuild"
Also = Callable[[DuckDBPyConnection, Version], None]
_locks = KeyedLocks()


def edit(ledger: Ledger, files: Files, job_id: str, draft: Draft, *, actor: str) -> Version:
    """Save an edit as the new current version; an edit without changes adds none.

    Raises:
        TranscriptMoved: the draft is based on an outdated version; nothing is written.
        BadRequest: the draft is invalid; nothing is written.
        JobMoved: the job is not completed, or is deleted.
        NotFound: there is no such job.
    """
    with _locks.of(job_id):
        with ledger.read() as con:
            _may_change(con, job_id, draft.base)
            whole = transcript_store.get(con, job_id)
        if whole is None:
            raise NotFound("transcript of job", job_id)
        after, changed = edited(whole, draft)
        if (after.segments, after.pinned_cues) == (whole.segments, whole.pinned_cues):
            with ledger.read() as con:
                return versions.current(con, job_id)
        return _save(ledger, files, after, changed=changed, note=draft.note, actor=actor, action="transcript.edit")


def restore(
    ledger: Ledger, files: Files, job_id: str, number: int, *, base: int, actor: str, also: Also | None = None
) -> Version:
    """Make an earlier version current again, as a new version; see `edit`.

    `also` belongs to the same transaction.

    Raises:
        NotFound: there is no such job or version.
        NotStored: its file is gone.
        TranscriptMoved: `base` is not the current version.
    """
    with _locks.of(job_id):
        with ledger.read() as con:
            _may_change(con, job_id, base)
            wanted = versions.one_of(con, job_id, number)
        before = dataclasses.replace(versions.read(files, wanted), version=base + 1)
        note = f"Version {number} restored"
        action = "transcript.restore"
        return _save(ledger, files, before, changed=0, note=note, actor=actor, action=action, also=also)


def adopt(
    ledger: Ledger, files: Files, proposed: Transcript, *, base: int, note: str, actor: str, also: Also | None = None
) -> Version:
    """Save a campaign's transcript as the new current version; see `edit` and `restore`.

    Raises:
        TranscriptMoved: `base` is not the current version any more; nothing is written.
    """
    with _locks.of(proposed.job_id):
        with ledger.read() as con:
            _may_change(con, proposed.job_id, base)
        after = dataclasses.replace(proposed, version=base + 1)
        action = "transcript.adopt"
        changed = len(after.segments)
        return _save(ledger, files, after, changed=changed, note=note, actor=actor, action=action, also=also)


def align(
    ledger: Ledger, files: Files, job_id: str, found: AlignedText, *, base: int, note: str, actor: str
) -> Version:
    """Save a corrected text with its times as the new current version; see `edit`."""
    with _locks.of(job_id):
        with ledger.read() as con:
            _may_change(con, job_id, base)
            whole = transcript_store.get(con, job_id)
        if whole is None:
            raise NotFound("transcript of job", job_id)
        checked = tuple(
            Piece(start_s=one.start_s, end_s=one.end_s, text=one.text, speaker=one.speaker, words=one.words)
            for one in found.segments
        )
        after, changed = edited(whole, Draft(base=base, segments=checked))
        after = dataclasses.replace(after, findings=found.findings)
        return _save(ledger, files, after, changed=changed, note=note, actor=actor, action="transcript.align")


def _save(
    ledger: Ledger,
    files: Files,
    after: Transcript,
    *,
    changed: int,
    note: str,
    actor: str,
    action: str,
    also: Also | None = None,
) -> Version:
    version = Version(
        number=after.version,
        stored_as=names.version_name(after.job_id, after.version),
        made_by=actor,
        made_at=utc_now(),
        note=" ".join(note.split())[:200],
        changed=changed,
    )
    try:
        files.create(version.stored_as, to_json(after))
    except AlreadyStored as error:
        bring_in_newer(ledger, files, after.job_id)
        with ledger.read() as con:
            now = versions.current(con, after.job_id)
        raise TranscriptMoved(after.job_id, version.number - 1, now.number) from error
    ledger.run(_keep, after, version, action=action, also=also)
    manifests.keep_if_possible(ledger, files, after.job_id)
    return version


def bring_in_newer(ledger: Ledger, files: Files, job_id: str) -> int:
    """Add versions that are on storage and not in the ledger, and return their number.

    The ledger was restored from a backup, or the process died between the two.

    Raises:
        JobMoved: the job is not completed, or is deleted.
        NotFound: there is no such job, or it has no transcript.
    """
    with ledger.read() as con:
        first = versions.current(con, job_id).number + 1
    number = first
    while files.exists(name := names.version_name(job_id, number)):
        after = dataclasses.replace(from_json(Transcript, files.read(name)), version=number)
        version = Version(number=number, stored_as=name, made_by=FINDER, made_at=utc_now(), note="Found on storage")
        ledger.run(_keep, after, version, action="transcript.recover")
        number += 1
    if number > first:
        manifests.keep_if_possible(ledger, files, job_id)
    return number - first


TOUCH = """
UPDATE jobs SET version = version + 1, updated_at = $now, manifest_state = NULL, model = $model,
    fingerprint = $fingerprint, language = $language, language_probability = $language_probability
WHERE id = $id
"""
FORGET_EXPORTS = "DELETE FROM exports WHERE job_id = $id"  # they were made from the previous version


def _keep(
    con: DuckDBPyConnection, after: Transcript, version: Version, *, action: str, also: Also | None = None
) -> None:
    job_id = after.job_id
    _may_change(con, job_id, version.number - 1)
    before = versions.begin(con, job_id)
    versions.add(con, job_id, version)
    transcript_store.keep(con, job_id, after, stored_as=version.stored_as)
    con.execute(FORGET_EXPORTS, {"id": job_id})
    heard = {name: getattr(after, name) for name in ("model", "fingerprint", "language", "language_probability")}
    con.execute(TOUCH, {"id": job_id, "now": utc_now()} | heard)
    if also:
        also(con, version)
    detail = {"from": before.number, "to": version.number, "changed": version.changed, "note": version.note}
    audit.record(con, actor=version.made_by, action=action, subject=job_id, detail=detail)
    if version.made_by != FINDER:
        webhook_deliveries.want_changed(con, job_rows.get(con, job_id), version=version.number)


def _may_change(con: DuckDBPyConnection, job_id: str, base: int) -> None:
    JobAction.EDIT.require(job_rows.get(con, job_id))
    number = versions.current(con, job_id).number
    if number != base:
        raise TranscriptMoved(job_id, base, number)
