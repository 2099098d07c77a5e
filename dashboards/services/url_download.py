"""Get recordings from addresses and listed paths: bounded, resumed, and kept across restarts.

A download is an upload whose bytes this server gets itself: its state is the upload's JSON file, and its offset the
length of the bytes on disk, so that a killed process continues where it was. An interrupted one is resumed with `Range`
and `If-Range` (RFC 9110) if the server named a validator, and begun again otherwise.
"""

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from http import HTTPStatus
from typing import Any, BinaryIO
from urllib.parse import unquote

import httpx

from dashboards.clients import outgoing_http
from dashboards.clients.outgoing_http import OutgoingAnswer
from dashboards.runtime import context, db
from dashboards.runtime.background import OwnedTask
from dashboards.services import accept_recording
from storage.accounts import users
from storage.domain import batch_sources
from storage.domain.errors import (
    BadRequest,
    EmptyUpload,
    HostUnreachable,
    KeyReused,
    NotAllowed,
    NotFound,
    OutgoingRefused,
    TranscriberError,
    UploadTooLarge,
)
from storage.domain.job_messages import encode, raised
from storage.domain.recording_names import clean_name
from storage.domain.records import Lane, Options, User
from storage.files import listed_sources
from storage.files.upload_room import raise_if_reserved, reserved, room_for
from storage.files.upload_store import Refusal, Upload, UploadStore, UrlSource, new_ident, raise_if_no_room, write_all

logger = logging.getLogger(__name__)

AT_ONCE, AT_ONCE_EACH, MOST_OPEN = 16, 2, 20
"""Downloads at a time, those of one user at a time, and those of one user that have not ended."""
WITHIN_S = 24 * 3600.0
WRITE_BYTES = 1 << 20
MAY_PASS = frozenset({408, 425, 429})
RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)")
PATHS = ("/", batch_sources.BUCKETS)
SENT_WITH = {"User-Agent": "whisper-transcriber", "Accept": "*/*"}


class TooManyDownloads(BadRequest):
    """A person has as many open downloads as one may have."""


async def order(
    user: User, source: str, *, name: str | None, options: Options, lane: Lane, key: str | None, **more: Any
) -> Upload:
    """Begin a download in the background; the same `key` finds the one before.

    The source is an address, or a path that an administrator listed for this user. `more` are the upload's fields
    `api_key_id`, `tags` and `job_metadata`.

    Raises:
        NotAllowed, SpaceUsedUp, HoursUsedUp, KeyHoursUsedUp: see `accept_recording.admit`; or the path is not listed.
        BadRequest, OutgoingRefused: the address is not accepted, or too many downloads are open.
        KeyReused: the key began another download.
    """
    holder = context.current()
    where = checked_source(user, source)
    ident = hashlib.sha256(f"url\0{user.id}\0{key}".encode()).hexdigest()[:32] if key else new_ident()
    wanted = Upload(
        id=ident,
        owner_id=user.id,
        length_bytes=0,
        name=clean_name(name or _name_of(where)),
        options=options,
        lane=lane,
        deferred=True,
        source=UrlSource(url=where, until_s=time.time() + WITHIN_S),
        **more,
    )
    if key and (known := await db.in_thread(_known, holder.shelf, wanted)):
        return known
    coming = await db.in_thread(reserved, holder.shelf, by=user.id)
    await accept_recording.admit(user, more_bytes=coming.to_come_bytes, api_key_id=wanted.api_key_id)
    made = await db.in_thread(_begin, holder.shelf, wanted)
    start(made)
    return made


def is_path(source: str) -> bool:
    """Return whether a source is a path on storage, and no address."""
    return source.startswith(PATHS)


def checked_source(user: User, source: str) -> str:
    """Return an address in its usual form, or a path that this user may read.

    Raises:
        BadRequest, OutgoingRefused: the address is none, or not allowed.
        NotAllowed: the path is not listed for this user.
    """
    settings = context.settings()
    if not is_path(source):
        return outgoing_http.checked(settings.outgoing.targets, source)
    batch_sources.allowed(batch_sources.parse(settings.web.batch_sources), source, user.name)
    return source


