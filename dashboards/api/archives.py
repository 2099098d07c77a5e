"""The files of several recordings as one ZIP; what is not there yet is made, as for a single download."""

import asyncio
import re
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import IO

from starlette.background import BackgroundTask
from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from dashboards import context, exports
from dashboards.callers import caller_of
from dashboards.media import disposition
from storage import listing
from storage.clock import utc_now
from storage.errors import BadRequest, NotFound, TranscriberError
from storage.records import USUAL_FORMATS, ExportFormat, Job, JobState, Role, User

MAX_JOBS = 200
AT_ONCE = 8
BLOCK_BYTES = 256 * 1024
IN_MEMORY_BYTES = 8 << 20
NOT_IN_NAMES = re.compile(r'[\x00-\x1f<>:"/\\|?*]')
LEFT_OUT = "NOT INCLUDED.txt"


async def several(request: Request) -> Response:
    """Serve the current transcripts of the jobs named by `id`, in the formats named by `format` or in the usual ones.

    What could not be had is named in a file of the ZIP.
    """
    user = caller_of(request).the_user()
    ids = request.query_params.getlist("id")
    if not ids or len(ids) > MAX_JOBS:
        raise BadRequest("id", f"name 1 to {MAX_JOBS} recordings")
    formats = _formats(request.query_params.getlist("format"))
    wanted = await context.read(listing.some, ids)
    ready = [job for job in wanted if _may_have(user, job) and job.state is JobState.COMPLETED]
    if not ready:
        raise NotFound("finished recording", ids[0])
    spooled = await _packed(sorted(ready, key=lambda job: job.id), formats)
    headers = {"Content-Disposition": disposition("attachment", f"transcripts-{utc_now():%Y-%m-%d}.zip")}
    return StreamingResponse(
        iterate_in_threadpool(_blocks(spooled)),
        media_type="application/zip",
        headers=headers,
        background=BackgroundTask(spooled.close),
    )


def _formats(asked: Sequence[str]) -> tuple[ExportFormat, ...]:
    if any(one not in set(ExportFormat) or one == ExportFormat.ZIP for one in asked):
        raise BadRequest("format", f"choose among {', '.join(one for one in ExportFormat if one != ExportFormat.ZIP)}")
    return tuple(ExportFormat(one) for one in dict.fromkeys(asked)) or USUAL_FORMATS


def _may_have(user: User, job: Job) -> bool:
    return not job.deleted_at and (job.owner_id == user.id or user.role is Role.ADMIN)


async def _packed(ready: Sequence[Job], formats: Sequence[ExportFormat]) -> IO[bytes]:
    """Pack the files into a ZIP that goes to disk when it becomes large."""
    spooled: IO[bytes] = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - it is closed when it has been sent
        IN_MEMORY_BYTES, mode="w+b", dir=str(context.settings().storage.data_dir)
    )
    taken: set[str] = set()
    named = [(job, _stem(job, taken)) for job in ready]
    wanted = [(job, stem, fmt) for job, stem in named for fmt in formats]
    left_out = []
    with zipfile.ZipFile(spooled, "w", zipfile.ZIP_DEFLATED) as packed:
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            found = await asyncio.gather(*(_file(job, fmt) for job, _, fmt in some))
            for (_, stem, fmt), body in zip(some, found, strict=True):
                if isinstance(body, bytes):
                    await context.in_thread(packed.writestr, f"{stem}.{fmt}", body)
                else:
                    left_out.append(f"{stem}.{fmt}: {body}")
        if left_out:
            packed.writestr(LEFT_OUT, "\n".join(left_out))
    spooled.seek(0)
    return spooled


async def _file(job: Job, fmt: ExportFormat) -> bytes | TranscriberError:
    try:
        return await exports.read(job, fmt, job.options.cues)
    except TranscriberError as error:
        return error


def _stem(job: Job, taken: set[str]) -> str:
    """Return a name that every file system takes and that no other recording in the ZIP has."""
    plain = NOT_IN_NAMES.sub("_", PurePath(job.name).stem).strip(" .")[:120] or "recording"
    stem, number = plain, 2
    while stem.casefold() in taken:
        stem, number = f"{plain} ({number})", number + 1
    taken.add(stem.casefold())
    return stem


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(BLOCK_BYTES):
        yield block


ROUTES = [Route("/downloads", several, methods=["GET"])]
