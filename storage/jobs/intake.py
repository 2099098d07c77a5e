"""Storage and ledger together: accepting recordings, and purging jobs with their files."""

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from storage.accounts import quotas
from storage.domain import names
from storage.domain.clock import new_id
from storage.domain.errors import NotFound, NotStored
from storage.domain.records import Job, Lane, Options
from storage.files.file_store import Files
from storage.files.keyed_locks import KeyedLocks
from storage.jobs import deletion, job_store, kept_parts, manifests, progress, repeated_calls
from storage.jobs.annotations.metadata import NO_METADATA
from storage.jobs.job_rows import JobUpdate
from storage.jobs.kept_parts import KeptPart
from storage.jobs.repeated_calls import Repeats
from storage.ledger.database import Ledger

logger = logging.getLogger(__name__)

_media_locks, _key_locks = KeyedLocks(), KeyedLocks()


def take_in(
    ledger: Ledger,
    files: Files,
    path: Path,
    *,
    sha256: str,
    owner_id: str,
    name: str,
    options: Options,
    lane: Lane,
    actor: str,
    idempotency_key: str | None = None,
    asked_sha256: str | None = None,
    repeats: Repeats | None = None,
    api_key_id: str | None = None,
    duration_s: float | None = None,
    tags: tuple[str, ...] = (),
    metadata: Mapping[str, str] = NO_METADATA,
    job_id: str | None = None,
    move: bool = True,
    in_hand: bool = False,
    on_accepted: Callable[[Job], None] = lambda _: None,
) -> Job:
    """Store a local file under its SHA-256 and queue it; see `job_store.accept`.

    With `in_hand` the caller transcribes it: the job starts at once, so that no worker gets it. `on_accepted` receives
    the job once it is in the ledger, while its manifest is written.

    Raises:
        StorageFull, StorageUnreachable: nothing was queued; with `move` the local file is still there.
        KeyReused: the idempotency key was used for other bytes or options; nothing was stored.
        SpaceUsedUp, HoursUsedUp, KeyHoursUsedUp: a quota does not allow it; nothing was stored.
    """
    media, size_bytes, job_id = names.media_name(sha256), path.stat().st_size, job_id or new_id()
    with _lock_of_key(owner_id, idempotency_key), _media_locks.of(sha256):
        owner = None
        with ledger.read() as con:
            asked = (sha256, asked_sha256)
            if not idempotency_key or not repeated_calls.keyed(con, owner_id, idempotency_key, *asked, repeats=repeats):
                owner = quotas.check(con, owner_id, more_bytes=size_bytes, api_key_id=api_key_id)
        if not files.exists(media):
            files.put(media, path, move=move)
        elif move:
            path.unlink()
        job = ledger.run(
            accept_in_hand if in_hand else job_store.accept,
            owner_id=owner_id,
            name=name,
            media_sha256=sha256,
            media_bytes=size_bytes,
            options=options,
            lane=lane,
            actor=actor,
            idempotency_key=idempotency_key,
            asked_sha256=asked_sha256,
            repeats=repeats,
            api_key_id=api_key_id,
            duration_s=duration_s,
            tags=tags,
            metadata=metadata,
            job_id=job_id,
        )
    on_accepted(job)
    if job.id == job_id:
        manifests.describe_new(ledger, files, job, owner)
    return job


def take_stored(
    ledger: Ledger,
    files: Files,
    *,
    sha256: str,
    size_bytes: int,
    job_id: str | None = None,
    in_hand: bool = False,
    on_accepted: Callable[[Job], None] = lambda _: None,
    **told: Any,
) -> Job:
    """Queue a recording whose bytes are stored; a lock keeps them from `throw_out` meanwhile.

    `on_accepted` is that of `take_in`.

    Raises:
        NotStored: they are not there.
        KeyReused, SpaceUsedUp, HoursUsedUp, KeyHoursUsedUp: see `take_in`.
    """
    media, job_id = names.media_name(sha256), job_id or new_id()
    with _media_locks.of(sha256):
        if not files.exists(media):
            raise NotStored(media)
        accept: Callable[..., Job] = accept_in_hand if in_hand else job_store.accept
        job = ledger.run(accept, media_sha256=sha256, media_bytes=size_bytes, job_id=job_id, **told)
    on_accepted(job)
    if job.id == job_id:
        manifests.describe_new(ledger, files, job)
    return job


def accept_in_hand(con: DuckDBPyConnection, *, actor: str, **asked: Any) -> Job:
    """Accept and start a job that the caller works on, in one transaction."""
    change = JobUpdate(con, job_store.accept(con, actor=actor, **asked), actor=actor)
    progress.started(change, flow_run_id=None)
    return change.store()


def delete(ledger: Ledger, files: Files, job_id: str, *, actor: str) -> Job:
    """Delete a finished job and update its manifest; see `jobs.delete`."""
    job = ledger.run(job_store.delete, job_id, actor=actor)
    manifests.keep_if_possible(ledger, files, job_id)
    return job


def restore(ledger: Ledger, files: Files, job_id: str, *, actor: str) -> Job:
    """Restore a deleted job and update its manifest; see `jobs.restore`."""
    job = ledger.run(job_store.restore, job_id, actor=actor)
    manifests.keep_if_possible(ledger, files, job_id)
    return job


def purge_deleted(ledger: Ledger, files: Files, *, before: datetime, actor: str = "system:upkeep") -> int:
    """Purge the jobs that were deleted before this time; return their number."""
    with ledger.read() as con:
        overdue = deletion.overdue(con, before)
    for job_id in overdue:
        throw_out(ledger, files, job_id, actor=actor)
    return len(overdue)


def drop_partials(ledger: Ledger, files: Files) -> int:
    """Delete the texts so far of all finished or deleted jobs; return their number."""
    with ledger.read() as con:
        there = {name.split("/")[2] for name in files.list("partial")}
        over = [job_id for job_id in there if _is_over(con, job_id)]
    for job_id in over:
        files.delete(names.partial_folder(job_id))
    return len(over)


def _is_over(con: DuckDBPyConnection, job_id: str) -> bool:
    try:
        return job_store.get(con, job_id).state.finished
    except NotFound:
        return True


def throw_out(ledger: Ledger, files: Files, job_id: str, *, actor: str) -> None:
    """Purge a finished job and its files; a lock keeps `take_in` from losing shared bytes.

    Raises:
        JobMoved: it is not finished; cancel it first.
        StorageUnreachable: the job is gone, some of its files are not; they only cost space.
    """
    with ledger.read() as con:
        sha256 = job_store.get(con, job_id).media_sha256
    with _media_locks.of(sha256):
        for name in ledger.run(job_store.purge, job_id, actor=actor):
            files.delete(name)


def drop_part(ledger: Ledger, files: Files, job_id: str, part: KeptPart, *, actor: str) -> None:
    """Delete a part of a finished job; what jobs of equal bytes keep stays.

    Raises:
        JobMoved, JobHeld: it is not finished, or a legal hold covers it.
        StorageUnreachable: some of the files are left; they only cost space.
    """
    with ledger.read() as con:
        sha256 = job_store.get(con, job_id).media_sha256
    with _media_locks.of(sha256):
        for name in ledger.run(kept_parts.drop, job_id, part, actor=actor):
            files.delete(name)


def _lock_of_key(owner_id: str, key: str | None) -> AbstractContextManager[object]:
    """Return a lock per idempotency key, so that a second recording stores nothing."""
    return _key_locks.of((owner_id, key)) if key else nullcontext()
