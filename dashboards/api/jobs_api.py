"""`/api/v1`: jobs for programs, with an OpenAPI page at `/api/docs` that contacts no other host."""

from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.security import HTTPBearer
from fastapi.staticfiles import StaticFiles
from starlette.types import ExceptionHandler

from dashboards import answers, context, media, search_api, transcript_api
from dashboards.callers import caller_of
from dashboards.forms import CueForm, OptionsForm, lane_from, options_from_json
from dashboards.jobs_models import ErrorBody, JobBody, JobList, Me, Vocabulary
from dashboards.landing import check, clean_name, take_in
from dashboards.multipart import received
from storage import intake, jobs, names, probe, quotas, vocabulary
from storage.errors import NotAllowed, NotFound
from storage.records import ExportFormat, Job, JobState, Lane

STATIC = Path(__file__).parent / "static" / "swagger-ui"
DOCS = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Whisper Transcriber API</title>
<link rel="icon" href="/favicon.png">
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script src="docs/assets/start.js"></script>
</body>
</html>
"""
DESCRIPTION = """
Send a recording, follow its job, fetch its transcript and subtitles. Authenticate with an API key
(`Authorization: Bearer wt_…`); this page itself uses your browser session. For clients written for OpenAI there is
`/v1/audio/transcriptions`, for very large files the resumable `/uploads` (tus 1.0), and for news of your jobs the
WebSocket `/events`.
"""
FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "Audio, or a video with sound."},
                        "options": {
                            "type": "string",
                            "description": "JSON with any of: " + ", ".join(sorted(OptionsForm.model_fields)),
                            "example": '{"language": "en"}',
                        },
                        "lane": {"type": "string", "enum": [lane.value for lane in Lane], "default": "interactive"},
                    },
                }
            }
        },
    }
}
SETTINGS: list[dict[str, Any]] = [
    {"name": name, "in": "query", "schema": {key: value for key, value in schema.items() if key != "default"}}
    for name, schema in CueForm.model_json_schema()["properties"].items()
]
ERRORS: dict[int | str, dict[str, Any]] = {status: {"model": ErrorBody} for status in (400, 401, 403, 404, 409)}

api = FastAPI(
    title="Whisper Transcriber",
    version="1",
    description=DESCRIPTION,
    docs_url=None,
    redoc_url=None,
    dependencies=[Depends(HTTPBearer(auto_error=False, description="An API key"))],
    responses=ERRORS,
)
for _kind, _handler in answers.HANDLERS.items():
    api.add_exception_handler(_kind, _handler)
api.mount("/docs/assets", StaticFiles(directory=STATIC))


async def _on_invalid(_: Request, error: RequestValidationError) -> Response:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or "body"
    return answers.error_answer(
        HTTPStatus.BAD_REQUEST, code="bad_request", message=f"{field}: {first['msg']}", param=field
    )


_invalid: ExceptionHandler = _on_invalid  # type: ignore[assignment]
api.add_exception_handler(RequestValidationError, _invalid)


@api.get("/docs", include_in_schema=False)
async def docs() -> HTMLResponse:
    """The page that shows all of this."""
    return HTMLResponse(DOCS)


@api.get("/v1/me", tags=["account"])
async def me(request: Request) -> Me:
    """Say whose key or session this is."""
    user = caller_of(request).the_user()
    return Me(id=user.id, name=user.name, role=user.role)


@api.get("/v1/vocabulary", tags=["account"])
async def get_vocabulary(request: Request) -> Vocabulary:
    """The caller's own vocabulary."""
    return Vocabulary(words=await context.read(vocabulary.words_of, caller_of(request).the_user().id))


@api.put("/v1/vocabulary", tags=["account"])
async def put_vocabulary(request: Request, body: Vocabulary) -> Vocabulary:
    """Replace the caller's own vocabulary; jobs accepted from now on are heard with it."""
    caller = caller_of(request)
    user = caller.may_write("changing the vocabulary")
    kept = await context.write(vocabulary.set_words, user.id, body.words, actor=caller.actor)
    return Vocabulary(words=kept)


