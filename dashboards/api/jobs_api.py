"""`/api/v1`: jobs for programs, with an OpenAPI page at `/api/docs` without foreign hosts."""

from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.security import HTTPBearer
from fastapi.staticfiles import StaticFiles
from starlette.types import ExceptionHandler

from dashboards.api import (
    accounts_api,
    audit_api,
    event_stream,
    headerless_form,
    keys_api,
    media,
    search_api,
    transcript_api,
)
from dashboards.api.corrections import alignment_api
from dashboards.api.form_upload import form_upload
from dashboards.api.integrations import batches_api, downloads_api, s3_events_api, webhooks_api
from dashboards.api.integrations.downloads_api import DownloadBody, asks_for_a_download, order_download
from dashboards.api.job_schemas import TAGS, JobBody, JobChange, JobList, Me, ProblemBody, Vocabulary
from dashboards.api.openapi_document import document_of
from dashboards.api.operations import campaigns_api, maintenance_api
from dashboards.api.passages import comments_api, summary_api
from dashboards.http import error_responses
from dashboards.http.api_parameters import BeforeId, known_parameters, whole_characters
from dashboards.http.api_semantics import Semantics
from dashboards.http.identity import caller_of
from dashboards.http.request_options import CueForm, OptionsForm, lane_from, options_from_json
from dashboards.http.route_methods import methods_at, other_method
from dashboards.runtime import context, db
from dashboards.services import job_access, jobs
from storage.accounts import vocabulary
from storage.domain import names
from storage.domain.errors import BadRequest
from storage.domain.job_actions import JobAction
from storage.domain.records import ExportFormat, Job, JobState, Lane
from storage.domain.scopes import Scope
from storage.domain.tags import split_tags
from storage.jobs import collaborators, job_store
from storage.jobs.annotations.metadata import MAX_FIELDS, metadata_from_json
from storage.media import probe

STATIC = Path(__file__).parents[1] / "static" / "swagger-ui"
DOCS = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Whisper Transcriber API</title>
<link rel="icon" href="../favicon.png">
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
Upload a recording, follow its job, download its transcript and subtitles. Authenticate with an API key
(`Authorization: Bearer wt_…`); this page itself uses your browser session. Errors are problem details (RFC 9457),
unknown parameters are refused, and responses have an `ETag`: `If-None-Match` gets 304 while nothing has changed. OpenAI
clients can use `/v1/audio/transcriptions`, programs without keys `/asr` if an administrator opened it, very large files
the resumable `/uploads` (tus 1.0); events about your jobs come from the WebSocket `/events` or, as server-sent events,
from `/api/v1/events`.
"""
METADATA = {
    "type": "string",
    "description": f"A JSON object of at most {MAX_FIELDS} texts that stay with the job, such as a case number.",
    "example": '{"case": "2026-117"}',
}
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
                        "tags": {"type": "string", "description": f"Tags with commas between them, {TAGS}."},
                        "metadata": METADATA,
                        "lane": {"type": "string", "enum": [lane.value for lane in Lane], "default": "interactive"},
                        **headerless_form.PROPERTIES,
                    },
                }
            },
            "application/json": {"schema": downloads_api.SCHEMA},
        },
    }
}
SETTINGS: list[dict[str, Any]] = [
    {"name": name, "in": "query", "schema": {key: value for key, value in schema.items() if key != "default"}}
    for name, schema in CueForm.model_json_schema()["properties"].items()
]
PROBLEM: dict[str, Any] = {"model": ProblemBody}
STATUSES = (400, 401, 403, 404, 405, 408, 409, 413, 415, 421, 422, 429, 500, 503, 507)
ERRORS: dict[int | str, dict[str, Any]] = dict.fromkeys(STATUSES, PROBLEM)
FORM_FIELDS = ("file", "options", "tags", "metadata", "lane", *headerless_form.FIELDS)

api = FastAPI(
    title="Whisper Transcriber",
    version="1",
    description=DESCRIPTION,
    docs_url=None,
    redoc_url=None,
    root_path_in_servers=False,
    dependencies=[
        Depends(HTTPBearer(auto_error=False, description="An API key")),
        Depends(known_parameters),
        Depends(whole_characters),
    ],
    responses=ERRORS,
)
api.add_middleware(Semantics)
for _kind, _handler in error_responses.HANDLERS.items():
    api.add_exception_handler(_kind, _handler)
api.mount("/docs/assets", StaticFiles(directory=STATIC))


async def _on_invalid(request: Request, error: RequestValidationError) -> Response:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or "body"
    problem = first["msg"].removeprefix("Value error, ")
    if first["type"] == "json_invalid":  # its place is the number of a character
        field, problem = "body", f"it is no JSON: {first['ctx']['error']} at character {field}"
    return error_responses.error_answer(
        HTTPStatus.BAD_REQUEST,
        code="bad_request",
        message=f"{field}: {problem}",
        param=field,
        scope=request.scope,
    )


_invalid: ExceptionHandler = _on_invalid  # type: ignore[assignment]
api.add_exception_handler(RequestValidationError, _invalid)


@api.get("/docs", include_in_schema=False)
async def docs() -> HTMLResponse:
    """The page that shows this documentation."""
    return HTMLResponse(DOCS)


@api.get("/v1/me", tags=["account"])
async def me(request: Request) -> Me:
    """Return the user of this key or session."""
    user = caller_of(request).the_user()
    return Me(id=user.id, name=user.name, role=user.role)


@api.get("/v1/vocabulary", tags=["account"])
async def get_vocabulary(request: Request) -> Vocabulary:
    """Return the caller's vocabulary."""
    return Vocabulary(words=await db.read(vocabulary.words_of, caller_of(request).the_user().id))


