"""Take over the recordings and texts of the older application.

Each becomes a described job on storage, which a rebuild then brings into the ledger: a job that is there, or that was
deleted permanently here, is left alone. The older application stores text alone, and the times in its subtitles are
estimated from the number of words; so a text is taken over without times, and its transcript says so.
"""

import dataclasses
import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from uuid import UUID

from duckdb import DuckDBPyConnection

from storage.accounts.credential_rules import checked_name
from storage.domain import names
from storage.domain.errors import AlreadyStored, BadRequest, TranscriberError
from storage.domain.recording_names import clean_name
from storage.domain.records import (
    NOT_TIMED,
    Finding,
    Job,
    JobState,
    Lane,
    Options,
    Role,
    Segment,
    Transcript,
    Version,
    to_json,
)
from storage.domain.tags import clean_tags
from storage.files.file_store import Files
from storage.jobs.manifests import Manifest
from storage.ledger.database import Ledger
from storage.maintenance import rebuild
from storage.maintenance.legacy_database import COMPLETED, LegacyJob, Rejected
from storage.media import probe

ENGINE = "openai-whisper, imported"
MADE_BY = "older application"
EDITED_THERE = "Edited in the older application"
"""The note of a text that a person edited, by which campaigns know that."""
MAX_TEXT_BYTES = 16 << 20
PART_CHARS = 400
SENTENCE = re.compile(r".+?(?:[.?!…]+(?=\s)|[。？！]+|$)\s*", re.DOTALL)
KNOWN = "SELECT id FROM jobs WHERE id IN (SELECT unnest($ids::VARCHAR[]))"
PURGED = "SELECT subject FROM audit WHERE action = 'job.purge' AND subject IN (SELECT unnest($ids::VARCHAR[]))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Which jobs are in the ledger, and which were deleted permanently."""

    here: frozenset[str]
    purged: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A job that can be taken over; nothing is written yet."""

    legacy: LegacyJob
    job_id: str
    owner: str
    media: Path
    text: str | None
    duration_s: float | None
    tags: tuple[str, ...]


def known(con: DuckDBPyConnection, ids: Collection[str]) -> Known:
    """Return which of the jobs the ledger knows."""
    told = {"ids": list(ids)}
    return Known(
        here=frozenset(row[0] for row in con.execute(KNOWN, told).fetchall()),
        purged=frozenset(row[0] for row in con.execute(PURGED, told).fetchall()),
    )


def bring_in(ledger: Ledger, files: Files, jobs: Mapping[str, str], *, actor: str) -> list[str]:
    """Bring described jobs into the ledger, and return the new ones.

    Each has its audit row. `jobs` has each job's id there by its id here.

    Raises:
        NotStored: storage does not describe one of them; those before it are in the ledger.
    """
    with ledger.read() as con:
        there = known(con, jobs)
    return [
        job_id
        for job_id, legacy_id in jobs.items()
        if job_id not in there.here | there.purged
        and rebuild.restore_one(ledger, files, job_id, actor=actor, action="job.import", detail={"origin": legacy_id})
    ]


def job_id_of(legacy: LegacyJob) -> str:
    """Return the job's id here, a UUIDv7 that is the same each time."""
    digest = int.from_bytes(hashlib.sha256(f"{legacy.id}\n{legacy.created_at.isoformat()}".encode()).digest()[:10])
    stamp = int(legacy.created_at.timestamp() * 1000) << 80
    return str(UUID(int=stamp | 0x7 << 76 | (digest >> 62 & 0xFFF) << 64 | 0b10 << 62 | digest & (1 << 62) - 1))


def prepared(legacy: LegacyJob, folder: Path, *, owner: str, max_hours: float, queue: bool) -> Prepared | Rejected:
    """Read and check everything that a job needs; `owner` has those that are nobody's.

    With `queue`, a recording without text is to be transcribed here.
    """
    try:
        name = checked_name(legacy.owner or owner)
        text = _text(legacy, folder)
        if text is None and not queue:
            raise BadRequest("status", f"it has no text there ({legacy.status}); --transcribe queues its recording")
        media = found(folder, "uploads", legacy.saved_filename)
        info = probe.check(media, legacy.original_filename, max_hours=max_hours)
        guess_s = legacy.duration_s or info.duration_s if info.duration_is_guessed else info.duration_s
        length_s = guess_s or legacy.duration_s
        if text is not None and length_s is None:
            raise BadRequest("recording", "neither the file nor the database says how long it is; upload it anew")
        tags = clean_tags(legacy.tags)
    except (TranscriberError, OSError, UnicodeError) as error:
        return Rejected(job=legacy.id, name=legacy.original_filename, reason=str(error))
    return Prepared(
        legacy=legacy,
        job_id=job_id_of(legacy),
        owner=name,
        media=media,
        text=text,
        duration_s=length_s,
        tags=tags,
    )


