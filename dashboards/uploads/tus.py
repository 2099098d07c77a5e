"""Resumable uploads: tus 1.0 (https://tus.io/protocols/resumable-upload) with creation, termination and concatenation.

The offset of an upload is the size of its file on disk, so no crash can make the two differ. The last byte makes
the job, here in the server; the page is only told.
"""

import asyncio
import base64
import binascii
import hashlib
import os
import threading
from dataclasses import replace
from http import HTTPStatus
from typing import BinaryIO

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from dashboards import context
from dashboards.answers import error_answer
from dashboards.callers import caller_of
from dashboards.forms import lane_from, options_from_json
from dashboards.landing import land
from dashboards.shelf import Shelf, Upload, new_ident, raise_if_full, raise_if_no_room
from dashboards.writers import Writers
from storage import quotas
from storage.errors import BadRequest, EmptyUpload, UploadConflict, UploadTooLarge
from storage.records import Lane, Options

TUS = {"Tus-Resumable": "1.0.0", "Cache-Control": "no-store"}
BYTES_TYPE = "application/offset+octet-stream"
WRITE_BYTES = 1 << 20
_MAKING_ROOM = threading.Lock()


def _shelf() -> Shelf:
    return context.current().shelf


def _writers() -> Writers:
    return context.current().writers


async def describe(_: Request) -> Response:
    """OPTIONS: what this server can do."""
    able = {
        "Tus-Version": "1.0.0",
        "Tus-Extension": "creation,creation-with-upload,termination,concatenation",
        "Tus-Max-Size": str(context.settings().web.max_upload_bytes),
    }
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=TUS | able)


async def create(request: Request) -> Response:
    """POST: make room for a file, for a part of one, or put parts together."""
    user = caller_of(request).may_write("uploading")
    concat = request.headers.get("upload-concat", "")
    if concat.startswith("final;"):
        return await _put_together(request, user.id, concat.removeprefix("final;").split())
    length = _whole_number(request, "upload-length")
    _check_length(length)
    await context.read(quotas.check, user.id, more_bytes=length)
    shelf = _shelf()
    name, options, lane = _metadata(request)
    upload = Upload(
        id=new_ident(),
        owner_id=user.id,
        length_bytes=length,
        name=name,
        options=options,
        lane=lane,
        partial=concat == "partial",
    )
    await context.in_thread(_make_room, upload)
    if request.headers.get("content-type") == BYTES_TYPE:
        return await _take(request, upload, 0, status=HTTPStatus.CREATED)
    return _answer(shelf.load(upload.id), HTTPStatus.CREATED, 0)


async def look(request: Request) -> Response:
    """HEAD: how many bytes have come. A part that is still being written by a lost connection is stopped first."""
    upload = _asked_for(request)
    await _writers().stop(upload.id)
    upload = _asked_for(request)
    if upload.refusal:
        return Response(status_code=upload.refusal.status, headers=TUS)
    headers = {"Upload-Length": str(upload.length_bytes)}
    if upload.partial:
        headers["Upload-Concat"] = "partial"
    return _answer(upload, HTTPStatus.OK, _shelf().offset(upload), headers)


async def append(request: Request) -> Response:
    """PATCH: add bytes at the offset that is stored."""
    upload = _asked_for(request)
    caller_of(request).may_write("uploading")
    if request.headers.get("content-type") != BYTES_TYPE:
        return error_answer(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, code="bad_request", message=f"send {BYTES_TYPE}")
    return await _take(request, upload, _whole_number(request, "upload-offset"), status=HTTPStatus.NO_CONTENT)


async def forget(request: Request) -> Response:
    """DELETE: give the upload up. A job that it has become stays."""
    upload = _asked_for(request)
    await _writers().stop(upload.id)
    if not upload.used:
        await context.in_thread(_shelf().remove, upload.id)
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=TUS)


async def _take(request: Request, upload: Upload, offset: int, *, status: int) -> Response:
    shelf = _shelf()
    async with _writers().only(upload.id):
        upload = shelf.load(upload.id)
        stored = shelf.offset(upload)
        if offset != stored:
            raise UploadConflict(upload.id, offset, stored)
        if stored < upload.length_bytes:
            await _write(request, upload, stored)
        stored = shelf.offset(upload)
    if stored == upload.length_bytes and not upload.partial:
        upload = await land(upload)
    return _answer(upload, status, stored)


