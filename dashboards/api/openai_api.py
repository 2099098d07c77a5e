"""`/v1` as OpenAI's audio API has it, so that programs written for that one work with a base URL and a key of ours.

https://platform.openai.com/docs/api-reference/audio. The answer waits for the job on the in-process bus. A client
that leaves loses its answer and nothing else: the job goes on and is in the user's list.
"""

import asyncio
from collections.abc import Collection
from http import HTTPStatus
from math import ceil
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dashboards import context, exports
from dashboards.answers import bad_request, error_answer
from dashboards.callers import caller_of
from dashboards.forms import OptionsForm
from dashboards.landing import check, clean_name, take_in
from dashboards.languages import NAMES
from dashboards.media import TYPES
from dashboards.multipart import Form, received
from storage import jobs, transcripts
from storage.errors import BadRequest, NotFound
from storage.records import ExportFormat, Job, JobState, Lane, Options, Transcript

ANY_MODEL = "whisper-1"
LOOK_AGAIN_S = 10.0


class Ask(BaseModel):
    """The fields of a request that are not options of the job; fields that mean nothing here are let pass."""

    model_config = ConfigDict(extra="ignore")

    response_format: str = Field("json", pattern="^(json|text|srt|vtt|verbose_json)$")
    granularities: set[Literal["word", "segment"]] = Field({"segment"}, alias="timestamp_granularities")


async def transcribe(request: Request) -> Response:
    """POST /v1/audio/transcriptions."""
    return await _hear(request, task="transcribe")


async def translate(request: Request) -> Response:
    """POST /v1/audio/translations: the same, into English."""
    return await _hear(request, task="translate")


async def _hear(request: Request, *, task: str) -> Response:
    job, ask = await _accepted(request, task)
    job = await finished(request, job.id)
    if job.state is not JobState.COMPLETED:
        message = job.error or f"the job was {job.state}"
        return error_answer(HTTPStatus.UNPROCESSABLE_ENTITY, code=f"transcription_{job.state}", message=message)
    return await _answer(job, ask)


async def _accepted(request: Request, task: str) -> tuple[Job, Ask]:
    caller = caller_of(request)
    user = caller.may_write("transcribing")
    settings = context.settings()
    async with received(request, settings.storage.uploads_dir, limit_bytes=settings.web.max_upload_bytes) as form:
        name = clean_name(form.file_name())
        options, ask = _options(form, task), _ask(form)
        await check(form.path, name, options)
        key = request.headers.get("idempotency-key")
        job = await take_in(
            form.path,
            sha256=form.sha256,
            size_bytes=form.size_bytes,
            owner_id=user.id,
            name=name,
            options=options,
            lane=Lane.INTERACTIVE,
            actor=caller.actor,
            key=f"http:{key}" if key else None,
        )
    return job, ask


def _options(form: Form, task: str) -> Options:
    asked: dict[str, Any] = {"task": task}
    for field in ("language", "prompt", "temperature", "audio_track", "channels"):
        if value := form.first(field):
            asked[field] = value
    model = form.first("model") or ANY_MODEL
    asked["model"] = "auto" if model == ANY_MODEL else model
    try:
        return OptionsForm(**asked).options()
    except ValidationError as error:
        raise bad_request(error) from error


def _ask(form: Form) -> Ask:
    granularities = form.fields.get("timestamp_granularities[]") or form.fields.get("timestamp_granularities")
    try:
        return Ask.model_validate(
            {
                "response_format": form.first("response_format") or "json",
                "timestamp_granularities": granularities or ["segment"],
            }
        )
    except ValidationError as error:
        wrong = bad_request(error)
        raise BadRequest(wrong.field.partition(".")[0], wrong.problem) from error


