"""Begin with a clip while Prefect makes its flow run and hands that over.

What is begun are its plan, its spans and their results: their names on storage follow from the content alone, so the
clip's own attempt finds them, and waits for those that are being made. Nothing is reported, and failures are left to
the attempt, which meets them again.
"""

import asyncio
import logging
from typing import Any

from websockets.exceptions import WebSocketException

from flows.runs.job_attempt import RecordingAttempt
from flows.runs.local_spans import LocalSpans
from flows.runs.process_state import CancelFlag, Resident, in_thread
from flows.runs.read_recording import RecordingReader
from flows.runs.run_outcomes import Stopped
from flows.runs.transcribe_spans import ClipTranscription
from storage.domain.errors import TranscriberError
from storage.domain.records import Job
from storage.remote.clip_offers import offered
from storage.remote.service_tokens import worker_secret

log = logging.getLogger(__name__)

AGAIN_AFTER_S = 1.0
ASK_EVERY_S = 3.0
"""Whether the job is still wanted, should its flow run not come."""


class ClipAhead(RecordingAttempt):
    """The part of an attempt at a clip that can be done without telling anybody."""

    transcription: ClipTranscription | None = None

    def made(self, index: int) -> bool:
        """Return whether a span's result was made for this clip, and not found."""
        return self.transcription is not None and index not in self.transcription.reused

    async def tell(self, kind: Any, **fields: Any) -> Job:  # noqa: ARG002 - the attempt itself tells
        return self.job

    async def hear(self) -> None:
        """Store plan, spans and results; a failure is the attempt's to report."""
        try:
            language = await in_thread(self.requested_language)
            reading = RecordingReader(here=self.here, job=self.job, flag=self.flag, span_max_s=self.span_max_s)
            self.transcription = ClipTranscription(self, reading, language)
            await self.transcription.run()
        except (Stopped, TranscriberError) as error:
            log.info("job %s: begun ahead of its flow run, and left to that (%r)", self.job.id, error)
        except Exception:
            log.exception("job %s: begun ahead of its flow run, and left to that", self.job.id)


async def listen(here: Resident) -> None:
    """Begin with the clips that the web process offers, forever."""
    secret = worker_secret(here.settings)
    while True:
        try:
            async for job in offered(here.settings.web.base_url, secret, here.name):
                begin(here, job)
        except (OSError, WebSocketException, ValueError) as error:
            log.debug("no clips are offered now: %s", error)
            await asyncio.sleep(AGAIN_AFTER_S)


def begin(here: Resident, job: Job) -> "asyncio.Task[None]":
    """Begin with a clip."""
    flag = CancelFlag()
    spans = LocalSpans(here=here, flag=flag, lane=job.lane, ask_every_s=ASK_EVERY_S)
    ahead = ClipAhead(here, flag, job, span_runs=spans)
    here.ahead.keep(ahead)
    return asyncio.create_task(ahead.hear())