def _known(shelf: UploadStore, wanted: Upload) -> Upload | None:
    if not shelf.exists(wanted.id):
        return None
    found = shelf.load(wanted.id, wanted.owner_id)
    asked = (wanted.source.url if wanted.source else "", wanted.options, wanted.lane)
    if (found.source.url if found.source else "", found.options, found.lane) != asked:
        raise KeyReused("Idempotency-Key", "it began another download; use a new one")
    return found


def _begin(shelf: UploadStore, upload: Upload) -> Upload:
    if sum(1 for one in of_user(shelf, upload.owner_id) if not one.settled) >= MOST_OPEN:
        raise TooManyDownloads("url", f"{MOST_OPEN} downloads of yours have not ended; wait for one of them")
    shelf.data(upload.id).touch()
    return shelf.save(upload)


def of_user(shelf: UploadStore, owner_id: str) -> Iterator[Upload]:
    """Yield the user's downloads of the last days."""
    return (one for one in shelf.all() if one.source and one.owner_id == owner_id)


def find(shelf: UploadStore, ident: str, owner_id: str) -> Upload:
    """Return a download of the user's.

    Raises:
        NotFound: there is none with this id.
    """
    upload = shelf.load(ident, owner_id)
    if upload.source is None:
        raise NotFound("download", ident)
    return upload


async def cancel(upload: Upload) -> None:
    """Stop a download and delete what came; a job that it became is kept."""
    holder = context.current()
    if upload.id in holder.landings:
        raise BadRequest("id", "all of it came already, and it is becoming a job; cancel that one")
    await _stop(upload.id)
    await db.in_thread(holder.shelf.remove, upload.id)


async def _stop(ident: str) -> None:
    if running := context.current().downloads.get(ident):
        running.task.cancel()
        await asyncio.wait([running.task])


async def resume() -> None:
    """Continue what is due, after a pause or a restart; end what disabled accounts began."""
    await _end_those_of_disabled()
    shelf, now_s = context.current().shelf, time.time()
    for upload in await db.in_thread(lambda: [one for one in shelf.all() if one.source and not one.settled]):
        if upload.source and upload.source.next_s <= now_s and not (upload.sha256 or shelf.whole(upload)):
            start(upload)


def start(upload: Upload) -> None:
    """Download in the background, unless too many are under way in all or by user.

    `resume` comes again.
    """
    holder, ident = context.current(), upload.id
    theirs = sum(one.owner_id == upload.owner_id for one in holder.downloads.values())
    if ident in holder.downloads or len(holder.downloads) >= AT_ONCE or theirs >= AT_ONCE_EACH:
        return
    task = holder.background.start(_fetch(ident), f"download {ident}")
    holder.downloads[ident] = OwnedTask(owner_id=upload.owner_id, task=task)
    task.add_done_callback(lambda _: holder.downloads.pop(ident, None))


def of_a_disabled_account() -> NotAllowed:
    """Return the error that ends the downloads of a disabled account."""
    return NotAllowed("downloading for a disabled account", "an enabled one")


async def _end_those_of_disabled() -> None:
    """End running downloads of accounts that are disabled or gone.

    What came completely becomes a job.
    """
    holder = context.current()
    running = {ident: one.owner_id for ident, one in holder.downloads.items() if ident not in holder.landings}
    enabled = await db.read(users.enabled_of, set(running.values())) if running else set[str]()
    for ident in [ident for ident, owner_id in running.items() if owner_id not in enabled]:
        await _stop(ident)
        if holder.shelf.exists(ident) and not holder.shelf.load(ident).settled:
            await db.in_thread(_failed, holder.shelf, ident, of_a_disabled_account(), 0)


async def _fetch(ident: str) -> None:
    holder = context.current()
    upload = await db.in_thread(holder.shelf.load, ident)
    before = holder.shelf.offset(upload)
    try:
        whole = await _download(upload)
    except TranscriberError as error:
        await db.in_thread(_failed, holder.shelf, ident, error, before)
        return
    if holder.land:
        await holder.land(whole)