@api.put("/v1/vocabulary", tags=["account"])
async def put_vocabulary(request: Request, body: Vocabulary) -> Vocabulary:
    """Replace the caller's vocabulary; it applies to jobs accepted from now on."""
    caller = caller_of(request)
    user = caller.the_user()
    job_access.require_writer(user, "changing the vocabulary")
    kept = await db.write(vocabulary.set_words, user.id, body.words, actor=caller.actor)
    return Vocabulary(words=kept)


@api.get("/v1/jobs", tags=["jobs"])
async def list_jobs(  # noqa: PLR0917 - the parameters of the URL
    request: Request,
    state: Annotated[list[JobState] | None, Query(description="Only jobs in these states.")] = None,
    tag: Annotated[str | None, Query(description="Only jobs with this tag.", max_length=200)] = None,
    before: BeforeId = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    everybody: Annotated[bool, Query(description="All users' jobs; for administrators.")] = False,
    shared: Annotated[bool, Query(description="Others' jobs that are shared with the caller.")] = False,
) -> JobList:
    """List jobs, newest first."""
    user = caller_of(request).the_user()
    if everybody:
        caller_of(request).require(Scope.ADMIN)
    owner = job_access.listed_owner(user, everybody=everybody, doing="looking at everybody's jobs")
    theirs = await db.read(collaborators.shared_with, user.id) if shared else None
    which = partial(job_store.page, owner_id=None if shared else owner, ids=theirs, state=state, tag=tag)
    found = await db.read(which, before=before, limit=limit + 1)
    page = found[:limit]
    return JobList(jobs=list(map(JobBody.of, page)), next=page[-1].id if len(found) > limit else None)


@api.get("/v1/deleted-jobs", tags=["jobs"])
async def list_deleted(request: Request) -> JobList:
    """List the deleted jobs that can be restored, most recently deleted first."""
    gone = await db.read(job_store.deleted, owner_id=caller_of(request).the_user().id)
    return JobList(jobs=list(map(JobBody.of, gone)), next=None)


@api.post(
    "/v1/jobs",
    tags=["jobs"],
    status_code=HTTPStatus.CREATED,
    response_model=JobBody,
    responses={202: {"model": DownloadBody, "description": "The recording is being downloaded."}},
    openapi_extra=FORM,
)
async def submit(request: Request) -> JobBody | Response:
    """Upload a recording; it is queued, and the response returns at once.

    A request with the header `Idempotency-Key` can be repeated and creates one job; with another recording or other
    options it is 422 `idempotency_key_reused`. With a JSON body, this server gets the recording from the address or
    path in it: the response is 202, and `/api/v1/downloads/{id}` says how far it is and which job it became.
    """
    if asks_for_a_download(request):
        return await order_download(request)
    async with form_upload(request, on_field=_check_field) as upload:
        options, lane = options_from_json(upload.form.first("options")), lane_from(upload.form.first("lane"))
        if said := headerless_form.told(upload.form):
            await headerless_form.give_header(upload.form, said)
        tags = split_tags(upload.form.first("tags"))
        metadata = metadata_from_json(upload.form.first("metadata"))
        return JobBody.of(await upload.accept(options, lane, tags=tags, metadata=metadata))


@api.get("/v1/jobs/{job_id}", tags=["jobs"])
async def get_job(request: Request, job_id: str) -> JobBody:
    """Return a job."""
    return JobBody.of(await _own(request, job_id))


@api.patch("/v1/jobs/{job_id}", tags=["jobs"])
async def change(request: Request, job_id: str, body: JobChange) -> JobBody:
    """Rename a job's recording, set its tags, or move it to another lane.

    The ending of its file stays, whether or not the new name has it.
    """
    caller = caller_of(request)
    if body.lane:
        caller.require_lane(body.lane)
    asked: dict[str, Any] = {"name": body.name, "tags": body.tags, "lane": body.lane}
    return JobBody.of(await db.in_thread(jobs.change, caller.the_user(), job_id, **asked))


