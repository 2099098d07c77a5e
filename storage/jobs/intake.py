"""Bytes and ledger together: taking a recording in, and throwing a job out with all that is only its own."""

import logging
import threading
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from storage import deletion, jobs, manifests, names, progress, quotas
from storage.errors import NotFound, TranscriberError
from storage.files import Files
from storage.ledger import Ledger
from storage.records import Job, Lane, Options

logger = logging.getLogger(__name__)

_LOCKS = tuple(threading.Lock() for _ in range(64))
_KEY_LOCKS = tuple(threading.Lock() for _ in range(64))


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
    move: bool = True,
    in_hand: bool = False,
) -> Job:
    """Store a local file under its SHA-256 and queue it; what is stored already is not sent again.

    With `in_hand` the caller transcribes it: it is begun at once, so that nobody else is given it.

    Raises:
        StorageFull, StorageUnreachable: nothing was queued; with `move` the local file is still there.
        BadRequest: the idempotency key was used for other bytes; nothing was stored.
        SpaceUsedUp, HoursUsedUp: the owner's quota does not allow it; nothing was stored.
    """
    media, size_bytes = names.media_name(sha256), path.stat().st_size
    with _lock_of_key(owner_id, idempotency_key), _lock_of(sha256):
        with ledger.read() as con:
            if not idempotency_key or not jobs.keyed(con, owner_id, idempotency_key, sha256):
                quotas.check(con, owner_id, more_bytes=size_bytes)
        if not files.exists(media):
            files.put(media, path, move=move)
        elif move:
            path.unlink()
        job = ledger.run(
            accept_in_hand if in_hand else jobs.accept,
            owner_id=owner_id,
            name=name,
            media_sha256=sha256,
            media_bytes=size_bytes,
            options=options,
            lane=lane,
            actor=actor,
            idempotency_key=idempotency_key,
        )
    manifests.keep_if_possible(ledger, files, job.id)
    return job


def accept_in_hand(con: DuckDBPyConnection, *, actor: str, **asked: Any) -> Job:
    """Accept a job that the caller itself works on, and begin it, in one transaction; see `jobs.accept`."""
    job = jobs.accept(con, actor=actor, **asked)
    progress.started(con, job, flow_run_id=None, actor=actor)
    return jobs.get(con, job.id)


def delete(ledger: Ledger, files: Files, job_id: str, *, actor: str) -> Job:
    """Put a finished job out of sight, and say so on storage; see `jobs.delete`."""
    job = ledger.run(jobs.delete, job_id, actor=actor)
    manifests.keep_if_possible(ledger, files, job_id)
    return job


def restore(ledger: Ledger, files: Files, job_id: str, *, actor: str) -> Job:
    """Bring a deleted job back, and say so on storage; see `jobs.restore`."""
    job = ledger.run(jobs.restore, job_id, actor=actor)
    manifests.keep_if_possible(ledger, files, job_id)
    return job


def purge_deleted(ledger: Ledger, files: Files, *, before: datetime, actor: str = "system:upkeep") -> int:
    """Throw out the jobs that were deleted before this instant; return how many."""
    with ledger.read() as con:
        overdue = deletion.overdue(con, before)
    for job_id in overdue:
        throw_out(ledger, files, job_id, actor=actor)
    return len(overdue)


def drop_partial(files: Files, job_id: str, attempt: int | None = None) -> None:
    """Delete the text so far of a job, or attempt, that has ended; `drop_partials` does it where storage is away."""
    try:
        files.delete(names.partial_folder(job_id, attempt))
    except TranscriberError as error:
        logger.info("the text so far of job %s is left on storage: %s", job_id, error)


def drop_partials(ledger: Ledger, files: Files) -> int:
    """Delete the texts so far of all jobs that have ended, or are gone; return of how many."""
    with ledger.read() as con:
        there = {name.split("/")[2] for name in files.list("partial")}
        over = [job_id for job_id in there if _is_over(con, job_id)]
    for job_id in over:
        files.delete(names.partial_folder(job_id))
    return len(over)


def _is_over(con: DuckDBPyConnection, job_id: str) -> bool:
    try:
        return jobs.get(con, job_id).state.finished
    except NotFound:
        return True


def throw_out(ledger: Ledger, files: Files, job_id: str, *, actor: str) -> None:
    """Purge a finished job and what only it used. The lock keeps `take_in` of the same bytes from losing them.

    Raises:
        JobMoved: it is not finished; cancel it first.
        StorageUnreachable: the job is gone, some of its files are not; they cost space and nothing else.
    """
    with ledger.read() as con:
        sha256 = jobs.get(con, job_id).media_sha256
    with _lock_of(sha256):
        for name in ledger.run(jobs.purge, job_id, actor=actor):
            files.delete(name)


def _lock_of(sha256: str) -> threading.Lock:
    return _LOCKS[int(sha256[:8], 16) % len(_LOCKS)]


def _lock_of_key(owner_id: str, key: str | None) -> AbstractContextManager[object]:
    """Return what makes two recordings with one key come one after the other, so that the second stores nothing."""
    return _KEY_LOCKS[hash((owner_id, key)) % len(_KEY_LOCKS)] if key else nullcontext()
