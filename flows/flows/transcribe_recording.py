"""`transcribe-recording`: one recording from upload to subtitles, reusing all earlier results."""

import asyncio
from typing import TYPE_CHECKING, Any

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State

from flows.flows import diarize
from flows.runs.cluster_spans import ClusterSpans
from flows.runs.gpu_runs import GpuRuns
from flows.runs.job_attempt import RecordingAttempt, run_attempt
from flows.runs.process_state import CancelFlag, Resident, current, in_thread
from flows.runs.read_recording import RecordingReader
from flows.runs.run_outcomes import NO_RESULTS, this_run
from flows.runs.transcribe_spans import SpansTranscription
from storage.domain import names
from storage.domain.deployments import Deployment
from storage.domain.errors import SpanFailed
from storage.domain.job_messages import Diarizing, encode
from storage.domain.records import Job, Turns, from_json
from storage.jobs.reports import Noted

if TYPE_CHECKING:
    from tasks.diarization.speakers import Diarization


class Recording(RecordingAttempt):
    """An attempt whose speakers, and spans unless a cluster takes them, are gpu flow runs."""

    def __init__(self, here: Resident, flag: CancelFlag, job: Job, *, gpu: GpuRuns) -> None:
        super().__init__(here, flag, job, span_runs=spans_of(here, flag, job) or gpu)
        self.gpu = gpu

    async def cancel(self) -> None:
        """Stop the spans and the speakers."""
        await super().cancel()
        await self.gpu.cancel()

    async def transcribe(self, transcription: SpansTranscription) -> "Diarization":
        """Transcribe the spans, and diarize meanwhile if the job asks for it."""
        diarizing = asyncio.create_task(self.diarize_recording(transcription.reading))
        try:
            await transcription.run()
            if not diarizing.done():
                await self.tell(Noted, detail=encode(Diarizing()))
            return await diarizing
        finally:
            diarizing.cancel()
            await asyncio.wait({diarizing})

    async def diarize_recording(self, reading: RecordingReader) -> "Diarization":
        """Return the speaker turns; a failed diarization becomes a note, not a failure."""
        from tasks.audio.ingest import ingest_key
        from tasks.diarization.speakers import NO_DIARIZATION, Diarization, needs_diarization, without_speakers

        plan = await reading.whole()
        if not needs_diarization(plan, self.job.options):
            return NO_DIARIZATION
        result = diarize.turns_name(plan, self.job)
        key = ingest_key(self.job.options, self.span_max_s)
        parameters = {
            "plan": names.plan_name(self.job.media_sha256, key),
            "result": result,
            "speakers": self.job.options.speakers,
        }
        deployment, name = Deployment.TELL_SPEAKERS_APART, f"{self.job.name} · speakers"
        try:
            if not await in_thread(lambda: self.here.files.exists(result)):
                await self.gpu.get(deployment, parameters, name=name, key="speakers", what="the speakers")
            turns = from_json(Turns, await in_thread(lambda: self.here.files.read(result)))
        except SpanFailed as error:
            return without_speakers(error)
        return Diarization(turns=turns.turns)


def spans_of(here: Resident, flag: CancelFlag, job: Job) -> ClusterSpans | None:
    """Return the spans on the Dask cluster if settings send the job's lane there.

    Raises:
        DaskMissing: they do, and this worker lacks its packages.
    """
    cluster = here.settings.cluster
    if cluster.dask_scheduler is None or job.lane not in cluster.lanes:
        return None
    return ClusterSpans(address=cluster.dask_scheduler, flag=flag)


@flow(name=Deployment.TRANSCRIBE_RECORDING.value, persist_result=False, result_storage=NO_RESULTS)
async def transcribe_recording(
    job_id: str,  # noqa: ARG001 - read from the flow run, as its attempt is
    attempt: int,  # noqa: ARG001
    slots: int = 2,
) -> "State[Any] | None":  # quoted: a cluster gets copies of the flow, and the class itself cannot be copied
    """Run one attempt at a job: read, cut, transcribe, stitch and export.

    `slots` is how many spans the gpu workers transcribe at once; about twice as many are kept in flight. A temporary
    error fails the flow run but not the job: the reconciler requeues the job as a new attempt, a bounded number of
    times.
    """

    def recording(here: Resident, flag: CancelFlag, job: Job) -> Recording:
        return Recording(here, flag, job, gpu=GpuRuns(here=here, client=get_client(), job=job, flag=flag, slots=slots))

    outcome = await run_attempt(Deployment.TRANSCRIBE_RECORDING, current(), this_run(), recording)
    return await outcome.conclude()