@api.get("/v1/jobs/{job_id}/media", tags=["jobs"])
async def media_of(request: Request, job_id: str) -> probe.MediaInfo:
    """Return what the recording's file says about itself, including its audio tracks."""
    job = await _own(request, job_id)
    return await db.in_thread(_look_into, job)


def _look_into(job: Job) -> probe.MediaInfo:
    with context.files().local(names.media_name(job.media_sha256)) as path:
        return probe.check(path, job.name, max_hours=float("inf"))


@api.post("/v1/jobs/{job_id}/cancel", tags=["jobs"])
async def cancel(request: Request, job_id: str) -> JobBody:
    """Cancel a job. Spans that are already transcribed are kept for a retry."""
    return JobBody.of(await _perform(JobAction.CANCEL, request, job_id))


@api.post("/v1/jobs/{job_id}/retry", tags=["jobs"])
async def retry(request: Request, job_id: str) -> JobBody:
    """Queue a failed or cancelled job again; transcribed spans are reused."""
    return JobBody.of(await _perform(JobAction.RETRY, request, job_id))


@api.post("/v1/jobs/{job_id}/pause", tags=["jobs"])
async def pause(request: Request, job_id: str) -> JobBody:
    """Pause a job until it is resumed.

    One that is under way goes back into the queue; what is transcribed stays.
    """
    return JobBody.of(await _perform(JobAction.PAUSE, request, job_id))


@api.post("/v1/jobs/{job_id}/resume", tags=["jobs"])
async def resume(request: Request, job_id: str) -> JobBody:
    """Let a paused job go on."""
    return JobBody.of(await _perform(JobAction.RESUME, request, job_id))


@api.post("/v1/jobs/{job_id}/first", tags=["jobs"])
async def first(request: Request, job_id: str) -> JobBody:
    """Put a waiting job before its owner's others of the same lane."""
    return JobBody.of(await _perform(JobAction.FIRST, request, job_id))


@api.delete("/v1/jobs/{job_id}", tags=["jobs"], status_code=HTTPStatus.NO_CONTENT)
async def delete(request: Request, job_id: str) -> None:
    """Delete a finished job with its recording, transcript and files. It can be restored for some days."""
    await _perform(JobAction.DELETE, request, job_id)


@api.post("/v1/jobs/{job_id}/restore", tags=["jobs"])
async def restore(request: Request, job_id: str) -> JobBody:
    """Restore a deleted job."""
    return JobBody.of(await _perform(JobAction.RESTORE, request, job_id))


@api.get(
    "/v1/jobs/{job_id}/exports/{fmt}",
    tags=["results"],
    response_class=Response,
    openapi_extra={"parameters": SETTINGS},
)
@api.get("/v1/jobs/{job_id}/files/{fmt}", include_in_schema=False)
async def file(request: Request, job_id: str, fmt: ExportFormat) -> Response:
    """Return the job's current transcript as a file, with any caption settings.

    Omitted settings are the job's own; nothing is transcribed again. A file that does not exist yet is made at once. If
    that takes longer than half a minute, the response is 503 with `Retry-After`, and the same request gets the file
    later.
    """
    return await media.download_of(request, await media.visible(request, job_id), fmt)


@api.get("/v1/jobs/{job_id}/recording", tags=["results"], response_class=Response)
async def recording(request: Request, job_id: str) -> Response:
    """Return the recording itself; ranges are supported."""
    return await media.recording_of(request, await media.visible(request, job_id))


api.include_router(transcript_api.router)
api.include_router(comments_api.router)
api.include_router(summary_api.router)
api.include_router(alignment_api.router)
api.include_router(search_api.router)
api.include_router(audit_api.router)
api.include_router(maintenance_api.router)
api.include_router(keys_api.router)
api.include_router(accounts_api.router)
api.include_router(downloads_api.router)
api.include_router(batches_api.router)
api.include_router(s3_events_api.router)
api.include_router(campaigns_api.router)
api.include_router(webhooks_api.router)
api.include_router(event_stream.router)


api.openapi = document_of(api)  # type: ignore[method-assign]


@api.api_route(
    "/{rest:path}",
    methods=["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE"],
    include_in_schema=False,
)
async def nothing(request: Request) -> Response:
    """Handle everything else under /api: unknown paths, and other methods of known ones."""
    return other_method(methods_at(api.routes, request.scope), request.scope)


def _check_field(name: str, _: str) -> None:
    if name not in FORM_FIELDS:
        raise BadRequest(name[:40] or "body", f"there is no such field; there are {', '.join(FORM_FIELDS)}")


async def _own(request: Request, job_id: str) -> Job:
    return await db.read(job_access.visible, caller_of(request).the_user(), job_id)


async def _perform(action: JobAction, request: Request, job_id: str) -> Job:
    return await db.in_thread(jobs.perform, action, caller_of(request).the_user(), job_id)