async def finished(request: Request, job_id: str) -> Job:
    """Wait until the job is completed, failed or cancelled.

    Raises:
        ClientDisconnect: the client has left.
    """
    gone = asyncio.ensure_future(_until_gone(request))
    try:
        with context.current().bus.listen(job_id=job_id) as listener:
            while True:
                job = await context.read(jobs.get, job_id)
                if job.state.finished:
                    return job
                news = asyncio.ensure_future(listener.next(wait_s=LOOK_AGAIN_S))
                await asyncio.wait({news, gone}, return_when=asyncio.FIRST_COMPLETED)
                if gone.done():
                    news.cancel()
                    raise ClientDisconnect
    finally:
        gone.cancel()


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _answer(job: Job, ask: Ask) -> Response:
    if ask.response_format in {"srt", "vtt"}:
        fmt = ExportFormat(ask.response_format)
        return Response(await exports.read(job, fmt, job.options.cues), media_type=TYPES[fmt])
    transcript = await context.read(transcripts.get, job.id)
    if transcript is None:
        raise NotFound("transcript of job", job.id)
    if ask.response_format == "text":
        return PlainTextResponse(transcript.text + "\n")
    if ask.response_format == "json":
        translated = transcript.options.task == "translate"
        return JSONResponse({"text": transcript.text} | ({} if translated else usage(transcript)))
    return JSONResponse(verbose(transcript, ask.granularities))


def verbose(transcript: Transcript, granularities: Collection[str]) -> dict[str, Any]:
    """Build OpenAI's `verbose_json`. Token ids are not kept, so `tokens` is empty.

    `language` is that of the text, so a translation's is English; only transcriptions tell their usage.
    """
    translated = transcript.options.task == "translate"
    told: dict[str, Any] = {
        "task": transcript.options.task,
        "language": "english" if translated else NAMES.get(transcript.language, transcript.language),
        "duration": transcript.duration_s,
        "text": transcript.text,
    }
    if "segment" in granularities:
        told["segments"] = [
            {
                "id": place,
                "seek": round(100 * segment.start_s),
                "start": segment.start_s,
                "end": segment.end_s,
                "text": segment.text,
                **({"speaker": segment.speaker} if segment.speaker else {}),
                "tokens": [],
                "temperature": segment.temperature,
                "avg_logprob": segment.avg_logprob,
                "compression_ratio": segment.compression_ratio,
                "no_speech_prob": segment.no_speech_prob,
            }
            for place, segment in enumerate(transcript.segments)
        ]
    if "word" in granularities:
        words = [word for segment in transcript.segments for word in segment.words]
        told["words"] = [{"word": word.text.strip(), "start": word.start_s, "end": word.end_s} for word in words]
    return told if translated else told | usage(transcript)


def usage(transcript: Transcript) -> dict[str, Any]:
    """Build the `usage` of a model that is paid by the second, in whole seconds."""
    return {"usage": {"type": "duration", "seconds": ceil(transcript.duration_s)}}


async def models(_: Request) -> Response:
    """GET /v1/models: `whisper-1`, which stands for the best there is, and what workers have."""
    return JSONResponse({"object": "list", "data": [_model(name) for name in _names()]})


async def model(request: Request) -> Response:
    """GET /v1/models/{name}."""
    name = request.path_params["name"]
    if name not in _names():
        raise NotFound("model", name)
    return JSONResponse(_model(name))


def _names() -> list[str]:
    beats = context.workers().alive()
    ready = {model.name for beat in beats for model in beat.models if model.state == "ready"}
    default = context.workers().default_model()
    if default and default.state == "ready":
        ready.add(default.name)
    return [ANY_MODEL, *sorted(ready - {ANY_MODEL})]


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "whisper-transcriber"}


async def nothing(request: Request) -> Response:
    """Everything else under /v1."""
    raise NotFound("endpoint", request.url.path)


ROUTES = [
    Route("/v1/audio/transcriptions", transcribe, methods=["POST"]),
    Route("/v1/audio/translations", translate, methods=["POST"]),
    Route("/v1/models", models, methods=["GET"]),
    Route("/v1/models/{name:path}", model, methods=["GET"]),
    Route("/v1/{rest:path}", nothing, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
]
