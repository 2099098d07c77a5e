"""Serve the files of several recordings as one ZIP; missing files are made."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from dashboards.api.media import disposition
from dashboards.http.identity import caller_of
from dashboards.runtime import db, security_log
from dashboards.services import job_access, make_exports
from storage.domain.clock import utc_now
from storage.domain.errors import BadRequest, NotFound, NotYours, TranscriberError
from storage.domain.export_formats import SINGLE_FORMATS, USUAL_FORMATS
from storage.domain.job_actions import JobAction
from storage.domain.records import ExportFormat, Job
from storage.files.zip_names import DistinctStems, stem_of
from storage.files.zip_stream import ZipStream
from storage.jobs import listing

MAX_JOBS = 200
AT_ONCE = 8
LEFT_OUT = "NOT INCLUDED.txt"


async def several(request: Request) -> Response:
    """Serve the current transcripts of several jobs as a ZIP.

    The jobs are given by `id`, the formats by `format` (default: the usual ones). A file in the ZIP lists what is
    missing.
    """
    user = caller_of(request).the_user()
    ids = request.query_params.getlist("id")
    if not ids or len(ids) > MAX_JOBS:
        raise BadRequest("id", f"name 1 to {MAX_JOBS} recordings")
    formats = _formats(request.query_params.getlist("format"))
    wanted = await db.read(listing.some, ids)
    ready = await db.read(job_access.allowed, user, JobAction.DOWNLOAD, wanted)
    if not await db.read(job_access.all_visible, user, wanted):
        await security_log.refused(user.actor, subject=request.url.path, code=NotYours.code, method=request.method)
    if not ready:
        raise NotFound("finished recording", ids[0])
    await security_log.archive_sent(user, ready, formats)
    headers = {"Content-Disposition": disposition("attachment", f"transcripts-{utc_now():%Y-%m-%d}.zip")}
    blocks = _packed(sorted(ready, key=lambda job: job.id), formats)
    return StreamingResponse(blocks, media_type="application/zip", headers=headers)


def _formats(asked: Sequence[str]) -> tuple[ExportFormat, ...]:
    if not set(asked) <= set(SINGLE_FORMATS):
        raise BadRequest("format", f"choose among {', '.join(SINGLE_FORMATS)}")
    return tuple(ExportFormat(one) for one in dict.fromkeys(asked)) or USUAL_FORMATS


async def _packed(ready: Sequence[Job], formats: Sequence[ExportFormat]) -> AsyncIterator[bytes]:
    """Yield the ZIP in pieces, a few files at a time."""
    stems = DistinctStems(stem_of(LEFT_OUT))
    named = [(job, stems.add(job.name)) for job in ready]
    wanted = [(job, stem, fmt) for job, stem in named for fmt in formats]
    zipped, left_out = ZipStream(), []
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        found = await asyncio.gather(*(_file(job, fmt) for job, _, fmt in some))
        for (_, stem, fmt), body in zip(some, found, strict=True):
            if isinstance(body, bytes):
                await db.in_thread(zipped.add, f"{stem}.{fmt}", body)
            else:
                left_out.append(f"{stem}.{fmt}: {body}")
        yield zipped.take()
    if left_out:
        zipped.add(LEFT_OUT, "\n".join(left_out))
    yield zipped.close()


async def _file(job: Job, fmt: ExportFormat) -> bytes | TranscriberError:
    try:
        return await make_exports.read(job, fmt, job.options.cues)
    except TranscriberError as error:
        return error


ROUTES = [Route("/downloads", several, methods=["GET"])]
