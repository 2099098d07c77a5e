"""The internal API: reports and heartbeats of workers, jobs of the command line.

JSON in, JSON out. Every call is idempotent: reports by their id, jobs by their idempotency key. Workers decode hostile
media, so their token opens no more than they need; whatever they do is recorded as theirs.
"""

import asyncio
import json
from contextlib import suppress
from dataclasses import replace
from functools import partial
from http import HTTPStatus

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from dashboards.http.error_responses import bad_request
from dashboards.http.identity import By, caller_of
from dashboards.http.multipart import received
from dashboards.http.request_options import OptionsForm, lane_from, options_from_json
from dashboards.runtime import context, db, notify, upkeep
from dashboards.services import accept_recording, jobs
from dashboards.services.accept_recording import NewRecording
from storage.accounts import users
from storage.accounts.canary_account import CANARY_ID
from storage.domain import batch_sources
from storage.domain.batch_outcomes import MOST_KEYS, KnownState
from storage.domain.clock import new_id
from storage.domain.errors import BadRequest, NotAllowed, NotFound, VersionMismatch
from storage.domain.records import Job, Lane, User, to_json
from storage.domain.tags import split_tags
from storage.jobs import job_store, known_recordings, queue_order, reports
from storage.jobs.annotations.metadata import metadata_from_json
from storage.jobs.reports import Report
from storage.remote import clip_offers
from storage.remote.worker_registry import OWN_VERSION, WorkerBeat
from storage.transcripts import transcript_store

_BEAT: TypeAdapter[WorkerBeat] = TypeAdapter(WorkerBeat)
_STATES: TypeAdapter[list[KnownState]] = TypeAdapter(list[KnownState])


class StoredRecording(BaseModel):
    """A recording whose bytes the caller has stored under the content name."""

    model_config = ConfigDict(extra="forbid")

    owner: str = "admin"
    name: str
    media_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    media_bytes: int = Field(gt=0)
    options: OptionsForm = Field(default_factory=OptionsForm)
    lane: Lane = Lane.BATCH
    actor: str = "worker:http"
    idempotency_key: str | None = None
    in_hand: bool = False  # the caller transcribes it: no worker gets it


class AskedRecording(BaseModel):
    """A recording that a batch would send; `again` asks for failed and deleted ones."""

    model_config = ConfigDict(extra="forbid")

    owner: str = "admin"
    key: str
    again: bool = False
    actor: str = "worker:http"


class AskedRecordings(BaseModel):
    """The keys of many recordings of a batch."""

    model_config = ConfigDict(extra="forbid")

    owner: str = "admin"
    keys: list[str] = Field(max_length=MOST_KEYS)


def json_of(record: object, status: int = HTTPStatus.OK) -> Response:
    """Respond with a record as JSON."""
    return Response(to_json(record), status_code=status, media_type="application/json")


async def report(request: Request) -> Response:
    """Apply a flow run's report, and respond with the job as it is then."""
    told = _by_its_worker(request, reports.read(await request.body()))
    if isinstance(told, reports.Started):
        await notify.before_start(told)
    holder = context.current()
    apply = partial(reports.apply, actor=f"worker:{told.worker}", on_applied=notify.announce)
    job = await db.in_ledger(apply, holder.ledger, holder.files, told)
    _count(told, job)
    return json_of(job)


def _by_its_worker(request: Request, told: Report) -> Report:
    """Return the report, and those within it, under the name of its sender."""
    named = caller_of(request).worker_named
    if isinstance(told, reports.Completed):
        told = replace(told, earlier=tuple(replace(each, worker=named(each.worker)) for each in told.earlier))
    return replace(told, worker=named(told.worker))


def _count(told: Report, job: Job) -> None:
    """Count spans and further attempts; the canary's are not work."""
    if job.owner_id == CANARY_ID:
        return
    metrics = context.current().metrics
    heard = told.earlier if isinstance(told, reports.Completed) else (told,)
    for each in heard:
        if isinstance(each, reports.SpanHeard):
            metrics.span(each.engine_s, found=each.reused)
    if isinstance(told, reports.Started) and told.attempt > 1:
        metrics.retry()


