"""Serve source recordings with ranges for seeking, and exported files."""

import hashlib
import mimetypes
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from functools import partial
from http import HTTPStatus
from typing import BinaryIO
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from dashboards.http.conditional import not_modified
from dashboards.http.identity import caller_of
from dashboards.http.request_options import cues_from_query
from dashboards.runtime import context, db, security_log
from dashboards.services import job_access, make_exports, playback_copies
from storage.domain import names, retries
from storage.domain.errors import NotFound, StorageUnreachable
from storage.domain.records import ExportFormat, Job
from storage.media.browser_playback import Playback

BLOCK_BYTES = 256 * 1024
BYTES = "bytes="
RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.IGNORECASE)
PLAYED = ("audio/", "video/")
PLAYBACK_TYPE = "audio/flac"


async def _own(request: Request) -> Job:
    return await visible(request, request.path_params["job_id"])


async def visible(request: Request, job_id: str) -> Job:
    """Return a job that the caller may see; an administrator's look at others' is recorded.

    Raises:
        NotFound: see `job_access.visible`.
    """
    user = caller_of(request).the_user()
    job = await db.read(job_access.visible, user, job_id)
    security_log.others_read(user, job)
    return job


async def recording(request: Request) -> Response:
    """Serve the source recording, whole or in part."""
    return await recording_of(request, await _own(request))


async def recording_of(request: Request, job: Job) -> Response:
    """Serve a job's recording to a user, and record it."""
    answer = await source_of(request, job)
    if sends_bytes(request, answer):
        security_log.media_sent(caller_of(request).the_user(), job)
    return answer


def sends_bytes(request: Request, answer: Response) -> bool:
    """Return whether an answer has the file itself, so that it counts as sent."""
    return request.method == "GET" and answer.status_code != HTTPStatus.NOT_MODIFIED


async def source_of(request: Request, job: Job) -> Response:
    """Serve a job's recording by path from a folder, or streamed from an object store."""
    return await _stored(request, names.media_name(job.media_sha256), _played_type(job.name), _inline(job.name))


def _inline(name: str) -> dict[str, str]:
    return {"Cache-Control": "private, max-age=3600", "Content-Disposition": disposition("inline", name)}


async def _stored(request: Request, name: str, kind: str, headers: dict[str, str]) -> Response:
    """Serve a stored object with ranges; its name and size are its entity tag."""
    files = context.files()
    size = await db.in_thread(files.size, name)  # a playback copy that is made again may be another one
    headers |= {"ETag": f'"{hashlib.sha256(f"{name} {size}".encode()).hexdigest()[:32]}"'}
    if same := not_modified(request, headers):
        return same
    if not request.headers.get("range", BYTES).lower().startswith(BYTES):
        request = _without_range(request)
    if (path := files.path(name)) is not None:
        return FileResponse(path, media_type=kind, headers=headers)
    return await _remote(request, name, size, kind, headers)


def _without_range(request: Request) -> Request:
    """Return the request for everything.

    Units other than bytes are to be ignored (RFC 9110, 14.2).
    """
    request.scope["headers"] = [one for one in request.scope["headers"] if one[0] != b"range"]
    return Request(request.scope, request.receive)


async def playback(request: Request) -> Response:
    """Serve the copy of a recording's sound for browsers that cannot play the source."""
    job = await _own(request)
    answer = await copy_of(request, job)
    if sends_bytes(request, answer):
        security_log.media_sent(caller_of(request).the_user(), job)
    return answer


async def copy_of(request: Request, job: Job) -> Response:
    """Serve a job's copy for browsers, whole or in part.

    Raises:
        NotFound: browsers play the source itself, or it was deleted.
    """
    found = await db.in_thread(playback_copies.playback_for, context.files(), job)
    if found is Playback.SOURCE:
        raise NotFound("playback copy", job.id)
    name = names.playback_name(job.media_sha256, job.options.audio_track, found)
    return await _stored(request, name, PLAYBACK_TYPE, _inline(f"{job.name}.flac"))


async def peaks(request: Request) -> Response:
    """Serve the recording's waveform: a byte for each 100 ms.

    With `?fine=true` it is one for each 10 ms.
    """
    return await peaks_of(await _own(request), fine=request.query_params.get("fine") == "true")


async def peaks_of(job: Job, *, fine: bool = False) -> Response:
    """Serve a job's waveform; old recordings have none, or none that is fine.

    Then the other one is served.

    Raises:
        NotStored: it has none.
    """
    name = names.peaks_name(job.media_sha256, job.options.audio_track, fine=fine)
    if fine and not await db.in_thread(context.files().exists, name):
        name = names.peaks_name(job.media_sha256, job.options.audio_track)
    body = await db.in_thread(context.files().read, name)
    return Response(body, media_type="application/octet-stream", headers={"Cache-Control": "private, max-age=3600"})


async def download(request: Request) -> Response:
    """Serve the current transcript as a file, with the caption settings of the URL."""
    return await download_of(request, await _own(request), request.path_params["fmt"])


async def download_of(request: Request, job: Job, fmt: str) -> Response:
    """Serve a file of a job's transcript to a user, and record it."""
    answer = await made_file(request, job, fmt)
    if sends_bytes(request, answer):
        await security_log.export_sent(caller_of(request).the_user(), job, fmt)
    return answer


