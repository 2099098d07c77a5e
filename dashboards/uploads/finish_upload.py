"""Finish a complete upload: hash it, probe it, store it by content, create the job.

Each step can be repeated, and its outcome is recorded before the next, so that a killed process continues where it was:
an upload creates exactly one job.
"""

import asyncio
import contextlib
import hashlib
import logging
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

from dashboards.runtime import context, db
from dashboards.services import accept_recording, added_headers
from dashboards.services.accept_recording import NewRecording
from storage.domain import names
from storage.domain.errors import ChecksumDiffers, DirectUploadsOff, EmptyUpload, StorageUnreachable, TranscriberError
from storage.domain.job_messages import encode, raised
from storage.domain.records import to_json
from storage.files.direct_parts import DirectParts
from storage.files.upload_store import Refusal, Upload, raise_if_no_room
from storage.media.headerless import Headerless, InputFormat

logger = logging.getLogger(__name__)

HASH_BYTES = 1 << 20


def sha256_of(path: Path) -> str:
    """Hash a file in constant memory."""
    with path.open("rb") as file:
        digest, block = hashlib.sha256(), bytearray(HASH_BYTES)
        view = memoryview(block)
        while size := file.readinto(block):
            digest.update(view[:size])
    return digest.hexdigest()


async def land(upload: Upload) -> Upload:
    """Create the upload's job; return the upload with its job's id, or the refusal.

    It continues if the client disconnects; concurrent callers wait for the same result.

    Raises:
        StorageFull, StorageUnreachable, DecoderKilled, OpeningTooSlow: not now; the bytes stay, and the same request
            continues later.
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
    upload = await db.in_thread(shelf.load, upload.id)
    if upload.settled:  # by another request, since the caller read it
        return upload
    try:
        return await _make_job(upload)
    except TranscriberError as error:
        if not _is_final(error):
            raise
        refusal = Refusal(status=error.status, code=error.code, message=encode(raised(error)))
        logger.info("upload %s refused: %s", upload.id, error.code)
        refused = await db.in_thread(shelf.save, replace(upload, refusal=refusal))
        shelf.data(upload.id).unlink(missing_ok=True)
        await _forget_in_bucket(upload)
        return refused


def _is_final(error: TranscriberError) -> bool:
    return not error.transient and error.status < HTTPStatus.INTERNAL_SERVER_ERROR


async def _check_twice(path: Path, upload: Upload) -> float | None:
    """Check the recording; what would be refused, and so deleted, is opened a second time.

    Returns the length in its header in seconds, if there is one.
    """
    try:
        return await accept_recording.check(path, upload.name, upload.options)
    except TranscriberError as error:
        if not _is_final(error):
            raise
        return await accept_recording.check(path, upload.name, upload.options)


def _described(upload: Upload) -> Headerless | None:
    said = upload.input
    if said is None:
        return None
    return Headerless(format=InputFormat(said.format), rate_hz=said.rate_hz, channels=said.channels)


def _name_of(upload: Upload) -> str:
    described = _described(upload)
    return upload.name if described is None else described.name_with_header(upload.name)


def _give_header(path: Path, upload: Upload) -> None:
    """Put its header before a recording that has none.

    A file that is longer than what was sent has it already.

    Raises:
        StorageFull: the disk has no space for both.
    """
    described = _described(upload)
    if described is None or path.stat().st_size != upload.length_bytes:
        return
    if upload.length_bytes < described.block_bytes:
        raise EmptyUpload(upload.name)
    added_headers.give_header(path, described, upload.name)


async def _make_job(upload: Upload) -> Upload:
    shelf = context.current().shelf
    path = shelf.data(upload.id)
    if upload.parts and upload.sha256 is None:
        await db.in_thread(shelf.put_together, upload)
    duration_s: float | None = None
    if upload.sha256 is None:
        if upload.direct:
            await db.in_thread(_fetch, upload)
        await db.in_thread(_give_header, path, upload)
        duration_s = await _check_twice(path, upload)
        sha256, size_bytes = await db.in_thread(lambda: (sha256_of(path), path.stat().st_size))
        if upload.direct and upload.direct.sha256 not in {None, sha256}:
            raise ChecksumDiffers(upload.name, upload.direct.sha256 or "", sha256)
        upload = await db.in_thread(shelf.save, replace(upload, sha256=sha256, stored_bytes=size_bytes))
    assert upload.sha256 is not None  # noqa: S101
    new = NewRecording(
        owner_id=upload.owner_id,
        name=_name_of(upload),
        options=upload.options,
        lane=upload.lane,
        tags=upload.tags,
        metadata=upload.job_metadata,
        actor=f"user:{upload.owner_id}",
        key=upload.key or f"upload:{upload.id}",
        asked_sha256=hashlib.sha256(to_json(upload.options)).hexdigest() if upload.key else None,
        api_key_id=upload.api_key_id,
        duration_s=duration_s,
    )
    size_bytes = upload.stored_bytes or upload.length_bytes
    if upload.direct:
        await db.in_thread(_keep_in_bucket, upload, names.media_name(upload.sha256))
    job = await accept_recording.accept_checked(new, path, sha256=upload.sha256, size_bytes=size_bytes)
    landed = await db.in_thread(shelf.save, replace(upload, job_id=job.id))
    await _forget_in_bucket(upload)
    return landed


def _fetch(upload: Upload) -> None:
    """Copy the recording from the bucket to the disk, where it is checked.

    Raises:
        NotStored, StorageUnreachable, StorageFull: it cannot be had, or not now.
    """
    holder = context.current()
    path = holder.shelf.data(upload.id)
    if not holder.shelf.whole(upload):
        raise_if_no_room(holder.shelf.folder, upload.length_bytes, upload.name)
        the_direct_parts().fetch(upload, path)


def _keep_in_bucket(upload: Upload, media_name: str) -> None:
    """Make the object in the bucket a recording, and delete the copy on the disk."""
    path = context.current().shelf.data(upload.id)
    if path.exists():
        the_direct_parts().keep(upload, media_name)
        path.unlink()


async def _forget_in_bucket(upload: Upload) -> None:
    """Delete what arrived in the bucket; if that does not answer, the sweep does it."""
    if upload.direct:
        with contextlib.suppress(StorageUnreachable, DirectUploadsOff):
            await db.in_thread(lambda: the_direct_parts().forget(upload))


def the_direct_parts() -> DirectParts:
    """Return the uploads in the bucket, whether or not more may be begun.

    Raises:
        DirectUploadsOff: storage is no bucket.
    """
    found = context.current().direct_parts
    if found is None:
        raise DirectUploadsOff
    return found


async def resume() -> None:
    """Finish uploads that an earlier process received completely, or storage refused then."""
    shelf, direct_parts = context.current().shelf, context.current().direct_parts
    for upload in await db.in_thread(lambda: list(shelf.all())):
        arrived = bool(upload.parts) or shelf.whole(upload)
        if upload.direct:  # those of a bucket wait while storage is another place
            arrived = upload.direct.complete and direct_parts is not None
        if upload.partial or upload.settled or not arrived:
            continue
        try:
            await land(upload)
        except TranscriberError as error:
            logger.warning("upload %s cannot be made a job yet: %s", upload.id, error)
        except Exception:
            logger.exception("upload %s cannot be made a job", upload.id)


async def sweep() -> int:
    """Delete uploads that were idle for a day, also in the bucket; return their number."""
    holder = context.current()
    gone = await db.in_thread(holder.shelf.sweep)
    if holder.direct_parts is None:
        return gone
    try:
        return gone + await db.in_thread(holder.direct_parts.sweep, holder.shelf.is_open)
    except TranscriberError as error:
        level = logging.WARNING if holder.direct_parts.offered else logging.INFO  # keys for the bucket may do less then
        logger.log(level, "abandoned uploads in the bucket are deleted later: %s", error)
        return gone
