"""What happens to a recording whose last byte has come: hashed, looked into, stored by content, made a job.

Each step can be done twice, and what it found is noted before the next, so that a killed process goes on where it
was: an upload makes one job, whatever happens on the way.
"""

import asyncio
import hashlib
import logging
import unicodedata
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from dashboards import context
from dashboards.shelf import Refusal, Upload
from storage import intake, jobs, manifests, names, probe
from storage.errors import NotStored, TranscriberError
from storage.records import Job, Lane, Options

logger = logging.getLogger(__name__)

HASH_BYTES = 1 << 20
ABANDONED_AFTER_S = 24 * 3600.0
MAX_NAME_CHARS = 200


def clean_name(name: str) -> str:
    """Return what a reader is shown as the recording's name, whatever path or control characters came with it."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    kept = "".join(char for char in last if char.isprintable()).strip(" .")
    return kept[:MAX_NAME_CHARS] or "recording"


def sha256_of(path: Path) -> str:
    """Hash a file in constant memory."""
    with path.open("rb") as file:
        digest, block = hashlib.sha256(), bytearray(HASH_BYTES)
        view = memoryview(block)
        while size := file.readinto(block):
            digest.update(view[:size])
    return digest.hexdigest()


async def check(path: Path, name: str, options: Options) -> probe.MediaInfo:
    """Look into the file, in a child process, so that hostile media cannot take this one down.

    Raises:
        AudioUnreadable, NoAudioTrack, NoSuchTrack, EmptyUpload, RecordingTooLong, BadRequest: it will not do.
    """
    hours = context.settings().web.max_hours
    found: probe.MediaInfo = await context.in_thread(probe.check, path, name, max_hours=hours, options=options)
    return found


async def take_in(
    path: Path,
    *,
    sha256: str,
    size_bytes: int,
    owner_id: str,
    name: str,
    options: Options,
    lane: Lane,
    actor: str,
    key: str | None = None,
) -> Job:
    """Store the bytes under their content name and make the job; the file is gone afterwards.

    A file that is gone already was stored by a process that was killed before it could make the job.

    Raises:
        StorageFull, StorageUnreachable: it could not be stored; the file stays.
        NotStored: neither the file nor the stored bytes are there.
    """
    asked = {"owner_id": owner_id, "name": clean_name(name), "options": options, "lane": lane, "actor": actor}
    job = await context.in_thread(_take_in, path, sha256, size_bytes, key, asked)
    context.announce(job)
    return job


def _take_in(path: Path, sha256: str, size_bytes: int, key: str | None, asked: dict[str, Any]) -> Job:
    ledger, files = context.ledger(), context.files()
    if path.exists():
        return intake.take_in(ledger, files, path, sha256=sha256, idempotency_key=key, **asked)
    return _accept_stored(sha256, size_bytes, key, asked)


async def accept_stored(
    *,
    sha256: str,
    size_bytes: int,
    owner_id: str,
    name: str,
    options: Options,
    lane: Lane,
    actor: str,
    key: str | None = None,
    in_hand: bool = False,
) -> Job:
    """Make the job of a recording whose bytes are on storage; with `in_hand` the caller itself transcribes it.

    Raises:
        NotStored: they are not.
    """
    asked = {"owner_id": owner_id, "name": clean_name(name), "options": options, "lane": lane, "actor": actor}
    job = await context.in_thread(_accept_stored, sha256, size_bytes, key, asked, in_hand)
    context.announce(job)
    return job


def _accept_stored(sha256: str, size_bytes: int, key: str | None, asked: dict[str, Any], in_hand: bool = False) -> Job:
    ledger, files = context.ledger(), context.files()
    if not files.exists(names.media_name(sha256)):
        raise NotStored(names.media_name(sha256))
    how = intake.accept_in_hand if in_hand else jobs.accept
    accept = partial(how, media_sha256=sha256, media_bytes=size_bytes, idempotency_key=key, **asked)
    job: Job = ledger.run(accept)
    manifests.keep_if_possible(ledger, files, job.id)
    return job


async def land(upload: Upload) -> Upload:
    """Make the upload's job, and return the upload with its job's id, or with why it was refused.

    It goes on when the client leaves; whoever asks meanwhile waits for the same.

    Raises:
        StorageFull, StorageUnreachable: not now; the bytes stay, and the same request later goes on from here.
    """
    if upload.settled:
        return upload
    holder = context.current()
    task = holder.landings.get(upload.id)
    if task is None:
        task = holder.landings[upload.id] = holder.background.start(_land(upload), f"land upload {upload.id}")
        task.add_done_callback(lambda _: holder.landings.pop(upload.id, None))
    return await asyncio.shield(task)


async def _land(upload: Upload) -> Upload:
    shelf = context.current().shelf
    upload = await context.in_thread(shelf.load, upload.id)
    if upload.settled:  # by another request, since the caller looked
        return upload
    try:
        return await _make_job(upload)
    except TranscriberError as error:
        if error.transient or error.status >= 500:
            raise
        refusal = Refusal(status=error.status, code=error.code, message=str(error))
        logger.info("upload %s refused: %s", upload.id, error.code)
        refused = await context.in_thread(shelf.save, replace(upload, refusal=refusal))
        shelf.data(upload.id).unlink(missing_ok=True)
        return refused


async def _make_job(upload: Upload) -> Upload:
    shelf = context.current().shelf
    path, name = shelf.data(upload.id), clean_name(upload.name)
    if upload.parts and upload.sha256 is None:
        await context.in_thread(shelf.put_together, upload)
    if upload.sha256 is None:
        await check(path, name, upload.options)
        sha256 = await context.in_thread(sha256_of, path)
        upload = await context.in_thread(shelf.save, replace(upload, sha256=sha256))
    assert upload.sha256 is not None  # noqa: S101
    job = await take_in(
        path,
        sha256=upload.sha256,
        size_bytes=upload.length_bytes,
        owner_id=upload.owner_id,
        name=name,
        options=upload.options,
        lane=upload.lane,
        actor=f"user:{upload.owner_id}",
        key=f"upload:{upload.id}",
    )
    return await context.in_thread(shelf.save, replace(upload, job_id=job.id))


async def resume() -> None:
    """Land what an earlier process received to the last byte, or what storage would not take then."""
    shelf = context.current().shelf
    for upload in await context.in_thread(lambda: list(shelf.all())):
        if upload.partial or upload.settled or not (upload.parts or shelf.whole(upload)):
            continue
        try:
            await land(upload)
        except TranscriberError as error:
            logger.warning("upload %s cannot be made a job yet: %s", upload.id, error)
        except Exception:
            logger.exception("upload %s cannot be made a job", upload.id)


async def sweep() -> int:
    """Forget uploads that nobody has touched for a day; return how many."""
    return await context.in_thread(context.current().shelf.sweep, older_than_s=ABANDONED_AFTER_S)