@api.get("/v1/jobs", tags=["jobs"])
async def list_jobs(
    request: Request,
    state: Annotated[list[JobState] | None, Query(description="Only jobs in these states.")] = None,
    before: Annotated[str | None, Query(description="The `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    everybody: Annotated[bool, Query(description="All users' jobs; for administrators.")] = False,
) -> JobList:
    """List jobs, newest first."""
    caller = caller_of(request)
    if everybody and not caller.is_admin:
        raise NotAllowed("looking at everybody's jobs", "an administrator")
    owner = None if everybody else caller.the_user().id
    found = await context.read(jobs.page, owner_id=owner, state=state, before=before, limit=limit + 1)
    page = found[:limit]
    return JobList(jobs=list(map(JobBody.of, page)), next=page[-1].id if len(found) > limit else None)


@api.get("/v1/deleted-jobs", tags=["jobs"])
async def list_deleted(request: Request) -> JobList:
    """List the jobs that were deleted and can be restored, the last deleted first."""
    gone = await context.read(jobs.deleted, owner_id=caller_of(request).the_user().id)
    return JobList(jobs=list(map(JobBody.of, gone)), next=None)


@api.post("/v1/jobs", tags=["jobs"], status_code=HTTPStatus.CREATED, openapi_extra=FORM)
async def submit(request: Request) -> JobBody:
    """Send a recording; it is queued and the answer comes at once.

    With a header `Idempotency-Key` the same request may be sent again and makes one job.
    """
    caller = caller_of(request)
    user = caller.may_write("transcribing")
    await context.read(quotas.check, user.id, more_bytes=0)
    settings = context.settings()
    async with received(request, settings.storage.uploads_dir, limit_bytes=settings.web.max_upload_bytes) as form:
        name = clean_name(form.file_name())
        options, lane = options_from_json(form.first("options")), lane_from(form.first("lane"))
        await check(form.path, name, options)
        key = request.headers.get("idempotency-key")
        job = await take_in(
            form.path,
            sha256=form.sha256,
            size_bytes=form.size_bytes,
            owner_id=user.id,
            name=name,
            options=options,
            lane=lane,
            actor=caller.actor,
            key=f"http:{key}" if key else None,
        )
    return JobBody.of(job)


@api.get("/v1/jobs/{job_id}", tags=["jobs"])
async def get_job(request: Request, job_id: str) -> JobBody:
    """Say how a job stands."""
    return JobBody.of(await _own(request, job_id))


@api.get("/v1/jobs/{job_id}/media", tags=["jobs"])
async def media_of(request: Request, job_id: str) -> probe.MediaInfo:
    """Say what the recording's file says of itself, its audio tracks with language and title among it."""
    job = await _own(request, job_id)
    return await context.in_thread(_look_into, job)


def _look_into(job: Job) -> probe.MediaInfo:
    with context.files().local(names.media_name(job.media_sha256)) as path:
        return probe.check(path, job.name, max_hours=float("inf"))


@api.post("/v1/jobs/{job_id}/cancel", tags=["jobs"])
async def cancel(request: Request, job_id: str) -> JobBody:
    """Stop a job. What was heard so far is kept for a retry."""
    job = await _own(request, job_id, changing="cancelling")
    job = await context.write(jobs.cancel, job.id, actor=caller_of(request).actor)
    context.announce(job)
    return JobBody.of(job)


@api.post("/v1/jobs/{job_id}/retry", tags=["jobs"])
async def retry(request: Request, job_id: str) -> JobBody:
    """Queue a failed or cancelled job again; what was heard already is not heard again."""
    job = await _own(request, job_id, changing="retrying")
    job = await context.write(jobs.retry, job.id, actor=caller_of(request).actor)
    context.announce(job)
    return JobBody.of(job)


@api.delete("/v1/jobs/{job_id}", tags=["jobs"], status_code=HTTPStatus.NO_CONTENT)
async def delete(request: Request, job_id: str) -> None:
    """Delete a finished job with its recording, transcript and files. It can be restored for some days."""
    job = await _own(request, job_id, changing="deleting")
    await context.in_thread(intake.delete, context.ledger(), context.files(), job.id, actor=caller_of(request).actor)
    context.removed(job.id, job.owner_id)


@api.post("/v1/jobs/{job_id}/restore", tags=["jobs"])
async def restore(request: Request, job_id: str) -> JobBody:
    """Bring a deleted job back."""
    caller = caller_of(request)
    job = await media.own_job(caller.may_write("restoring"), job_id, deleted=True)
    job = await context.in_thread(intake.restore, context.ledger(), context.files(), job.id, actor=caller.actor)
    context.announce(job)
    return JobBody.of(job)


@api.get(
    "/v1/jobs/{job_id}/exports/{fmt}",
    tags=["results"],
    response_class=Response,
    openapi_extra={"parameters": SETTINGS},
    responses={422: {"model": ErrorBody}, 503: {"model": ErrorBody}},
)
@api.get("/v1/jobs/{job_id}/files/{fmt}", include_in_schema=False)
async def file(request: Request, job_id: str, fmt: ExportFormat) -> Response:
    """The job's current transcript as a file, with any caption settings; those left out are the job's own.

    Nothing is listened to again. A file that is not there yet is made at once; if that takes longer than half a
    minute, the answer is 503 with `Retry-After`, and the same request gets the file later.
    """
    return await media.made_file(request, await _own(request, job_id), fmt)


@api.get("/v1/jobs/{job_id}/recording", tags=["results"], response_class=Response)
async def recording(request: Request, job_id: str) -> Response:
    """The recording itself; ranges are served."""
    return await media.source_of(request, await _own(request, job_id))


api.include_router(transcript_api.router)
api.include_router(search_api.router)


@api.api_route("/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
async def nothing(request: Request) -> None:
    """Everything else under /api."""
    raise NotFound("endpoint", request.url.path)


async def _own(request: Request, job_id: str, *, changing: str | None = None) -> Job:
    caller = caller_of(request)
    user = caller.may_write(changing) if changing else caller.the_user()
    return await media.own_job(user, job_id)
