"""`/v1`: compatible with OpenAI's audio API; clients need only a base URL and key.

https://platform.openai.com/docs/api-reference/audio. The response waits for the job on the event bus. A client that
disconnects loses only its response: the job continues, is in the user's list, and answers the same call sent again.
"""

from collections.abc import Collection
from functools import partial
from math import ceil
from typing import Any, assert_never

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dashboards.api import headerless_form, long_answer, openai_stream
from dashboards.api.form_upload import form_upload
from dashboards.api.openai_form import Ask, ask_of, check_field, options_of
from dashboards.api.speaker_segments import DIARIZED, speaker_segments
from dashboards.http.route_methods import methods_at, other_method
from dashboards.runtime import db
from dashboards.services import make_exports, model_aliases
from storage.domain.errors import ModelNotFound, NotFound
from storage.domain.languages import NAMES
from storage.domain.records import ExportFormat, Job, Lane, Segment, Transcript
from storage.transcripts import transcript_store

JSON_FORMATS = {"json", "verbose_json", DIARIZED}


async def transcribe(request: Request) -> Response:
    """POST /v1/audio/transcriptions: transcribe a file."""
    return await _hear(request, task="transcribe")


async def translate(request: Request) -> Response:
    """POST /v1/audio/translations: transcribe a file and translate it into English."""
    return await _hear(request, task="translate")


async def _hear(request: Request, *, task: str) -> Response:
    async with form_upload(request, on_field=check_field, once=True) as upload:
        ask = ask_of(upload.form, task)
        options = options_of(upload.form, task, diarize=ask.diarizes)
        if said := headerless_form.told(upload.form):
            await headerless_form.give_header(upload.form, said)
        job = await upload.accept(options, Lane.INTERACTIVE, asked_model=upload.form.first("model"))
    if ask.stream:
        return openai_stream.streamed(job, speakers=ask.response_format == DIARIZED)
    in_json = ask.response_format in JSON_FORMATS
    return await long_answer.answered(request, job, partial(_answer, ask), in_json=in_json)


async def _answer(ask: Ask, job: Job) -> Response:
    match ask.response_format:
        case "srt" | "vtt":
            fmt = ExportFormat(ask.response_format)
            return Response(await make_exports.read(job, fmt, job.options.cues), media_type=fmt.spec.media_type)
        case "text":
            return PlainTextResponse((await text_of(job)).text + "\n")
        case "json":
            transcript = await text_of(job)
            translated = transcript.options.task == "translate"
            return JSONResponse({"text": transcript.text} | ({} if translated else usage(transcript)))
        case "diarized_json":
            return JSONResponse(diarized(await text_of(job)))
        case "verbose_json":
            return JSONResponse(verbose(await text_of(job), ask.timestamp_granularities))
        case _:
            assert_never(ask.response_format)


async def text_of(job: Job) -> Transcript:
    """Return the transcript of a completed job."""
    transcript = await db.read(transcript_store.get, job.id)
    if transcript is None:
        raise NotFound("transcript of job", job.id)
    return transcript


def verbose(transcript: Transcript, granularities: Collection[str]) -> dict[str, Any]:
    """Return OpenAI's `verbose_json`, with empty `tokens`, since token ids are not stored.

    `language` is the language of the text, English for a translation; only transcriptions report their usage.
    """
    translated = transcript.options.task == "translate"
    told: dict[str, Any] = {
        "task": transcript.options.task,
        "language": "english" if translated else NAMES.get(transcript.language, transcript.language),
        "duration": transcript.duration_s,
        "text": transcript.text,
    }
    if "segment" in granularities:
        told["segments"] = list(map(segment_body, range(len(transcript.segments)), transcript.segments))
    if "word" in granularities:
        words = [word for segment in transcript.segments for word in segment.words]
        told["words"] = [{"word": word.text.strip(), "start": word.start_s, "end": word.end_s} for word in words]
    return told if translated else told | usage(transcript)


def segment_body(place: int, segment: Segment) -> dict[str, Any]:
    """Return a segment with the fields of Whisper's own output."""
    return {
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


def diarized(transcript: Transcript) -> dict[str, Any]:
    """Return OpenAI's `diarized_json`."""
    facts = {"task": transcript.options.task, "duration": transcript.duration_s, "text": transcript.text}
    return facts | {"segments": list(speaker_segments(transcript))} | usage(transcript)


def usage(transcript: Transcript) -> dict[str, Any]:
    """Return the `usage` of a model that is billed by the second, in whole seconds."""
    return {"usage": {"type": "duration", "seconds": ceil(transcript.duration_s)}}


async def models(_: Request) -> Response:
    """GET /v1/models: the aliases that can be used now, and the workers' models."""
    return JSONResponse({"object": "list", "data": [_model(name) for name in model_aliases.usable()]})


async def model(request: Request) -> Response:
    """GET /v1/models/{name}: one model."""
    name = request.path_params["name"]
    if name not in model_aliases.usable():
        raise ModelNotFound(name)
    return JSONResponse(_model(name))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "whisper-transcriber"}


async def nothing(request: Request) -> Response:
    """Handle everything else under /v1: unknown paths, and other methods of known ones."""
    return other_method(methods_at(ROUTES, request.scope), request.scope)


ROUTES = [
    Route("/v1/audio/transcriptions", transcribe, methods=["POST"]),
    Route("/v1/audio/translations", translate, methods=["POST"]),
    Route("/v1/models", models, methods=["GET"]),
    Route("/v1/models/{name:path}", model, methods=["GET"]),
    Route("/v1/{rest:path}", nothing, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
]