async def heartbeat(request: Request) -> Response:
    """Record a worker's heartbeat; respond with the models that it should download.

    Raises:
        VersionMismatch: the worker is of another version.
    """
    try:
        beat = _BEAT.validate_json(await request.body())
    except ValidationError as error:
        raise bad_request(error) from error
    if beat.version != OWN_VERSION:
        raise VersionMismatch(beat.name, beat.version, OWN_VERSION)
    wanted = context.workers().beat(replace(beat, name=caller_of(request).worker_named(beat.name)))
    notify.wake()
    return JSONResponse({"wanted_models": list(wanted)})


async def offers(websocket: WebSocket) -> None:
    """Offer clips to the gpu worker that listens; see `storage.remote.clip_offers`.

    After a while the connection is closed, and the worker opens another one, which a revoked token cannot.
    """
    try:
        worker = caller_of(websocket).worker_named(websocket.query_params.get("worker", ""))
    except BadRequest:
        await websocket.close()
        return
    await websocket.accept()
    with context.current().clip_offers.listening(worker) as offered:
        sending = asyncio.ensure_future(_send_on(websocket, offered))
        try:
            async with asyncio.timeout(context.current().limits.worker_listens_s):
                while (await websocket.receive())["type"] != "websocket.disconnect":
                    pass
        except TimeoutError:
            await websocket.close()
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await sending


async def _send_on(websocket: WebSocket, offered: "asyncio.Queue[Job]") -> None:
    while True:
        await websocket.send_text(to_json(await offered.get()).decode())


async def good_bye(request: Request) -> Response:
    """Remove a worker that stops."""
    context.workers().gone(caller_of(request).worker_named(request.path_params["name"]))
    return Response(status_code=204)


async def submit(request: Request) -> Response:
    """Create a job from a file in a form, or from stored bytes (`StoredRecording`).

    For a form, 201 says that there was none yet.
    """
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        job, is_new = await _submit_file(request)
        return json_of(job, HTTPStatus.CREATED if is_new else HTTPStatus.OK)
    _require_operator(request, "making a job of stored bytes")
    try:
        asked = StoredRecording.model_validate_json(await request.body())
    except ValidationError as error:
        raise bad_request(error) from error
    owner = await _owner(request, asked.owner)
    new = NewRecording(
        owner_id=owner.id,
        name=asked.name,
        options=asked.options.options(),
        lane=asked.lane,
        actor=asked.actor,
        key=asked.idempotency_key,
    )
    job = await accept_recording.accept_stored(
        new, sha256=asked.media_sha256, size_bytes=asked.media_bytes, in_hand=asked.in_hand
    )
    return json_of(job)


async def known(request: Request) -> Response:
    """Say what earlier batches did with a recording, before its bytes are sent."""
    try:
        asked = AskedRecording.model_validate_json(await request.body())
    except ValidationError as error:
        raise bad_request(error) from error
    owner = await _owner(request, asked.owner)
    actor = _actor(request, asked.actor)
    return json_of(await db.in_thread(jobs.known_to_batch, owner.id, asked.key, again=asked.again, actor=actor))


async def known_many(request: Request) -> Response:
    """Say what earlier batches did with many recordings, and how far their jobs are."""
    try:
        asked = AskedRecordings.model_validate_json(await request.body())
    except ValidationError as error:
        raise bad_request(error) from error
    owner = await _owner(request, asked.owner)
    found = await db.read(known_recordings.find_many, owner.id, asked.keys)
    return Response(_STATES.dump_json(found), media_type="application/json")


async def _submit_file(request: Request) -> tuple[Job, bool]:
    settings = context.settings()
    uploads_dir = settings.storage.uploads_dir
    async with received(request, uploads_dir, limit_bytes=settings.web.max_upload_bytes) as form:
        owner = await _owner(request, form.first("owner") or "admin")
        new = NewRecording(
            owner_id=owner.id,
            name=form.file_name(),
            options=options_from_json(form.first("options")),
            lane=lane_from(form.first("lane")),
            actor=_actor(request, form.first("actor") or "worker:http"),
            key=form.first("idempotency_key"),
            tags=split_tags(form.first("tags")),
            metadata=metadata_from_json(form.first("metadata")),
            job_id=new_id(),
        )
        part_id = form.first("replaces")
        job = await accept_recording.accept_file(new, form.path, sha256=form.sha256, size_bytes=form.size_bytes)
    if part_id:
        await db.in_thread(jobs.delete_part, part_id, job, actor=new.actor)
    return job, job.id == new.job_id


