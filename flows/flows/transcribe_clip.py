"""`transcribe-clip`: one short recording from upload to subtitles in one flow run, beside the engine."""

import contextlib
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import FlowRun, State

from flows.runs.job_attempt import RecordingAttempt, report_started, run_attempt
from flows.runs.local_spans import LocalSpans
from flows.runs.process_state import HEAD_STARTS, CancelFlag, Resident
from flows.runs.read_recording import RecordingReader
from flows.runs.run_outcomes import this_run
from flows.runs.transcribe_spans import ClipTranscription
from flows.worker.abandoned_runs import DEATHS
from storage.domain.deployments import Deployment
from storage.domain.records import Job


class Clip(RecordingAttempt):
    """An attempt at a recording of seconds, which ends before anybody could read on."""

    def transcription_of(self, reading: RecordingReader, language: str | None) -> ClipTranscription:
        return ClipTranscription(self, reading, language)

    async def report_exporting(self) -> None:
        """Report nothing: the files are there a moment later."""


async def read_ahead(here: Resident, flow_run: FlowRun) -> Job:
    """Report the start, and put the plan on storage, where the attempt finds it."""
    flag = here.flag(flow_run.id)
    job = await report_started(here, flow_run.id, flow_run.parameters["job_id"], flow_run.parameters["attempt"])
    if not job.state.finished:
        reading = RecordingReader(here=here, job=job, flag=flag, span_max_s=here.settings.engine.span_max_s)
        with contextlib.suppress(Exception):  # the attempt meets it again, and reports it
            await reading.read()
    return job


HEAD_STARTS[Deployment.TRANSCRIBE_CLIP.value] = read_ahead


@flow(name=Deployment.TRANSCRIBE_CLIP.value, persist_result=False)
async def transcribe_clip(job_id: str, attempt: int) -> State[Any] | None:
    """Run one attempt at a short recording's job, as `transcribe-recording` does, without other flow runs.

    The clip takes one slot of a gpu worker. Its results have the same names as those of the long way.
    """
    deaths = int(this_run().labels.get(DEATHS, 0))

    def clip(here: Resident, flag: CancelFlag, job: Job) -> Clip:
        return Clip(here, flag, job, span_runs=LocalSpans(here=here, flag=flag, deaths=deaths))

    return await run_attempt(Deployment.TRANSCRIBE_CLIP, job_id, attempt, clip)
