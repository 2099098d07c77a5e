"""Resumable uploads: tus 1.0 with creation, deferred length, expiration, termination and concatenation.

https://tus.io/protocols/resumable-upload. The offset of an upload is the size of its file on disk, so no crash can make
the two differ. The last byte creates the job, here in the server; the page is only notified.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from email.utils import formatdate
from http import HTTPStatus
from typing import BinaryIO

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from dashboards.http.error_responses import error_answer
from dashboards.http.identity import caller_of, language_of
from dashboards.http.request_options import idempotency_key
from dashboards.runtime import context, db
from dashboards.runtime.single_writer import Writers
from dashboards.runtime.site_paths import site_path
from dashboards.services import accept_recording, job_access
from dashboards.uploads.finish_upload import land
from dashboards.uploads.upload_limits import check_length, make_room, reserve
from dashboards.uploads.upload_metadata import UploadMetadata
from storage.domain import translation
from storage.domain.errors import BadRequest, KeyReused, NotFound, UploadConflict, UploadTooLarge
from storage.domain.job_messages import text_of
from storage.domain.scopes import Scope
from storage.files.upload_room import reserved, room_for
from storage.files.upload_store import (
    ABANDONED_AFTER_S,
    Upload,
    UploadStore,
    ident_of,
    new_ident,
    raise_if_no_room,
    write_all,
)

VERSION = "1.0.0"
TUS = {"Tus-Resumable": VERSION, "Cache-Control": "no-store"}
EXTENSIONS = "creation,creation-with-upload,creation-defer-length,expiration,termination,concatenation"
BYTES_TYPE = "application/offset+octet-stream"
WRITE_BYTES = 1 << 20


def _shelf() -> UploadStore:
    return context.current().shelf


def _writers() -> Writers:
    return context.current().writers


async def describe(_: Request) -> Response:
    """OPTIONS: describe the server's capabilities, without a login."""
    able = {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(context.settings().web.max_upload_bytes),
    }
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=TUS | able)


async def create(request: Request) -> Response:
    """POST: create an upload, a partial one, or concatenate parts."""
    user = caller_of(request).the_user()
    job_access.require_writer(user, "uploading")
    concat = request.headers.get("upload-concat", "")
    if concat.startswith("final;"):
        return await _put_together(request, user.id, concat.removeprefix("final;").split())
    deferred = _is_deferred(request)
    length = 0 if deferred else _whole_number(request, "upload-length")
    if not deferred:
        check_length(length)
    shelf, key = _shelf(), idempotency_key(request)
    upload = Upload(
        id=ident_of(user.id, key) if key else new_ident(),
        owner_id=user.id,
        length_bytes=length,
        partial=concat == "partial",
        deferred=deferred,
        api_key_id=caller_of(request).key_id,
        key=key,
        **UploadMetadata.of(request).fields(),
    )
    if key and shelf.exists(upload.id) and not shelf.load(upload.id).refusal:
        return await _go_on(request, upload)
    coming = await db.in_thread(reserved, shelf, by=user.id)
    more_bytes = length + coming.to_come_bytes
    await accept_recording.admit(user, more_bytes=more_bytes, key=key, api_key_id=upload.api_key_id)
    await db.in_thread(make_room, upload)
    if request.headers.get("content-type") == BYTES_TYPE:
        return await _take(request, upload, 0, status=HTTPStatus.CREATED)
    return await _answer(request, shelf.load(upload.id), HTTPStatus.CREATED, 0)


async def _go_on(request: Request, asked: Upload) -> Response:
    """Answer a creation that is sent again; the client continues at the offset.

    Raises:
        KeyReused: the key was used for another recording or other options.
    """
    shelf = _shelf()
    await _writers().stop(asked.id)
    upload = shelf.load(asked.id, asked.owner_id)
    same = ("length_bytes", "options", "input", "partial", "deferred")
    if upload.direct or any(getattr(upload, field) != getattr(asked, field) for field in same):
        raise KeyReused("Idempotency-Key", "it began another upload; use a new one")
    if request.headers.get("content-type") == BYTES_TYPE and not upload.settled and shelf.offset(upload) == 0:
        return await _take(request, upload, 0, status=HTTPStatus.CREATED)
    async for _ in request.stream():  # a body that is not read would break the connection, and the answer with it
        pass
    return await _answer(request, upload, HTTPStatus.CREATED, shelf.offset(upload))