async def made_file(request: Request, job: Job, fmt: str) -> Response:
    """Serve a file of a job's current transcript, making it if necessary.

    Raises:
        NotFound: there is no such format, or no transcript yet.
        BadSetting: a caption setting is unknown, or out of range.
        ExportPending: it is not ready within half a minute.
    """
    if fmt not in set(ExportFormat):
        raise NotFound("file", f"{job.id}.{fmt}")
    asked = ExportFormat(fmt)
    name = await make_exports.made(job, asked, cues_from_query(request.query_params, job.options.cues))
    stem = job.name.rsplit(".", 1)[0] or job.name
    headers = {
        "Content-Disposition": disposition("attachment", f"{stem}.{fmt}"),
        "Cache-Control": "private, no-cache",  # the same URL serves the next version, once the text is edited
        "ETag": f'"{name.rpartition("/")[2]}"',
    }
    if same := not_modified(request, headers):
        return same
    return await _whole(request, name, asked.spec.media_type, headers)


async def _whole(request: Request, name: str, kind: str, headers: dict[str, str]) -> Response:
    """Serve a whole stored object as a stream."""
    if (path := context.files().path(name)) is not None:
        return FileResponse(path, media_type=kind, headers=headers)
    headers |= {"Content-Length": str(await db.in_thread(context.files().size, name))}
    if request.method == "HEAD":
        return Response(media_type=kind, headers=headers)
    blocks = await _begun(name, 0, int(headers["Content-Length"]) - 1)
    return StreamingResponse(blocks, media_type=kind, headers=headers)


def disposition(kind: str, name: str) -> str:
    """Return a Content-Disposition for any name (RFC 6266): ASCII for old clients, UTF-8 for others."""
    ascii_name = re.sub(r'[^\x20-\x7e]|["\\%/;]', "_", name)
    return f"{kind}; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name, safe='')}"


def _played_type(name: str) -> str:
    """Return a media type that browsers play and never execute, whatever the file's name."""
    kind = mimetypes.guess_type(name)[0] or ""
    return kind if kind.startswith(PLAYED) else "application/octet-stream"


async def _remote(request: Request, name: str, size: int, kind: str, headers: dict[str, str]) -> Response:
    """Stream from an object store, block by block."""
    asked, condition = request.headers.get("range"), request.headers.get("if-range", headers["ETag"])
    if condition != headers["ETag"]:
        asked = None
    first, last = _range(asked, size)
    partial = asked is not None
    headers |= {"Accept-Ranges": "bytes", "Content-Length": str(last - first + 1)}
    if partial:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    status = HTTPStatus.PARTIAL_CONTENT if partial else HTTPStatus.OK
    if request.method == "HEAD":
        return Response(status_code=status, media_type=kind, headers=headers)
    return StreamingResponse(await _begun(name, first, last), status, media_type=kind, headers=headers)


def _range(header: str | None, size: int) -> tuple[int, int]:
    """Return the first and last requested byte.

    Raises:
        HTTPException: they are out of range.
    """
    if header is None:
        return 0, size - 1
    match = RANGE.fullmatch(header.strip())
    if match is None or match.groups() == ("", ""):
        raise _outside(size)
    start, end = match.groups()
    first = int(start) if start else max(0, size - int(end))
    last = min(int(end), size - 1) if start and end else size - 1
    if first > last:
        raise _outside(size)
    return first, last


def _outside(size: int) -> HTTPException:
    return HTTPException(
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        "ask for one range of bytes inside the recording",
        {"Content-Range": f"bytes */{size}"},
    )


async def _begun(name: str, first: int, last: int) -> AsyncIterator[bytes]:
    """Return blocks of a stored object, having read the first.

    Until then, the answer can still be an error.

    Raises:
        NotStored, StorageUnreachable: it cannot be read.
    """
    file = await db.in_thread(context.files().open, name)
    blocks = _blocks(file, first, last)
    block = await anext(blocks, b"")
    return _with_first(block, blocks)


async def _with_first(block: bytes, others: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    async with aclosing(others):
        yield block
        async for other in others:
            yield other


async def _blocks(file: BinaryIO, first: int, last: int) -> AsyncGenerator[bytes]:
    """Yield the blocks; a block that storage does not give at once is read again."""
    try:
        at = first
        while at <= last:
            read = partial(_block, file, at, min(last + 1 - at, BLOCK_BYTES))
            block = await retries.call_async(
                partial(db.in_thread, read),
                may_pass=lambda error: isinstance(error, StorageUnreachable),
                pauses_s=context.current().limits.media_read_again_after_s,
            )
            if not block:
                return
            at += len(block)
            yield block
    finally:
        await db.in_thread(file.close)


def _block(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)


ROUTES = [
    Route("/recordings/{job_id}", recording, methods=["GET"]),
    Route("/recordings/{job_id}/peaks", peaks, methods=["GET"]),
    Route("/recordings/{job_id}/playback", playback, methods=["GET"]),
    Route("/downloads/{job_id}/{fmt}", download, methods=["GET"]),
]
