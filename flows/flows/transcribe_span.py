"""`transcribe-span`: transcribes one span on this worker's device and stores the result."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.runs.process_state import CancelFlag, Resident, current, in_thread
from flows.runs.run_outcomes import Stopped, cancelled, failed, this_run, with_retries
from flows.worker.abandoned_runs import DEATHS
from storage.domain import names
from storage.domain.deployments import Deployment
from storage.domain.errors import StaleAttempt, TranscriberError
from storage.domain.records import Options, SpanResult, Stretch, from_json, to_json
from storage.jobs.reports import Advanced, SpanHeard

REPORT_EVERY_S = 1.0


@dataclass(kw_only=True)
class SpanTranscription:
    """The transcription of one span; `done_s` is the seconds of speech done so far."""

    here: Resident
    flag: CancelFlag
    job_id: str
    attempt: int
    index: int
    samples_sha256: str
    result: str
    model: str
    fingerprint: str
    language: str | None
    options: Options
    speech: tuple[Stretch, ...]
    maybe: tuple[Stretch, ...]
    deaths: int
    done_s: float = field(default=0.0, init=False)

    def note(self, done_s: float) -> None:
        self.done_s = done_s

    def transcribe(self) -> SpanResult:
        """Transcribe the span and store the result; blocking, for a thread."""
        from tasks.asr.base import DecodingStopped
        from tasks.audio import ingest

        pcm = ingest.read_span(self.here.files, self.samples_sha256)
        with self.here.engine_pool().borrow(self.model, self.fingerprint, deaths=self.deaths) as borrowed:
            try:
                span_result = borrowed.transcribe(
                    pcm,
                    options=self.options,
                    language=self.language,
                    speech=self.speech,
                    maybe=self.maybe,
                    should_stop=self.flag.is_raised,
                    on_progress=self.note,
                )
            except DecodingStopped as stopped:
                raise Stopped from stopped
        self.here.files.write(self.result, to_json(span_result))
        self.here.on_transcribed(sum(each.end_s - each.start_s for each in self.speech))
        return span_result

    def report(self, span_result: SpanResult, *, reused: bool) -> None:
        self.here.reporter.send(
            SpanHeard(
                job_id=self.job_id,
                attempt=self.attempt,
                worker=self.here.name,
                index=self.index,
                result=self.result,
                engine_s=span_result.engine_s,
                reused=reused,
                given_up=span_result.given_up,
            )
        )

    async def keep_reporting(self) -> None:
        """Report progress once a second; the answer for a cancelled job stops the work."""
        reported_s = 0.0
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            done_s = self.done_s
            if done_s <= reported_s:
                continue
            step = Advanced(
                job_id=self.job_id, attempt=self.attempt, worker=self.here.name, index=self.index, done_s=done_s
            )
            try:
                await in_thread(lambda step=step: self.here.reporter.send(step))  # type: ignore[misc]
                reported_s = done_s
            except StaleAttempt:
                self.flag.raise_()
                return
            except TranscriberError:
                continue  # only progress; the result is what counts

    async def run(self) -> None:
        """Reuse or create the result, then report it."""
        names.required_in(names.results_folder(self.samples_sha256), self.result)
        if await in_thread(lambda: self.here.files.exists(self.result)):
            span_result, reused = (
                from_json(SpanResult, await in_thread(lambda: self.here.files.read(self.result))),
                True,
            )
        else:
            reporting = asyncio.create_task(self.keep_reporting())
            try:
                span_result, reused = await in_thread(self.transcribe), False
            finally:
                reporting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await reporting
        await in_thread(lambda: self.report(span_result, reused=reused))


@flow(name=Deployment.TRANSCRIBE_SPAN.value, persist_result=False)
async def transcribe_span(  # noqa: PLR0917 - Prefect calls it by name
    job_id: str,
    attempt: int,
    index: int,
    samples_sha256: str,
    result: str,
    model: str,
    fingerprint: str,
    language: str | None,
    options: Options,
    speech: list[tuple[float, float]],
    maybe: list[tuple[float, float]] = [],  # noqa: B006 - Prefect reads the default from the signature
) -> State[Any] | None:
    """Transcribe one span and store the result under `result`, unless it exists.

    `speech` lists the speech in the span, and `maybe` what may be speech, in seconds from its start.
    """
    run = this_run()
    here, flag = current(), current().flag(run.id)
    transcription = SpanTranscription(
        here=here,
        flag=flag,
        job_id=job_id,
        attempt=attempt,
        index=index,
        samples_sha256=samples_sha256,
        result=result,
        model=model,
        fingerprint=fingerprint,
        language=language,
        options=options,
        speech=tuple(Stretch(start_s=start_s, end_s=end_s) for start_s, end_s in speech),
        maybe=tuple(Stretch(start_s=start_s, end_s=end_s) for start_s, end_s in maybe),
        deaths=int(run.labels.get(DEATHS, 0)),
    )
    try:
        await with_retries(transcription.run, flag=flag)
    except Stopped:
        return cancelled("stopped on request between two stretches of speech")
    except StaleAttempt as stale:
        return cancelled(str(stale))
    except TranscriberError as error:
        return failed(error)
    return None