async def look(request: Request) -> Response:
    """HEAD: return the offset, after stopping the writer of a lost connection."""
    upload = _asked_for(request)
    await _writers().stop(upload.id)
    upload = _asked_for(request)
    if upload.refusal:
        return Response(status_code=upload.refusal.status, headers=TUS)
    headers = {"Upload-Defer-Length": "1"} if upload.deferred else {"Upload-Length": str(upload.length_bytes)}
    if upload.partial:
        headers["Upload-Concat"] = "partial"
    elif upload.parts:
        headers["Upload-Concat"] = f"final;{' '.join(site_path(f'/uploads/{ident}') for ident, _ in upload.parts)}"
    if upload.metadata:
        headers["Upload-Metadata"] = upload.metadata
    return await _answer(request, upload, HTTPStatus.OK, _shelf().offset(upload), headers)


async def append(request: Request) -> Response:
    """PATCH: append bytes at the stored offset."""
    upload = _asked_for(request)
    job_access.require_writer(caller_of(request).the_user(), "uploading")
    if request.headers.get("content-type") != BYTES_TYPE:
        status, told = HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send {BYTES_TYPE}"
        return error_answer(status, code="bad_request", message=told, headers=TUS)
    if upload.parts:
        told = "this upload is put together from parts; send bytes to those"
        return error_answer(HTTPStatus.FORBIDDEN, code="final_upload", message=told, headers=TUS)
    return await _take(request, upload, _whole_number(request, "upload-offset"), status=HTTPStatus.NO_CONTENT)


async def forget(request: Request) -> Response:
    """DELETE: abandon the upload. A job that it became is kept."""
    upload = _asked_for(request)
    await _writers().stop(upload.id)
    if not upload.used:
        await db.in_thread(_shelf().remove, upload.id)
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=TUS)


async def _take(request: Request, upload: Upload, offset: int, *, status: int) -> Response:
    shelf = _shelf()
    async with _writers().only(upload.id):
        upload = shelf.load(upload.id)
        stored = shelf.offset(upload)
        if offset != stored:
            raise UploadConflict(upload.id, offset, stored)
        if "upload-length" in request.headers and status == HTTPStatus.NO_CONTENT:
            upload = await _fix_length(request, upload, stored)
        if upload.deferred or stored < upload.length_bytes:
            await _write(request, upload, stored)
        stored = shelf.offset(upload)
    if stored == upload.length_bytes and not upload.partial and not upload.deferred:
        upload = await land(upload)
    return await _answer(request, upload, status, stored)


async def _fix_length(request: Request, upload: Upload, stored: int) -> Upload:
    """Set the length of a deferred upload, once.

    Raises:
        BadRequest: it has another length already, or more bytes than that.
        UploadTooLarge, EmptyUpload, RoomReserved, StorageFull, SpaceUsedUp: an upload of this length is not accepted.
    """
    length = _whole_number(request, "upload-length")
    if not upload.deferred and length != upload.length_bytes:
        raise BadRequest("Upload-Length", f"it is {upload.length_bytes} already, and stays so")
    if not upload.deferred:
        return upload
    if length < stored:
        raise BadRequest("Upload-Length", f"{stored} bytes are here already")
    check_length(length)
    caller = caller_of(request)
    coming = await db.in_thread(reserved, _shelf(), by=upload.owner_id)
    more_bytes = length + coming.to_come_bytes
    await accept_recording.admit(caller.the_user(), more_bytes=more_bytes, api_key_id=caller.key_id)
    return await db.in_thread(reserve, replace(upload, deferred=False, length_bytes=length), stored)


async def _write(request: Request, upload: Upload, offset: int) -> None:
    """Append the body to the file; bytes received before a disconnect are kept.

    While the length is deferred, a request may bring what its owner may still send.
    """
    blocks: list[bytes] = []
    size, left = 0, upload.length_bytes - offset
    if upload.deferred:
        web = context.settings().web
        room = await db.in_thread(room_for, _shelf(), upload.owner_id, share=web.upload_share)
        left = min(web.max_upload_bytes - offset, room)
    most = offset + left
    with _shelf().data(upload.id).open("ab", buffering=0) as sink:
        try:
            async for block in _writers().body(upload.id, request):
                left -= len(block)
                if left < 0:
                    raise UploadTooLarge(most - left, most)
                blocks.append(block)
                size += len(block)
                if size >= WRITE_BYTES:
                    taken, blocks, size = blocks, [], 0
                    await asyncio.to_thread(_flush, sink, taken, upload.name)
        except ClientDisconnect:
            pass
        finally:
            await asyncio.to_thread(_flush, sink, blocks, upload.name)


def _flush(sink: BinaryIO, blocks: list[bytes], name: str) -> None:
    block = b"".join(blocks)
    raise_if_no_room(sink.fileno(), len(block), name)
    write_all(sink, block, name)


