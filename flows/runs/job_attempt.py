"""One attempt at a job, from reading its recording to the transcript and its files.

Where the spans are transcribed is the flow's choice: in flow runs of their own, or in this process.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from prefect.client.schemas.objects import FlowRun, State

from flows.runs.artifacts import RunArtifacts
from flows.runs.process_state import CancelFlag, Resident, in_thread
from flows.runs.read_recording import SAY_EVERY_S, RecordingReader
from flows.runs.run_outcomes import Stopped, cancelled, failed, may_pass, unless_stopped, with_retries
from flows.runs.span_runs import SpanRuns
from flows.runs.transcribe_spans import SpansTranscription
from storage.domain.deployments import Deployment
from storage.domain.errors import (
    LedgerUnreachable,
    NotFound,
    SpanFailed,
    StaleAttempt,
    TranscriberError,
    Unexpected,
)
from storage.domain.job_messages import encode, raised
from storage.domain.records import Job, Span, SpanResult, Transcript
from storage.jobs.reports import Completed, Exporting, Failed, SpanHeard, Started
from storage.remote import tracing
from storage.transcripts import transcript_files

if TYPE_CHECKING:
    from tasks.diarization.speakers import Diarization

log = logging.getLogger(__name__)


class RecordingAttempt:
    """One attempt at one job.

    With `keeps_sound`, spans are transcribed in this process, while they are still being stored.
    """

    keeps_sound: ClassVar[bool] = False

    def __init__(self, here: Resident, flag: CancelFlag, job: Job, *, span_runs: SpanRuns) -> None:
        self.here, self.job, self.flag, self.span_runs = here, job, flag, span_runs
        self.artifacts = RunArtifacts(job)

    def report(self, kind: Any, **fields: Any) -> Job:
        job: Job = self.here.reporter.send(
            kind(job_id=self.job.id, attempt=self.job.attempt, worker=self.here.name, **fields)
        )
        return job

    async def tell(self, kind: Any, **fields: Any) -> Job:
        return await in_thread(partial(self.report, kind, **fields))

    async def run(self) -> Transcript:
        language = await in_thread(self.requested_language)
        reading = self.reading()
        transcription = self.transcription_of(reading, language)
        speaker_turns = await self.transcribe(transcription)
        self.raise_if_stopped()
        await self.report_exporting()
        with tracing.span("stitch and export", self.job.id, self.job.attempt):
            return await unless_stopped(lambda: self.finish(transcription, speaker_turns), flag=self.flag)

    def reading(self, say_every_s: float | None = SAY_EVERY_S) -> RecordingReader:
        """Return the pass over the recording; without `say_every_s`, nothing is reported."""
        return RecordingReader(
            here=self.here,
            job=self.job,
            flag=self.flag,
            span_max_s=self.span_max_s,
            say_every_s=say_every_s,
            keeps_sound=self.keeps_sound,
        )

    def transcription_of(self, reading: RecordingReader, language: str | None) -> SpansTranscription:
        return SpansTranscription(self, reading, language)

    async def report_exporting(self) -> None:
        await self.tell(Exporting)

    async def cancel(self) -> None:
        """Stop what still runs elsewhere for this attempt."""
        await self.span_runs.cancel()

    def raise_if_stopped(self) -> None:
        if self.flag.is_raised():
            raise Stopped

    @property
    def span_max_s(self) -> float:
        return self.here.settings.engine.span_max_s

    def requested_language(self) -> str | None:
        """Return the language to decode, or None if the engine detects it.

        Raises:
            ModelCannot: the job requests a translation, and the model cannot translate.
        """
        from tasks.asr.base import Capabilities
        from tasks.asr.language import requested_language
        from tasks.models.catalogue import speaks_only_english

        model, options = str(self.job.model), self.job.options
        multilingual = not speaks_only_english(model, self.here.settings.model_dir)
        return requested_language(options, Capabilities(model=model, multilingual=multilingual))

    async def transcribe(self, transcription: SpansTranscription) -> "Diarization":
        """Transcribe the spans; return the speaker turns, here none."""
        from tasks.diarization.speakers import NO_DIARIZATION

        await transcription.run()
        return NO_DIARIZATION

    def finish(self, transcription: SpansTranscription, speaker_turns: "Diarization") -> Transcript:
        """Stitch, check, export and report; blocking, for a thread."""
        from tasks.asr.selected_engine import SelectedEngine
        from tasks.exports.writers import store
        from tasks.pipeline import assemble_transcript

        plan, results, spoken = transcription.outcome()
        transcript = assemble_transcript(
            plan,
            results,
            job_id=self.job.id,
            name=self.job.name,
            model=str(self.job.model),
            fingerprint=str(self.job.fingerprint),
            engine_version=SelectedEngine.version,
            spoken=spoken,
            options=self.job.options,
            diarization=speaker_turns,
        )
        self.raise_if_stopped()
        stored_as = transcript_files.store_first(self.here.files, transcript, attempt=self.job.attempt)
        exports = store(self.here.files, transcript, stored_as=stored_as, formats=self.job.options.formats)
        try:
            heard = [
                self.heard(span, found, transcription.result_of(span), reused=span.index in transcription.reused)
                for span, found in zip(plan.spans, results, strict=True)
            ]
            self.report_end(transcription, heard, transcript=stored_as, exports=exports)
        except NotFound:  # deleted meanwhile; after a newer attempt started, the files are that one's too and stay
            for name in (stored_as, *exports.values()):
                self.here.files.delete(name)
            raise
        return transcript

    def report_end(self, transcription: SpansTranscription, heard: Sequence[SpanHeard], **files: Any) -> None:  # noqa: ARG002 - for clips
        """Report the spans and the transcript.

        A worker's own report of a span may be late or lost.
        """
        for each in heard:
            self.here.reporter.send(each)
        self.report(Completed, **files)

    def report_span(self, span: Span, span_result: SpanResult, result: str, *, reused: bool) -> None:
        self.here.reporter.send(self.heard(span, span_result, result, reused=reused))

    def heard(self, span: Span, span_result: SpanResult, result: str, *, reused: bool) -> SpanHeard:
        return SpanHeard(
            job_id=self.job.id,
            attempt=self.job.attempt,
            worker=self.here.name,
            index=span.index,
            result=result,
            engine_s=span_result.engine_s,
            reused=reused,
            given_up=span_result.given_up,
        )


async def report_started(here: Resident, flow_run_id: UUID, job_id: str, attempt: int) -> Job:
    """Report that a flow run starts the attempt, and return its job."""
    report = Started(job_id=job_id, attempt=attempt, worker=here.name, flow_run_id=str(flow_run_id))
    return await in_thread(lambda: here.reporter.send(report))


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedAttempt:
    """An attempt at a job that a flow run makes; the flag stops it."""

    flow_run_id: UUID
    job_id: str
    attempt: int
    flag: CancelFlag


AttemptAt = Callable[[Resident, CancelFlag, Job], RecordingAttempt]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptOutcome:
    """How an attempt ended, and what Prefect is to show of it.

    A flow run without a final state is completed.
    """

    state: State[Any] | None = None
    transcript: Transcript | None = None
    artifacts: RunArtifacts | None = None

    async def conclude(self) -> State[Any] | None:
        """Write the artifacts of the running flow run, and return its final state."""
        if self.artifacts is not None and self.transcript is not None:
            await self.artifacts.finish(self.transcript)
        return self.state


async def run_attempt(deployment: Deployment, here: Resident, run: FlowRun, attempt_at: AttemptAt) -> AttemptOutcome:
    """Run the attempt at a job that a flow run's parameters name.

    A temporary error fails the flow run but not the job: the reconciler requeues the job as a new attempt, a bounded
    number of times.
    """
    job_id, attempt = str(run.parameters["job_id"]), int(run.parameters["attempt"])
    asked = AskedAttempt(flow_run_id=run.id, job_id=job_id, attempt=attempt, flag=here.flag(run.id))
    return await run_asked(deployment, here, asked, attempt_at)


async def run_asked(
    deployment: Deployment, here: Resident, asked: AskedAttempt, attempt_at: AttemptAt
) -> AttemptOutcome:
    """Run an attempt of a flow run that may have others beside it; see `run_attempt`."""
    job_id, attempt, flag, made = asked.job_id, asked.attempt, asked.flag, None
    try:
        job = await report_started(here, asked.flow_run_id, job_id, attempt)
        if job.state.finished:
            return AttemptOutcome()  # an earlier run reported the end and was lost before Prefect recorded it
        made = attempt_at(here, flag, job)
        with tracing.span("attempt", job_id, attempt, worker=here.name, flow=deployment.value):
            transcript = await with_retries(made.run, flag=flag)
        return AttemptOutcome(transcript=transcript, artifacts=made.artifacts)
    except Stopped:
        return AttemptOutcome(state=cancelled("stopped on request"))
    except StaleAttempt as stale:
        return AttemptOutcome(state=cancelled(str(stale)))
    except TranscriberError as error:
        if not may_pass(error):
            await _report_failure(here, job_id, attempt, error)
        return AttemptOutcome(state=failed(error))
    except Exception as error:
        if not may_pass(error):
            await _report_failure(here, job_id, attempt, Unexpected(deployment, repr(error)))
        raise
    finally:
        if made is not None:
            await made.cancel()
            made.artifacts.close()
            await in_thread(lambda: transcript_files.drop_partial(here.files, job_id, attempt))


async def _report_failure(here: Resident, job_id: str, attempt: int, error: TranscriberError) -> None:
    """Report why the attempt failed; if that fails too, the reconciler notices."""
    code = error.span_code if isinstance(error, SpanFailed) else error.code
    report = Failed(job_id=job_id, attempt=attempt, worker=here.name, error=encode(raised(error)), code=code)
    try:
        await in_thread(lambda: here.reporter.send(report))
    except (StaleAttempt, NotFound, LedgerUnreachable) as lost:
        log.warning("job %s: its failure could not be reported: %s", job_id, lost)