def _failed(shelf: UploadStore, ident: str, error: TranscriberError, before: int) -> None:
    """Schedule the next attempt, or record the refusal."""
    upload = shelf.load(ident)
    source = upload.source
    assert source is not None  # noqa: S101
    pauses_s = context.current().limits.download_pauses_s
    tries = 0 if shelf.offset(upload) > before else source.tries
    if error.transient and tries < len(pauses_s) and time.time() < source.until_s:
        logger.info("download %s: %s; again in %g s", ident, error, pauses_s[tries])
        later = replace(source, tries=tries + 1, next_s=time.time() + pauses_s[tries])
        shelf.save(replace(upload, source=later))
        return
    logger.info("download %s refused: %s", ident, error.code)
    shelf.save(replace(upload, refusal=Refusal(status=error.status, code=error.code, message=encode(raised(error)))))
    shelf.data(ident).unlink(missing_ok=True)


async def _download(upload: Upload) -> Upload:
    """Get what is missing; return the complete upload.

    Raises:
        TranscriberError: a transient one if the same may succeed later.
    """
    holder, source = context.current(), upload.source
    assert source is not None  # noqa: S101
    user = await db.read(users.get, upload.owner_id)
    if user.disabled:
        raise of_a_disabled_account()
    get = _copied if is_path(source.url) else _received
    try:
        async with asyncio.timeout(max(0.0, source.until_s - time.time())):
            upload, length = await get(upload, user)
    except TimeoutError:
        raise OutgoingRefused("url", f"it did not come within {WITHIN_S / 3600:g} hours") from None
    stored = holder.shelf.offset(upload)
    if length is not None and stored < length:
        where = source.url if is_path(source.url) else httpx.URL(source.url).host
        raise HostUnreachable(where, f"it ended after {stored} of {length} bytes")
    if not stored:
        raise EmptyUpload(upload.name)
    if not upload.deferred and stored == upload.length_bytes:
        return upload
    return await db.in_thread(holder.shelf.save, replace(upload, deferred=False, length_bytes=stored))


async def _received(upload: Upload, user: User) -> tuple[Upload, int | None]:
    """Receive what is missing; return the upload and the whole's length if known."""
    holder, source = context.current(), upload.source
    assert source is not None  # noqa: S101
    have, headers = holder.shelf.offset(upload), dict(SENT_WITH)
    if have and source.validator:
        headers |= {"Range": f"bytes={have}-", "If-Range": source.validator}
    targets = holder.settings.outgoing.targets
    async with outgoing_http.request(targets, "GET", source.url, headers=headers) as answer:
        begin, length = _extent(answer, have)
        upload = replace(upload, source=replace(source, validator=_validator_of(answer)))
        upload = await _expect(upload, user, begin, length)
        await _write(upload, answer.body, begin, length)
    return upload, length


async def _copied(upload: Upload, user: User) -> tuple[Upload, int]:
    """Copy a listed file from its start.

    Whether it is listed is asked again, since that may have changed.
    """
    settings, source = context.settings(), upload.source
    assert source is not None  # noqa: S101
    listed = batch_sources.allowed(batch_sources.parse(settings.web.batch_sources), source.url, user.name)
    endpoint = settings.storage.storage_endpoint_url
    with ExitStack() as stack:  # what a thread opened is closed, whenever this is cancelled
        length, file = await db.in_thread(_opened_in, stack, source.url, listed.root, endpoint)
        upload = await _expect(upload, user, 0, length)
        await _write(upload, _blocks_of(file, length), 0, length)
    return upload, length


def _opened_in(stack: ExitStack, path: str, root: str, endpoint: str | None) -> tuple[int, BinaryIO]:
    length, file = listed_sources.opened(path, root, endpoint)
    return length, stack.enter_context(file)