async def _write(request: Request, upload: Upload, offset: int) -> None:
    """Append the body to the file; whatever came before the client left is kept."""
    blocks: list[bytes] = []
    size, left = 0, upload.length_bytes - offset
    with _shelf().data(upload.id).open("ab", buffering=0) as sink:
        try:
            async for block in _writers().body(upload.id, request):
                left -= len(block)
                if left < 0:
                    raise UploadTooLarge(upload.length_bytes - left, upload.length_bytes)
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
    view = memoryview(b"".join(blocks))
    raise_if_no_room(sink.fileno(), len(view), name)
    try:
        while view:
            view = view[os.write(sink.fileno(), view) :]
    except OSError as error:
        raise_if_full(error, name)
        raise


async def _put_together(request: Request, owner_id: str, urls: list[str]) -> Response:
    """Make one upload of parts. Its id comes from theirs, so that asking again finds what was begun."""
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
            await context.in_thread(shelf.save, _whole_of(request, parts, ident))
        for part in parts:
            await context.in_thread(shelf.save, replace(part, used=True))
    upload = await land(shelf.load(ident, owner_id))
    return _answer(upload, HTTPStatus.CREATED, upload.length_bytes)


def _whole_of(request: Request, parts: list[Upload], ident: str) -> Upload:
    shelf = _shelf()
    for part in parts:
        if not part.partial or part.used or not shelf.whole(part):
            raise BadRequest("Upload-Concat", f"{part.id} is no finished part that is still free")
    length = sum(part.length_bytes for part in parts)
    _check_length(length)
    name, options, lane = _metadata(request)
    return Upload(
        id=ident,
        owner_id=parts[0].owner_id,
        length_bytes=length,
        name=name,
        options=options,
        lane=lane,
        parts=tuple((part.id, part.length_bytes) for part in parts),
    )


def _asked_for(request: Request) -> Upload:
    return _shelf().load(request.path_params["ident"], caller_of(request).the_user().id)


def _make_room(upload: Upload) -> None:
    shelf = _shelf()
    with _MAKING_ROOM:  # or two of them are promised the same room
        promised = shelf.outstanding_bytes()
        raise_if_no_room(shelf.folder, upload.length_bytes, upload.name, promised_bytes=promised)
        shelf.data(upload.id).touch()
        shelf.save(upload)


def _check_length(length: int) -> None:
    limit = context.settings().web.max_upload_bytes
    if length > limit:
        raise UploadTooLarge(length, limit)
    if length == 0:
        raise EmptyUpload("the recording")


def _whole_number(request: Request, header: str) -> int:
    text = request.headers.get(header, "")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise BadRequest(header.title(), "send it as a whole number of bytes")
    return int(text)


def _metadata(request: Request) -> tuple[str, Options, Lane]:
    """Read `Upload-Metadata`: pairs of a key and a base64 value.

    Raises:
        BadRequest: it is not readable, or asks for what there is not.
    """
    values: dict[str, str] = {}
    for pair in filter(None, request.headers.get("upload-metadata", "").split(",")):
        key, _, value = pair.strip().partition(" ")
        try:
            values[key] = base64.b64decode(value, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise BadRequest("Upload-Metadata", f"{key} is not UTF-8 in base64") from error
    return values.get("filename", ""), options_from_json(values.get("options")), lane_from(values.get("lane"))


def _answer(upload: Upload, status: int, offset: int, more: dict[str, str] | None = None) -> Response:
    if upload.refusal:
        refusal = upload.refusal
        answer = error_answer(refusal.status, code=refusal.code, message=refusal.message)
        answer.headers.update(TUS)
        return answer
    headers = TUS | {"Upload-Offset": str(offset)} | (more or {})
    if status == HTTPStatus.CREATED:
        headers["Location"] = f"/uploads/{upload.id}"
    if upload.job_id:
        headers["X-Job-Id"] = upload.job_id
    return Response(status_code=status, headers=headers)


ROUTES = [
    Route("/uploads", create, methods=["POST"]),
    Route("/uploads", describe, methods=["OPTIONS"]),
    Route("/uploads/{ident}", look, methods=["HEAD"]),
    Route("/uploads/{ident}", append, methods=["PATCH"]),
    Route("/uploads/{ident}", forget, methods=["DELETE"]),
]
