"""Create a job from a recording, however it arrived: check, store, queue, notify."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from dashboards.runtime import context, db, notify
from dashboards.services import job_access
from storage.accounts import quotas
from storage.domain.clock import utc_now
from storage.domain.errors import HoursUsedUp, KeyHoursUsedUp, NotAllowed, SpaceUsedUp
from storage.domain.recording_names import clean_name
from storage.domain.records import Job, Lane, Options, User
from storage.files.local_folder import sync_ahead
from storage.jobs import intake, repeated_calls
from storage.jobs.repeated_calls import Repeats
from storage.media import probe
from storage.remote import tracing


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecording:
    """A recording to transcribe, its owner and options.

    A repeated `key` creates one job; with another `asked_sha256`, if both have one, it is refused. With `repeats`
    the key stands for the call itself, and means a recent job only. The recording counts as use of the API key
    `api_key_id`. `duration_s` is the length in its header, if that was read. A new job gets `job_id`, if that is given.
    """

    owner_id: str
    name: str
    options: Options
    lane: Lane
    actor: str
    key: str | None = None
    asked_sha256: str | None = None
    repeats: Repeats | None = None
    api_key_id: str | None = None
    duration_s: float | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    job_id: str | None = None


async def admit(
    user: User,
    *,
    more_bytes: int = 0,
    key: str | None = None,
    repeats: Repeats | None = None,
    api_key_id: str | None = None,
) -> None:
    """Refuse a request before reading its bytes, if it would be refused anyway.

    A repeated request whose key already has a job is admitted, and gets that job. Without a key, but with `repeats`,
    only the bytes tell whether it is one.

    Raises:
        NotAllowed: the user is read-only.
        SpaceUsedUp, HoursUsedUp, KeyHoursUsedUp: a quota does not allow one more recording.
    """
    job_access.require_writer(user, "transcribing")
    await db.read(_check_quota, user.id, more_bytes, key, repeats, api_key_id)


def _check_quota(  # noqa: PLR0917 - as `db.read` passes them
    con: DuckDBPyConnection,
    owner_id: str,
    more_bytes: int,
    key: str | None,
    repeats: Repeats | None,
    api_key_id: str | None,
) -> None:
    if key is not None and repeated_calls.has_key(con, owner_id, key, repeats):
        return
    try:
        quotas.check(con, owner_id, more_bytes=more_bytes, api_key_id=api_key_id)
    except (SpaceUsedUp, HoursUsedUp, KeyHoursUsedUp):
        if key is not None or repeats is None or not repeated_calls.may_have_job(con, owner_id, repeats):
            raise


async def check(path: Path, name: str, options: Options) -> float | None:
    """Probe the file in a child process, so that hostile media cannot crash this one.

    Returns the length in its header in seconds, if there is one.

    Raises:
        AudioUnreadable, NoAudioTrack, NoSuchTrack, EmptyUpload, RecordingTooLong, BadRequest: it is not acceptable.
        DecoderKilled, OpeningTooSlow: not now; nothing is known about the file.
    """
    hours = context.settings().web.max_hours
    info = await db.in_thread(probe.check, path, clean_name(name), max_hours=hours, options=options)
    return None if info.duration_is_guessed else info.duration_s


async def accept_file(new: NewRecording, path: Path, *, sha256: str, size_bytes: int) -> Job:
    """Check a local file, store it and create its job; raises like `check` and `accept_checked`.

    While a child process probes the file, it is written to the disk, and a known job and the quota are looked up, which
    go before what is wrong with the file. Nothing is left behind that still reads the file.
    """
    with _accepting():
        probing = asyncio.gather(
            check(path, new.name, new.options), db.in_thread(sync_ahead, path), return_exceptions=True
        )
        try:
            job = await db.read(_known_or_allowed, new, sha256, size_bytes)
        finally:
            duration_s, _ = await probing
        if job is not None:
            return job
        if isinstance(duration_s, BaseException):
            raise duration_s
        new = replace(new, duration_s=duration_s)
        return await accept_checked(new, path, sha256=sha256, size_bytes=size_bytes)


@contextmanager
def _accepting() -> Iterator[None]:
    """Let the dispatcher know that a recording is being accepted; on the event loop."""
    holder = context.current()
    holder.accepting += 1
    try:
        yield
    finally:
        holder.accepting -= 1


def _known_or_allowed(con: DuckDBPyConnection, new: NewRecording, sha256: str, size_bytes: int) -> Job | None:
    """Return the job that there is for a recording; None if the quotas allow one.

    Raises:
        KeyReused, SpaceUsedUp, HoursUsedUp, KeyHoursUsedUp: there may be none.
    """
    asked = (sha256, new.asked_sha256)
    if new.key and (job := repeated_calls.keyed(con, new.owner_id, new.key, *asked, repeats=new.repeats)):
        return job
    quotas.check(con, new.owner_id, more_bytes=size_bytes, api_key_id=new.api_key_id)
    return None


async def accept_checked(new: NewRecording, path: Path, *, sha256: str, size_bytes: int) -> Job:
    """Move a checked local file into storage, and create its job.

    If the file is gone already, a killed process stored it before it could create the job.

    Raises:
        StorageFull, StorageUnreachable: not now; the file stays where it is.
        NotStored: neither the file nor the stored bytes are there.
        KeyReused: the idempotency key was used for other bytes or options.
        SpaceUsedUp, HoursUsedUp: the owner's quota does not allow it.
    """
    return await db.in_thread(_take_in, new, path, sha256, size_bytes)


def _take_in(new: NewRecording, path: Path, sha256: str, size_bytes: int) -> Job:
    if not path.exists():
        return _accept_stored(new, sha256, size_bytes)
    return intake.take_in(context.ledger(), context.files(), path, sha256=sha256, **_told(new))


async def accept_stored(new: NewRecording, *, sha256: str, size_bytes: int, in_hand: bool = False) -> Job:
    """Create the job of a stored recording; with `in_hand` the caller transcribes it.

    Raises:
        NotStored: the bytes are missing.
        KeyReused, SpaceUsedUp, HoursUsedUp: see `accept_checked`.
    """
    return await db.in_thread(_accept_stored, new, sha256, size_bytes, in_hand=in_hand)


def _accept_stored(new: NewRecording, sha256: str, size_bytes: int, *, in_hand: bool = False) -> Job:
    told = _told(new) | {"sha256": sha256, "size_bytes": size_bytes, "in_hand": in_hand}
    return intake.take_stored(context.ledger(), context.files(), **told)


def transcribe_track(user: User, job_id: str, track: int) -> Job:
    """Transcribe another audio track of a recording as a job of its own; blocks.

    Raises:
        NotAllowed: the user is read-only, or the recording is a colleague's.
        NotFound: there is no such recording.
        NotStored, SpaceUsedUp, HoursUsedUp: see `accept_stored`.
    """
    job_access.require_writer(user, "transcribing")
    job = db.look(job_access.visible, user, job_id)
    if not job_access.may_reuse(user, job):
        raise NotAllowed("transcribing", job_access.OWNERS)
    new = NewRecording(
        owner_id=user.id,
        name=job.name,
        options=replace(job.options, audio_track=track),
        lane=job.lane,
        actor=user.actor,
        tags=job.tags,
        metadata=job.metadata,
    )
    return _accept_stored(new, job.media_sha256, job.media_bytes)


def _announce(since: datetime, job: Job) -> None:
    """Tell traces, pages and the dispatcher of a new job."""
    tracing.accepted(job, since=since)
    notify.announce(job)


def _told(new: NewRecording) -> dict[str, Any]:
    told = {"owner_id": new.owner_id, "name": clean_name(new.name), "options": new.options, "lane": new.lane}
    told |= {"actor": new.actor, "idempotency_key": new.key, "asked_sha256": new.asked_sha256}
    told |= {"duration_s": new.duration_s, "tags": new.tags, "metadata": new.metadata}
    told |= {"repeats": new.repeats, "api_key_id": new.api_key_id, "job_id": new.job_id}
    return told | {"on_accepted": partial(_announce, utc_now())}
