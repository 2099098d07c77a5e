"""The files of several recordings as one ZIP, made while it is being sent."""

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

from dashboards import context
from dashboards.callers import caller_of
from dashboards.media import disposition
from storage import jobs, listing
from storage.clock import utc_now
from storage.errors import BadRequest, NotFound, NotStored
from storage.records import ExportFormat, Job, JobState, Role, User

MAX_JOBS = 500
BLOCK_BYTES = 256 * 1024
IN_MEMORY_BYTES = 8 << 20
NOT_IN_NAMES = re.compile(r'[\x00-\x1f<>:"/\\|?*]')


async def several(request: Request) -> Response:
    """Serve the made files of the jobs named by `id`, in the formats named by `format` or in all."""
    user = caller_of(request).the_user()
    ids = request.query_params.getlist("id")
    formats = request.query_params.getlist("format") or [fmt.value for fmt in ExportFormat]
    if not ids or len(ids) > MAX_JOBS:
        raise BadRequest("id", f"name 1 to {MAX_JOBS} recordings")
    wanted = await context.read(listing.some, ids)
    ready = [job for job in wanted if _may_have(user, job) and job.state is JobState.COMPLETED]
    if not ready:
        raise NotFound("finished recording", ids[0])
    spooled = await context.in_thread(_packed, sorted(ready, key=lambda job: job.id), formats)
    headers = {"Content-Disposition": disposition("attachment", f"transcripts-{utc_now():%Y-%m-%d}.zip")}
    return StreamingResponse(
        iterate_in_threadpool(_blocks(spooled)),
        media_type="application/zip",
        headers=headers,
        background=BackgroundTask(spooled.close),
    )


def _may_have(user: User, job: Job) -> bool:
    return not job.deleted_at and (job.owner_id == user.id or user.role is Role.ADMIN)


def _packed(ready: Sequence[Job], formats: Sequence[str]) -> IO[bytes]:
    """Pack the files into a ZIP that goes to disk when it becomes large; what is not there any more is left out."""
    spooled: IO[bytes] = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - it is closed when it has been sent
        IN_MEMORY_BYTES, mode="w+b", dir=str(context.settings().storage.data_dir)
    )
    taken: set[str] = set()
    with zipfile.ZipFile(spooled, "w", zipfile.ZIP_DEFLATED) as packed:
        for job in ready:
            with context.ledger().read() as con:
                made = jobs.exports_of(con, job.id)
            stem = _stem(job, taken)
            for fmt in (fmt for fmt in formats if fmt in made):
                try:
                    packed.writestr(f"{stem}.{fmt}", context.files().read(made[fmt]))
                except NotStored:
                    continue
    spooled.seek(0)
    return spooled


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
