"""`transcribe-clip`: one short recording from upload to subtitles in one flow run, beside the engine."""

from collections.abc import Sequence
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import FlowRun, State

from flows.runs.job_attempt import AttemptOutcome, RecordingAttempt, run_attempt
from flows.runs.local_spans import LocalSpans
from flows.runs.process_state import HEAD_STARTS, CancelFlag, Resident, current
from flows.runs.read_recording import RecordingReader
from flows.runs.run_outcomes import NO_RESULTS, this_run
from flows.runs.transcribe_spans import ClipTranscription, SpansTranscription
from flows.worker.abandoned_runs import DEATHS
from storage.domain.deployments import Deployment
from storage.domain.records import Job
from storage.jobs.reports import Completed, Planned, SpanHeard


class Clip(RecordingAttempt):
    """An attempt at a recording of seconds, which ends before anybody could read on."""

    keeps_sound = True

    def transcription_of(self, reading: RecordingReader, language: str | None) -> ClipTranscription:
        return ClipTranscription(self, reading, language)

    async def report_exporting(self) -> None:
        """Report nothing: the files are there a moment later."""

    def report_end(self, transcription: SpansTranscription, heard: Sequence[SpanHeard], **files: Any) -> None:
        """Report plan, spans and transcript at once."""
        job: dict[str, Any] = {"job_id": self.job.id, "attempt": self.job.attempt, "worker": self.here.name}
        planned = Planned(**job, **transcription.planned())
        self.report(Completed, earlier=(planned, *heard), **files)


async def attempt_clip(here: Resident, run: FlowRun) -> AttemptOutcome:
    """Run the attempt.

    It begins as soon as this process has the run, before Prefect has recorded that, and continues what this process did
    of it before (`clip_ahead`).
    """
    deaths, flag, job_id = int(run.labels.get(DEATHS, 0)), here.flag(run.id), str(run.parameters["job_id"])

    def clip(here: Resident, flag: CancelFlag, job: Job) -> Clip:
        return Clip(here, flag, job, span_runs=LocalSpans(here=here, flag=flag, lane=job.lane, deaths=deaths))

    with here.ahead.continued(job_id, flag):
        return await run_attempt(Deployment.TRANSCRIBE_CLIP, here, run, clip)


HEAD_STARTS[Deployment.TRANSCRIBE_CLIP.value] = attempt_clip


@flow(name=Deployment.TRANSCRIBE_CLIP.value, persist_result=False, result_storage=NO_RESULTS)
async def transcribe_clip(job_id: str, attempt: int) -> State[Any] | None:  # noqa: ARG001 - read from the flow run
    """Run one attempt at a short recording's job, as `transcribe-recording` does, without other flow runs.

    The clip takes one slot of a gpu worker. Its results have the same names as those of the long way.
    """
    here, run = current(), this_run()
    outcome = await (here.begun_ahead(run.id) or attempt_clip(here, run))
    return await outcome.conclude()