def _actor(request: Request, claimed: str) -> str:
    """Return who acts. A worker is always a worker, and by its own token always itself."""
    caller = caller_of(request)
    if caller.by is By.OPERATOR:
        return claimed
    if claimed.startswith("worker:"):
        return f"worker:{caller.worker_named(claimed.removeprefix('worker:'))}"
    return caller.actor


async def _owner(request: Request, name: str) -> User:
    """Return the owner that is named. A worker names only owners of listed batch sources.

    Raises:
        NotAllowed: a worker names somebody else.
        NotFound: there is no such user.
    """
    listed = {each.owner for each in batch_sources.parse(context.settings().web.batch_sources)}
    if caller_of(request).by is By.WORKER and name not in listed:
        raise NotAllowed(f"making a job for {name}", f"an entry in {batch_sources.SETTING}")
    user = await db.read(users.by_name, name)
    if user is None:
        raise NotFound("user", name)
    return user


async def job(request: Request) -> Response:
    """Return the job as it is now."""
    _require_operator(request, "reading a job")
    return json_of(await db.read(job_store.get, request.path_params["job_id"]))


async def exports(request: Request) -> Response:
    """Return the storage names of the job's exports, by format."""
    _require_operator(request, "reading a job's exports")
    return JSONResponse(await db.read(job_store.exports_of, request.path_params["job_id"]))


async def queue(request: Request) -> Response:
    """Return the waiting jobs in their order, with the seconds until they end."""
    _require_operator(request, "reading the queue")
    places = await db.read(queue_order.places)
    waits_s = context.current().waits_s(places)
    return JSONResponse([{"id": job_id, "done_in_s": waits_s.get(job_id)} for job_id in places])


async def spans(request: Request) -> Response:
    """Return the job's spans with their workers. Workers see those of jobs in flight."""
    found = await db.read(job_store.get, request.path_params["job_id"])
    if found.state.finished:
        _require_operator(request, "reading the spans of a finished job")
    rows = await db.read(job_store.spans_of, request.path_params["job_id"])
    return JSONResponse([json.loads(to_json(row)) for row in rows])


async def transcript(request: Request) -> Response:
    """Return the job's transcript.

    Raises:
        NotFound: there is none yet.
    """
    _require_operator(request, "reading a transcript")
    job_id = request.path_params["job_id"]
    found = await db.read(transcript_store.get, job_id)
    if found is None:
        raise NotFound("transcript of job", job_id)
    return json_of(found)


async def tidy(request: Request) -> Response:
    """Do the hourly maintenance now, for the command line."""
    _require_operator(request, "maintenance")
    return JSONResponse(await upkeep.tidy())


def _require_operator(request: Request, action: str) -> None:
    """Check that the command line asks, on the machine of the web process.

    Raises:
        NotAllowed: a worker asks, whose token opens reports, heartbeats and the spans of jobs in flight.
    """
    if caller_of(request).by is not By.OPERATOR:
        raise NotAllowed(action, "the command line on the web process's machine")


ROUTES = [
    Route("/internal/v1/reports", report, methods=["POST"]),
    Route("/internal/v1/heartbeats", heartbeat, methods=["POST"]),
    Route("/internal/v1/heartbeats/{name}", good_bye, methods=["DELETE"]),
    WebSocketRoute(clip_offers.PATH, offers),
    Route("/internal/v1/jobs", submit, methods=["POST"]),
    Route("/internal/v1/known-recordings", known, methods=["POST"]),
    Route("/internal/v1/known-recordings/many", known_many, methods=["POST"]),
    Route("/internal/v1/queue", queue, methods=["GET"]),
    Route("/internal/v1/jobs/{job_id}", job, methods=["GET"]),
    Route("/internal/v1/jobs/{job_id}/exports", exports, methods=["GET"]),
    Route("/internal/v1/jobs/{job_id}/spans", spans, methods=["GET"]),
    Route("/internal/v1/jobs/{job_id}/transcript", transcript, methods=["GET"]),
    Route("/internal/v1/upkeep", tidy, methods=["POST"]),
]
