"""What our own processes ask of the web process, with the worker token: reports, heartbeats, jobs, upkeep.

JSON in, JSON out. Every call may be repeated: reports by their id, jobs by their idempotency key.
"""

import json
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboards import context
from dashboards.answers import bad_request
from dashboards.forms import OptionsForm, lane_from, options_from_json
from dashboards.landing import accept_stored, check, clean_name, sweep, take_in
from dashboards.multipart import received
from storage import intake, jobs, reports, transcripts, upkeep, users
from storage.clock import utc_now
from storage.errors import BadRequest, NotFound
from storage.heartbeats import WorkerBeat
from storage.records import Job, Lane, User, to_json

MAX_BODY_BYTES = 64 << 20
_BEAT: TypeAdapter[WorkerBeat] = TypeAdapter(WorkerBeat)


class StoredRecording(BaseModel):
    """A recording whose bytes the caller has put on storage, under the content name."""

    model_config = ConfigDict(extra="forbid")

    owner: str = "admin"
    name: str
    media_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    media_bytes: int = Field(gt=0)
    options: OptionsForm = Field(default_factory=OptionsForm)
    lane: Lane = Lane.BATCH
    actor: str = "worker:http"
    idempotency_key: str | None = None
    in_hand: bool = False  # the caller transcribes it: it is handed to nobody


def json_of(record: object) -> Response:
    """Answer with one of our records as JSON."""
    return Response(to_json(record), media_type="application/json")


async def body_of(request: Request) -> bytes:
    """Read a JSON body of a bearable size."""
    if int(request.headers.get("content-length") or 0) > MAX_BODY_BYTES:
        raise BadRequest("body", "it is too large")
    return await request.body()


async def report(request: Request) -> Response:
    """Apply what a flow run reports, and answer with the job as it is then."""
    told = reports.read(await body_of(request))
    if isinstance(told, reports.Started):
        await context.before_start(told)
    holder = context.current()
    job = await context.in_ledger(reports.apply, holder.ledger, holder.files, told, actor=f"worker:{told.worker}")
    context.announce(job)
    return json_of(job)


async def heartbeat(request: Request) -> Response:
    """Note that a worker is alive; answer with the models that it should fetch."""
    try:
        beat = _BEAT.validate_json(await body_of(request))
    except ValidationError as error:
        raise bad_request(error) from error
    wanted = context.workers().beat(beat)
    context.wake()
    return JSONResponse({"wanted_models": list(wanted)})


async def good_bye(request: Request) -> Response:
    """Forget a worker that stops."""
    context.workers().gone(request.path_params["name"])
    return Response(status_code=204)


async def submit(request: Request) -> Response:
    """Make a job: of a file in a form, or of bytes that lie on storage already (`StoredRecording`)."""
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        return json_of(await _submit_file(request))
    try:
        asked = StoredRecording.model_validate_json(await body_of(request))
    except ValidationError as error:
        raise bad_request(error) from error
    owner = await _owner(asked.owner)
    job = await accept_stored(
        sha256=asked.media_sha256,
        size_bytes=asked.media_bytes,
        owner_id=owner.id,
        name=asked.name,
        options=asked.options.options(),
        lane=asked.lane,
        actor=asked.actor,
        key=asked.idempotency_key,
        in_hand=asked.in_hand,
    )
    return json_of(job)


async def _submit_file(request: Request) -> Job:
    settings = context.settings()
    uploads_dir = settings.storage.uploads_dir
    async with received(request, uploads_dir, limit_bytes=settings.web.max_upload_bytes) as form:
        owner = await _owner(form.first("owner") or "admin")
        name, options = clean_name(form.file_name()), options_from_json(form.first("options"))
        await check(form.path, name, options)
        return await take_in(
            form.path,
            sha256=form.sha256,
            size_bytes=form.size_bytes,
            owner_id=owner.id,
            name=name,
            options=options,
            lane=lane_from(form.first("lane")),
            actor=form.first("actor") or "worker:http",
            key=form.first("idempotency_key"),
        )


async def _owner(name: str) -> User:
    user = await context.read(users.by_name, name)
    if user is None:
        raise NotFound("user", name)
    return user


async def job(request: Request) -> Response:
    """The job as it is now."""
    return json_of(await context.read(jobs.get, request.path_params["job_id"]))


async def exports(request: Request) -> Response:
    """Names on storage of the job's files, by format."""
    return JSONResponse(await context.read(jobs.exports_of, request.path_params["job_id"]))


async def spans(request: Request) -> Response:
    """The job's spans, and who heard them."""
    rows = await context.read(jobs.spans_of, request.path_params["job_id"])
    return JSONResponse([json.loads(to_json(row)) for row in rows])


async def transcript(request: Request) -> Response:
    """The job's transcript.

    Raises:
        NotFound: there is none yet.
    """
    job_id = request.path_params["job_id"]
    found = await context.read(transcripts.get, job_id)
    if found is None:
        raise NotFound("transcript of job", job_id)
    return json_of(found)


async def tidy(_: Request) -> Response:
    """Purge what was deleted long ago, and forget uploads, sessions, log-in tries and answers of old."""
    tidied = await context.write(upkeep.tidy, now=utc_now())
    told: dict[str, Any] = json.loads(to_json(tidied))
    told["uploads"] = await sweep()
    before = utc_now() - timedelta(days=context.settings().web.deleted_kept_days)
    holder = context.current()
    told["purged"] = await context.in_thread(intake.purge_deleted, holder.ledger, holder.files, before=before)
    told["partial_texts"] = await context.in_thread(intake.drop_partials, holder.ledger, holder.files)
    told["half_written"] = await context.in_thread(context.files().sweep)
    return JSONResponse(told)


ROUTES = [
    Route("/internal/v1/reports", report, methods=["POST"]),
    Route("/internal/v1/heartbeats", heartbeat, methods=["POST"]),
    Route("/internal/v1/heartbeats/{name}", good_bye, methods=["DELETE"]),
    Route("/internal/v1/jobs", submit, methods=["POST"]),
    Route("/internal/v1/jobs/{job_id}", job, methods=["GET"]),
    Route("/internal/v1/jobs/{job_id}/exports", exports, methods=["GET"]),
    Route("/internal/v1/jobs/{job_id}/spans", spans, methods=["GET"]),
    Route("/internal/v1/jobs/{job_id}/transcript", transcript, methods=["GET"]),
    Route("/internal/v1/upkeep", tidy, methods=["POST"]),
]
