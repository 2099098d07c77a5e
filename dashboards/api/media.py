"""The source recording, with ranges so that a player can seek, and the files that a finished job offers."""

import mimetypes
import re
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import BinaryIO
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from dashboards import context, exports
from dashboards.callers import caller_of
from dashboards.forms import cues_from_query
from storage import jobs, names
from storage.errors import NotFound
from storage.records import ExportFormat, Job, User

BLOCK_BYTES = 256 * 1024
TYPES = {
    ExportFormat.SRT: "application/x-subrip; charset=utf-8",
    ExportFormat.VTT: "text/vtt; charset=utf-8",
    ExportFormat.TXT: "text/plain; charset=utf-8",
    ExportFormat.JSON: "application/json; charset=utf-8",
    ExportFormat.TSV: "text/tab-separated-values; charset=utf-8",
    ExportFormat.DOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ExportFormat.ZIP: "application/zip",
}
RANGE = re.compile(r"bytes=(\d*)-(\d*)")
PLAYED = ("audio/", "video/")


async def own_job(user: User, job_id: str, *, deleted: bool = False) -> Job:
    """Return a job that the user may see: an own one, or any for an administrator; a deleted one only if asked for.

    Raises:
        NotFound: there is none, or it is somebody else's, which nobody is told.
    """
    job = await context.read(jobs.get, job_id)
    if (job.owner_id != user.id and user.role != "admin") or (job.deleted_at and not deleted):
        raise NotFound("job", job_id)
    return job


async def recording(request: Request) -> Response:
    """Serve the source, whole or in part."""
    return await source_of(request, await own_job(caller_of(request).the_user(), request.path_params["job_id"]))


async def source_of(request: Request, job: Job) -> Response:
    """Serve a job's recording: from the folder by path, from an object store as a stream."""
    name = names.media_name(job.media_sha256)
    headers = {"Cache-Control": "private, max-age=3600", "Content-Disposition": disposition("inline", job.name)}
    kind = _played_type(job.name)
    files = context.files()
    if (path := files.path(name)) is not None:
        await context.in_thread(files.size, name)
        return FileResponse(path, media_type=kind, headers=headers)
    return await _remote(request, name, kind, headers)


async def peaks(request: Request) -> Response:
    """Serve the recording's waveform: a byte for each 100 ms."""
    return await peaks_of(await own_job(caller_of(request).the_user(), request.path_params["job_id"]))


async def peaks_of(job: Job) -> Response:
    """Serve a job's waveform; one that was read before there were waveforms has none.

    Raises:
        NotStored: it has none.
    """
    name = names.peaks_name(job.media_sha256, job.options.audio_track)
    body = await context.in_thread(context.files().read, name)
    return Response(body, media_type="application/octet-stream", headers={"Cache-Control": "private, max-age=3600"})


async def download(request: Request) -> Response:
    """Serve the job's current transcript as a file, under the recording's name, with the address's caption settings."""
    job = await own_job(caller_of(request).the_user(), request.path_params["job_id"])
    return await made_file(request, job, request.path_params["fmt"])


async def made_file(request: Request, job: Job, fmt: str) -> Response:
    """Serve a file of a job's current transcript, made now if need be.

    Raises:
        NotFound: there is no such format, or no transcript yet.
        BadSetting: a caption setting is not one, or out of its range.
        ExportPending: it is not made within half a minute.
    """
    if fmt not in set(ExportFormat):
        raise NotFound("file", f"{job.id}.{fmt}")
    asked = ExportFormat(fmt)
    name = await exports.made(job, asked, cues_from_query(request.query_params, job.options.cues))
    stem = job.name.rsplit(".", 1)[0] or job.name
    headers = {
        "Content-Disposition": disposition("attachment", f"{stem}.{fmt}"),
        "Cache-Control": "private, no-cache",  # the same address serves the next version, once the text is edited
        "ETag": f'"{name.rpartition("/")[2]}"',
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return await _whole(request, name, TYPES[asked], headers)


async def _whole(request: Request, name: str, kind: str, headers: dict[str, str]) -> Response:
    """Serve all of something stored, as a stream."""
    if (path := context.files().path(name)) is not None:
        return FileResponse(path, media_type=kind, headers=headers)
    headers |= {"Content-Length": str(await context.in_thread(context.files().size, name))}
    if request.method == "HEAD":
        return Response(media_type=kind, headers=headers)
    file = await context.in_thread(context.files().open, name)
    return StreamingResponse(_blocks(file, 0, int(headers["Content-Length"]) - 1), media_type=kind, headers=headers)


def disposition(kind: str, name: str) -> str:
    """Build a Content-Disposition for any name (RFC 6266): plain ASCII for the old, UTF-8 for the rest."""
    ascii_name = re.sub(r'[^\x20-\x7e]|["\\%/;]', "_", name)
    return f"{kind}; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name, safe='')}"


def _played_type(name: str) -> str:
    """Return a type that browsers play and never run, whatever the uploaded file calls itself."""
    kind = mimetypes.guess_type(name)[0] or ""
    return kind if kind.startswith(PLAYED) else "application/octet-stream"


async def _remote(request: Request, name: str, kind: str, headers: dict[str, str]) -> Response:
    """Stream from an object store, a block at a time."""
    size = await context.in_thread(context.files().size, name)
    first, last = _range(request.headers.get("range"), size)
    partial = request.headers.get("range") is not None
    headers |= {"Accept-Ranges": "bytes", "Content-Length": str(last - first + 1)}
    if partial:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    status = HTTPStatus.PARTIAL_CONTENT if partial else HTTPStatus.OK
    if request.method == "HEAD":
        return Response(status_code=status, media_type=kind, headers=headers)
    file = await context.in_thread(context.files().open, name)
    return StreamingResponse(_blocks(file, first, last), status, media_type=kind, headers=headers)


def _range(header: str | None, size: int) -> tuple[int, int]:
    """Return the first and the last byte that are asked for.

    Raises:
        HTTPException: they lie outside.
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


async def _blocks(file: BinaryIO, first: int, last: int) -> AsyncIterator[bytes]:
    try:
        await context.in_thread(file.seek, first)
        left = last - first + 1
        while left > 0:
            block = await context.in_thread(file.read, min(left, BLOCK_BYTES))
            if not block:
                return
            left -= len(block)
            yield block
    finally:
        await context.in_thread(file.close)


ROUTES = [
    Route("/recordings/{job_id}", recording, methods=["GET"]),
    Route("/recordings/{job_id}/peaks", peaks, methods=["GET"]),
    Route("/downloads/{job_id}/{fmt}", download, methods=["GET"]),
]
