"""OpenAI's `stream=true`: the text of a job as server-sent events, while it is transcribed.

https://platform.openai.com/docs/guides/speech-to-text#streaming-transcriptions. The job does not depend on who listens.
"""

import json
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse, StreamingResponse

from dashboards.api.speaker_segments import speaker_segments
from dashboards.http.error_responses import answer_for, error_answer
from dashboards.runtime import context, db
from dashboards.services import text_so_far
from storage.domain.errors import NotFound, TranscriberError
from storage.domain.job_messages import text_of
from storage.domain.records import Job, JobState
from storage.jobs import job_store
from storage.transcripts import transcript_store

KEEP_ALIVE_S = 10.0
KEEP_ALIVE = b": waiting\n\n"
"""A comment, which keeps proxies from closing a silent connection."""

logger = logging.getLogger(__name__)


class GrowingText:
    """The text so far of a job's attempt, and what was sent.

    It ends before the first part that may still change, because what was sent cannot be taken back.
    """

    def __init__(self) -> None:
        self.sent = ""
        self._attempt, self._parts, self._certain = 0, 0, True
        self._segments: list[str] = []

    def delta(self, text: str) -> str:
        """Return what a longer text adds to what was sent, else nothing.

        Another attempt begins anew: it is silent until it has caught up.
        """
        if not text.startswith(self.sent):
            return ""
        added = text[len(self.sent) :]
        self.sent = text
        return added

    async def read(self, job: Job) -> str:
        """Fetch the parts that are new, and return the text so far."""
        if job.attempt != self._attempt:
            self._attempt, self._parts, self._certain, self._segments = job.attempt, 0, True, []
        if job.parts > self._parts and self._certain:
            await self._fetch(job)
        return " ".join(self._segments)

    async def _fetch(self, job: Job) -> None:
        try:
            body = await text_so_far.of(job, self._parts)
        except TranscriberError:  # it has ended or begun again, or storage is away: what is missing comes later
            return
        if body is None:
            return
        told = json.loads(body)
        if (told["attempt"], told["after"]) == (self._attempt, self._parts):
            self._parts, self._certain = told["parts"], told["certain"]
            segments = told["segments"] if self._certain else []
            self._segments += filter(None, (segment["text"].strip() for segment in segments))


def streamed(job: Job, *, speakers: bool = False, keep_alive_s: float = KEEP_ALIVE_S) -> StreamingResponse:
    """Respond with deltas as spans finish, then the whole text or an error.

    With `speakers` the segments come before the whole text, since speakers are known only at the end.

    The deltas together are the whole text, unless another attempt of a disturbed job heard something else: then the
    last event is right.
    """
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(job.id, keep_alive_s, speakers), media_type="text/event-stream", headers=headers)


async def _events(job_id: str, keep_alive_s: float, speakers: bool) -> AsyncIterator[bytes]:
    try:
        async with aclosing(_text_of(job_id, keep_alive_s, speakers)) as events:
            async for event in events:
                yield event
    except TranscriberError as error:
        yield _error(answer_for(error))
    except Exception:
        logger.exception("the text of job %s cannot be streamed any more", job_id)
        message = "something went wrong on the server; the transcript will be in the list of recordings"
        yield _error(error_answer(HTTPStatus.INTERNAL_SERVER_ERROR, code="internal_error", message=message))


async def _text_of(job_id: str, keep_alive_s: float, speakers: bool) -> AsyncGenerator[bytes, None]:
    growing, due_s = GrowingText(), time.monotonic() + keep_alive_s
    with context.current().bus.listen(job_id=job_id) as listener:
        while not (job := await db.read(job_store.get, job_id)).state.finished:
            if added := growing.delta(await growing.read(job)):
                due_s = time.monotonic() + keep_alive_s
                yield _delta(added)
            elif (wait_s := due_s - time.monotonic()) > 0:
                await listener.next(wait_s=wait_s)
            else:
                due_s = time.monotonic() + keep_alive_s
                yield KEEP_ALIVE
    if job.state is not JobState.COMPLETED:
        yield _error(failure(job))
        return
    transcript = await db.read(transcript_store.get, job.id)
    if transcript is None:
        raise NotFound("transcript of job", job.id)
    if added := growing.delta(transcript.text):
        yield _delta(added)
    for segment in speaker_segments(transcript) if speakers else ():
        yield _event(segment)
    yield _event({"type": "transcript.text.done", "text": transcript.text})


def failure(job: Job) -> JSONResponse:
    """Return the response of a job that has failed or was cancelled."""
    message = text_of(job.error) or f"the job was {job.state}"
    return error_answer(HTTPStatus.UNPROCESSABLE_ENTITY, code=f"transcription_{job.state}", message=message)


def _delta(added: str) -> bytes:
    return _event({"type": "transcript.text.delta", "delta": added})


def _error(answer: JSONResponse) -> bytes:
    return b"event: error\n" + _event({"type": "error"} | json.loads(bytes(answer.body)))


def _event(told: dict[str, Any]) -> bytes:
    """Return an event in ASCII: readers differ on which other characters end a line."""
    return f"data: {json.dumps(told)}\n\n".encode()