def found(folder: Path, kind: str, stored: str) -> Path:
    """Return the file that a path of the older application means here.

    Only what follows `uploads` or `transcripts` in the path counts, since the folders may have been elsewhere.

    Raises:
        BadRequest: it leads elsewhere, or there is no such file.
    """
    parts = PurePosixPath(stored.replace("\\", "/")).parts
    if kind not in parts or ".." in parts or "\0" in stored:
        raise BadRequest(kind, f"{stored!r} is not a path in the folder {kind}")
    inside = parts[len(parts) - parts[::-1].index(kind) :]
    root = (folder / kind).resolve()
    path = root.joinpath(*inside).resolve()
    if not path.is_relative_to(root):
        raise BadRequest(kind, f"{stored!r} leads out of {root}")
    if not path.is_file():
        raise BadRequest(kind, f"there is no file {path}")
    return path


def _text(legacy: LegacyJob, folder: Path) -> str | None:
    """Return the text as it was last edited, or None if there is none."""
    if legacy.status != COMPLETED or legacy.transcript_path is None:
        return None
    text = legacy.edited_text
    if text is None:
        path = found(folder, "transcripts", legacy.transcript_path)
        if path.stat().st_size > MAX_TEXT_BYTES:
            raise BadRequest("transcript", f"{path} has over {MAX_TEXT_BYTES >> 20} MiB, which is no transcript")
        text = path.read_text(encoding="utf-8-sig")
    if "\0" in text:
        raise BadRequest("transcript", "its text has zero bytes, so it is not text")
    return text if text.strip() else None


def take_over(files: Files, job: Prepared) -> None:
    """Put recording, text and description of a job on storage.

    What is there stays as it is. The description comes last, so that whatever stops this, the next call completes it.
    """
    with job.media.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    media = names.media_name(sha256)
    if not files.exists(media):
        files.put(media, job.media)
    stored_as = None
    if job.text is not None:
        stored_as = names.transcript_name(job.job_id)
        _create(files, stored_as, to_json(transcript_of(job, sha256)))
    _create(files, names.job_manifest_name(job.job_id), to_json(_manifest(job, sha256, stored_as)))


def _create(files: Files, name: str, data: bytes) -> None:
    try:
        files.create(name, data)
    except AlreadyStored:
        return


def transcript_of(job: Prepared, sha256: str) -> Transcript:
    """Return the text as a transcript: each part may be anywhere in the recording."""
    length_s = job.duration_s or 0.0
    return Transcript(
        job_id=job.job_id,
        media_sha256=sha256,
        name=clean_name(job.legacy.original_filename),
        duration_s=length_s,
        speech_s=0.0,
        language=job.legacy.language or "",
        language_probability=None,
        model=job.legacy.model,
        fingerprint="",
        engine=ENGINE,
        options=_options(job),
        segments=tuple(Segment(start_s=0.0, end_s=length_s, text=text) for text in parts_of(job.text or "")),
        findings=(Finding(kind=NOT_TIMED, start_s=0.0, end_s=length_s, detail=""),),
    )


def parts_of(text: str) -> Iterator[str]:
    """Yield the lines of a text, the long ones in pieces of whole sentences."""
    for line in filter(None, map(str.strip, text.splitlines())):
        piece = ""
        for sentence in SENTENCE.findall(line):
            if piece and len(piece) + len(sentence) > PART_CHARS:
                yield piece.rstrip()
                piece = ""
            piece += sentence
        yield piece.rstrip()


def _options(job: Prepared) -> Options:
    return (
        Options(language=job.legacy.language)
        if job.text is None
        else Options(model=job.legacy.model, word_timestamps=False)
    )


def _manifest(job: Prepared, sha256: str, stored_as: str | None) -> Manifest:
    legacy, done = job.legacy, stored_as is not None
    ended = (legacy.finished_at or legacy.created_at) if done else None
    described = Job(
        id=job.job_id,
        owner_id=_owner_id(job.owner),
        name=clean_name(legacy.original_filename),
        media_sha256=sha256,
        media_bytes=job.media.stat().st_size,
        state=JobState.COMPLETED if done else JobState.QUEUED,
        lane=Lane.BACKFILL,
        options=_options(job),
        attempt=1 if done else 0,
        version=1,
        duration_s=job.duration_s,
        speech_s=None,
        done_s=0.0,
        detail="",
        error=None,
        model=None,
        fingerprint=None,
        language=None,
        given_up=(),
        flow_run_id=None,
        created_at=legacy.created_at,
        updated_at=legacy.created_at,
        started_at=None,
        finished_at=ended,
        tags=job.tags,
    )
    note = EDITED_THERE if legacy.edited_text is not None else ""
    first = []
    if stored_as and ended:
        first = [Version(number=1, stored_as=stored_as, made_by=MADE_BY, made_at=ended, note=note)]
    manifest = Manifest(job=described, owner_name=job.owner, owner_role=Role.MEMBER, transcript=stored_as, exports={})
    return dataclasses.replace(manifest, versions=tuple(first))


def _owner_id(name: str) -> str:
    """Return the id of an account that may have to be made."""
    return str(UUID(bytes=hashlib.sha256(f"owner\n{name}".encode()).digest()[:16], version=5))
