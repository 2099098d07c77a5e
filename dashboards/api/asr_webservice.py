"""`/asr` and `/detect-language` as whisper-asr-webservice has them.

They are for programs that send no key, such as Bazarr; https://github.com/ahmetoner/whisper-asr-webservice. `AsrDoor`
decides who is let in and whose the recordings are. With `encode=false` the file is raw samples: 16 bits, little-endian,
16 kHz, mono.
"""

import json
from contextlib import suppress
from typing import Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from dashboards.api import headerless_form, long_answer, openai_stream
from dashboards.api.form_upload import FormUpload, form_upload
from dashboards.api.openai_api import segment_body, text_of
from dashboards.http.error_responses import bad_request
from dashboards.http.identity import caller_of
from dashboards.http.request_options import OptionsForm
from dashboards.runtime import context, db
from dashboards.services import jobs, make_exports
from storage.domain.errors import BadRequest, JobMoved, NotFound
from storage.domain.job_actions import JobAction
from storage.domain.languages import NAMES
from storage.domain.recording_names import clean_name
from storage.domain.records import ExportFormat, Job, JobState, Lane, Options, Transcript
from storage.media.added_header import ByteRange
from storage.media.headerless import Headerless

RAW = Headerless(rate_hz=16_000)
SAMPLED_S, SAMPLES = 30, 6
"""The language of a long recording of raw samples is heard in this many stretches, spread evenly."""
ENGINE = "faster_whisper"


class AsrQuery(BaseModel):
    """The parameters of `/asr`; others are ignored, as the original does.

    Speech is found in any case, so `vad_filter` changes nothing.
    """

    model_config = ConfigDict(extra="ignore")

    encode: bool = True
    task: Literal["transcribe", "translate"] = "transcribe"
    language: str | None = None
    initial_prompt: str | None = None
    vad_filter: bool = False
    word_timestamps: bool = False
    diarize: bool = False
    min_speakers: int | None = Field(None, ge=1)
    max_speakers: int | None = Field(None, ge=1)
    output: Literal["txt", "vtt", "srt", "tsv", "json"] = "txt"
    video_file: str | None = Field(None, description="Name of the recording; Bazarr and subgen send the video's path.")

    @classmethod
    def of(cls, request: Request) -> "AsrQuery":
        """Read a request's query.

        Raises:
            BadRequest: a parameter is not valid; the message names it.
        """
        try:
            return cls.model_validate({name: value for name, value in request.query_params.items() if value})
        except ValidationError as error:
            raise bad_request(error) from error

    def options(self) -> Options:
        """Return the options of the job.

        Raises:
            BadRequest: one is not valid, or cannot be followed here; the message names it.
        """
        if self.diarize and not context.workers().tell_speakers_apart():
            raise BadRequest("diarize", "it needs a worker that tells speakers apart, and none is here; leave it out")
        if self.min_speakers != self.max_speakers:
            raise BadRequest("min_speakers", "send the same number as max_speakers, or leave both out")
        asked: dict[str, Any] = {"task": self.task, "language": self.language, "prompt": self.initial_prompt}
        try:
            return OptionsForm(**asked, diarize=self.diarize, speakers=self.min_speakers).options()
        except ValidationError as error:
            wrong = bad_request(error)
            raise BadRequest("initial_prompt" if wrong.field == "prompt" else wrong.field, wrong.problem) from error


async def asr(request: Request) -> Response:
    """POST /asr: transcribe a file, or translate it into English."""
    query = AsrQuery.of(request)
    options = query.options()
    async with form_upload(request, once=True) as upload:
        job = await _accepted(upload, query, options)
        name = upload.form.file_name()
    job = await long_answer.finished(request.receive, job.id)
    if job.state is not JobState.COMPLETED:
        return openai_stream.failure(job)
    headers = {"Asr-Engine": ENGINE, "Content-Disposition": f'attachment; filename="{quote(name)}.{query.output}"'}
    return PlainTextResponse(await _body(job, query), headers=headers)


async def detect_language(request: Request) -> Response:
    """POST /detect-language: tell the language of a file.

    It is known when the recording is transcribed; its job is deleted then, and can be restored as any other.
    """
    query = AsrQuery.of(request)
    async with form_upload(request, once=True) as upload:
        job = await _accepted(upload, query, AsrQuery().options(), sampled=True)
    job = await long_answer.finished(request.receive, job.id)
    if job.state is not JobState.COMPLETED:
        return openai_stream.failure(job)
    transcript = await text_of(job)
    with suppress(NotFound, JobMoved):  # by the same call, sent twice
        await db.in_thread(jobs.perform, JobAction.DELETE, caller_of(request).the_user(), job.id)
    code, name = transcript.language, NAMES.get(transcript.language, transcript.language)
    confidence = transcript.language_probability or 0.0
    return JSONResponse({"detected_language": name, "language_code": code, "confidence": confidence})


async def _accepted(upload: FormUpload, query: AsrQuery, options: Options, *, sampled: bool = False) -> Job:
    form = upload.form
    form.name = clean_name(query.video_file or form.file_name())
    if not query.encode:
        await headerless_form.give_header(form, RAW, _stretches(form.size_bytes) if sampled else None)
    if sampled:
        form.name = f"language of {form.name}"
    return await upload.accept(options, Lane.INTERACTIVE)


def _stretches(size_bytes: int) -> tuple[ByteRange, ...] | None:
    """Return where the language of a raw recording is heard; None for everywhere."""
    seconds = size_bytes // RAW.second_bytes
    if seconds <= SAMPLED_S * SAMPLES:
        return None
    starts = [round(place * (seconds - SAMPLED_S) / (SAMPLES - 1)) for place in range(SAMPLES)]
    return tuple(ByteRange(start=at * RAW.second_bytes, end=(at + SAMPLED_S) * RAW.second_bytes) for at in starts)


async def _body(job: Job, query: AsrQuery) -> str:
    if query.output == "json":
        transcript = await text_of(job)
        return json.dumps(_as_json(transcript, words=query.word_timestamps))
    return (await make_exports.read(job, ExportFormat(query.output), job.options.cues)).decode()


def _as_json(transcript: Transcript, *, words: bool) -> dict[str, Any]:
    segments = []
    for place, segment in enumerate(transcript.segments):
        heard = [
            {"start": word.start_s, "end": word.end_s, "word": word.text, "probability": word.probability}
            for word in segment.words
        ]
        segments.append(segment_body(place, segment) | {"words": heard if words else None})
    return {"language": transcript.language, "segments": segments, "text": transcript.text}


ROUTES = [
    Route("/asr", asr, methods=["POST"]),
    Route("/detect-language", detect_language, methods=["POST"]),
]