async def _blocks_of(file: BinaryIO, length: int) -> AsyncIterator[bytes]:
    """Yield what the file has up to this length, without what is appended meanwhile."""
    while length and (block := await db.in_thread(file.read, min(WRITE_BYTES, length))):
        length -= len(block)
        yield block


def _extent(answer: OutgoingAnswer, have: int) -> tuple[int, int | None]:
    """Return at which byte the answer begins, and the whole's length if known."""
    status, host = answer.status, answer.url.host
    if status in MAY_PASS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise HostUnreachable(host, f"status {status}")
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise BadRequest("url", "{host} compresses the recording although it was asked not to", {"host": host})
    if status == HTTPStatus.PARTIAL_CONTENT and (found := RANGE.fullmatch(answer.headers.get("content-range", ""))):
        if int(found[1]) == have:
            return have, None if found[2] == "*" else int(found[2])
    elif status == HTTPStatus.OK:
        length = answer.headers.get("content-length", "")
        return 0, int(length) if length.isascii() and length.isdigit() and len(length) < 19 else None
    raise BadRequest(
        "url",
        "{host} answers with status {status}; open the address in a browser to see why",
        {"host": host, "status": status},
    )


def _validator_of(answer: OutgoingAnswer) -> str | None:
    """Return what `If-Range` needs: a strong tag, or the time of the last change."""
    tag = answer.headers.get("etag", "")
    return tag if tag.startswith('"') else answer.headers.get("last-modified")


async def _expect(upload: Upload, user: User, begin: int, length: int | None) -> Upload:
    """Cut the file to where the answer begins, and reserve room for the rest."""
    holder = context.current()
    shelf, web = holder.shelf, holder.settings.web
    if length is not None and length > web.max_upload_bytes:
        raise UploadTooLarge(length, web.max_upload_bytes)
    if length == 0:
        raise EmptyUpload(upload.name)

    def prepare() -> Upload:
        with shelf.data(upload.id).open("ab") as sink:
            sink.truncate(begin)
        known = length is not None and not upload.deferred and upload.length_bytes == length
        fresh = upload if known else replace(upload, deferred=True, length_bytes=0)
        shelf.save(fresh)
        if known or length is None:
            return fresh
        raise_if_reserved(shelf, replace(upload, length_bytes=length - begin), share=web.upload_share)
        return shelf.save(replace(fresh, deferred=False, length_bytes=length))

    ready = await db.in_thread(prepare)
    coming = await db.in_thread(reserved, shelf, by=user.id)
    await accept_recording.admit(user, more_bytes=begin + coming.to_come_bytes, api_key_id=upload.api_key_id)
    return ready


async def _write(upload: Upload, body: AsyncIterator[bytes], begin: int, length: int | None) -> None:
    """Append the body; bytes that came before a failure are kept."""
    holder = context.current()
    web = holder.settings.web
    most = length
    if most is None:
        room = await db.in_thread(room_for, holder.shelf, upload.owner_id, share=web.upload_share)
        most = min(web.max_upload_bytes, begin + room)
    blocks, size, left = list[bytes](), 0, most - begin

    def flush(taken: list[bytes]) -> None:
        block = b"".join(taken)
        raise_if_no_room(sink.fileno(), len(block), upload.name)
        write_all(sink, block, upload.name)

    with holder.shelf.data(upload.id).open("ab", buffering=0) as sink:
        try:
            async for block in body:
                left -= len(block)
                if left < 0:
                    raise UploadTooLarge(most - left, most)
                blocks.append(block)
                size += len(block)
                if size >= WRITE_BYTES:
                    taken, blocks, size = blocks, [], 0
                    await asyncio.to_thread(flush, taken)
        finally:
            await asyncio.shield(asyncio.to_thread(flush, blocks))


def _name_of(url: str) -> str:
    """Return the last part of an address's path, as a name."""
    if is_path(url):
        return url.rstrip("/").rpartition("/")[2][-200:] or "recording"
    return unquote(httpx.URL(url).path).rstrip("/").rpartition("/")[2][:200] or "recording"