async def _put_together(request: Request, owner_id: str, urls: list[str]) -> Response:
    """Concatenate parts into one upload; its id is derived from theirs, so it is idempotent."""
    shelf = _shelf()
    parts = [shelf.load(url.rstrip("/").rsplit("/", 1)[-1], owner_id) for url in urls]
    if not parts:
        raise BadRequest("Upload-Concat", "name the parts after `final;`")
    if len({part.id for part in parts}) < len(parts):
        raise BadRequest("Upload-Concat", "name each part once")
    ident = hashlib.sha256("/".join(part.id for part in parts).encode()).hexdigest()[:32]
    async with _writers().only(ident):
        for part in parts:
            await _writers().stop(part.id)
        if not shelf.exists(ident):
            await db.in_thread(shelf.save, _whole_of(request, parts, ident))
        for part in parts:
            await db.in_thread(shelf.save, replace(part, used=True))
    upload = await land(shelf.load(ident, owner_id))
    return await _answer(request, upload, HTTPStatus.CREATED, upload.length_bytes)


def _whole_of(request: Request, parts: list[Upload], ident: str) -> Upload:
    shelf = _shelf()
    for part in parts:
        if not part.partial or part.used or not shelf.whole(part):
            raise BadRequest("Upload-Concat", f"{part.id} is no finished part that is still free")
    length = sum(part.length_bytes for part in parts)
    check_length(length)
    return Upload(
        id=ident,
        owner_id=parts[0].owner_id,
        length_bytes=length,
        parts=tuple((part.id, part.length_bytes) for part in parts),
        api_key_id=caller_of(request).key_id,
        **UploadMetadata.of(request).fields(),
    )


def _asked_for(request: Request) -> Upload:
    upload = _shelf().load(request.path_params["ident"], caller_of(request).the_user().id)
    if upload.source or upload.direct:  # this server writes it
        raise NotFound("upload", upload.id)
    return upload


def _is_deferred(request: Request) -> bool:
    """Return whether the length comes later.

    Raises:
        BadRequest: the header has another value than 1, or the length is there, too.
    """
    asked = request.headers.get("upload-defer-length")
    if asked is not None and (asked != "1" or "upload-length" in request.headers):
        raise BadRequest("Upload-Defer-Length", "send 1, and no Upload-Length; or leave it out")
    return asked is not None


def _whole_number(request: Request, header: str) -> int:
    text = request.headers.get(header, "")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise BadRequest(header.title(), "send it as a whole number of bytes")
    return int(text)


async def _answer(
    request: Request, upload: Upload, status: int, offset: int, more: dict[str, str] | None = None
) -> Response:
    if refusal := upload.refusal:
        with translation.speaking(await language_of(request)):
            return error_answer(refusal.status, code=refusal.code, message=text_of(refusal.message), headers=TUS)
    headers = TUS | {"Upload-Offset": str(offset)} | (more or {})
    if status == HTTPStatus.CREATED:
        headers["Location"] = site_path(f"/uploads/{upload.id}")
    if not upload.settled:
        expires_s = _shelf().touched_s(upload) + ABANDONED_AFTER_S
        headers["Upload-Expires"] = formatdate(expires_s, usegmt=True)
    if upload.job_id:
        headers["X-Job-Id"] = upload.job_id
    return Response(status_code=status, headers=headers)


Handler = Callable[[Request], Awaitable[Response]]


def of_version(handler: Handler) -> Handler:
    """Return a handler that refuses requests of another version of the protocol."""

    async def checked(request: Request) -> Response:
        if request.headers.get("tus-resumable") == VERSION:
            return await handler(request)
        told = f"this server speaks tus {VERSION}; send the header Tus-Resumable: {VERSION}"
        headers = TUS | {"Tus-Version": VERSION}
        return error_answer(HTTPStatus.PRECONDITION_FAILED, code="tus_version", message=told, headers=headers)

    return checked


async def overridden(request: Request) -> Response:
    """POST with `X-HTTP-Method-Override`: for clients that cannot send PATCH or DELETE."""
    match request.headers.get("x-http-method-override", "").upper():
        case "PATCH":
            return await append(request)
        case "HEAD":
            return await look(request)
        case "DELETE":
            caller_of(request).require(Scope.DELETE)
            return await forget(request)
        case _:
            allow = {"Allow": "DELETE, HEAD, OPTIONS, PATCH"}
            told = "send PATCH, HEAD or DELETE, or name it in X-HTTP-Method-Override"
            return error_answer(
                HTTPStatus.METHOD_NOT_ALLOWED, code="method_not_allowed", message=told, headers=TUS | allow
            )


ROUTES = [
    Route("/uploads", of_version(create), methods=["POST"]),
    Route("/uploads", describe, methods=["OPTIONS"]),
    Route("/uploads/{ident}", describe, methods=["OPTIONS"]),
    Route("/uploads/{ident}", of_version(look), methods=["HEAD"]),
    Route("/uploads/{ident}", of_version(append), methods=["PATCH"]),
    Route("/uploads/{ident}", of_version(forget), methods=["DELETE"]),
    Route("/uploads/{ident}", of_version(overridden), methods=["POST"]),
]
