"""`transcribe-recording`: one recording from upload to subtitles; every step finds what an earlier try has left."""

import asyncio
import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import State

from flows import voices
from flows.board import Board
from flows.endings import Stopped, cancelled, failed, may_pass, this_run, unless_stopped, with_retries
from flows.hearing import Hearing
from flows.reading import Reading
from flows.resident import CancelFlag, Resident, current, in_thread
from flows.spans import GpuRuns
from storage import intake, names
from storage.abilities import translates
from storage.errors import (
    LedgerUnreachable,
    ModelCannot,
    NotFound,
    SpanFailed,
    SpeakersUnknown,
    StaleAttempt,
    TranscriberError,
    Unexpected,
)
from storage.records import Heard, Job, Span, Transcript, Turns, from_json, to_json
from storage.reports import Completed, Exporting, Failed, Noted, SpanHeard, Started

if TYPE_CHECKING:
    from tasks.speakers import Voices

log = logging.getLogger(__name__)


class Recording:
    """One attempt at one job."""

    def __init__(self, here: Resident, client: PrefectClient, flag: CancelFlag, job: Job, *, slots: int) -> None:
        self.here, self.job, self.flag = here, job, flag
        self.board = Board(job)
        self.gpu = GpuRuns(here=here, client=client, job=job, flag=flag, slots=slots)

    def report(self, kind: Any, **told: Any) -> Job:
        job: Job = self.here.reporter.send(
            kind(job_id=self.job.id, attempt=self.job.attempt, worker=self.here.name, **told)
        )
        return job

    async def tell(self, kind: Any, **told: Any) -> Job:
        return await in_thread(partial(self.report, kind, **told))

    async def run(self) -> None:
        told = await in_thread(self.told_language)
        reading = Reading(here=self.here, job=self.job, flag=self.flag, span_max_s=self.span_max_s)
        hearing = Hearing(self, reading, told)
        found = await self.hear_and_tell_apart(hearing)
        self.stop_if_asked()
        await self.tell(Exporting)
        transcript = await unless_stopped(lambda: self.finish(hearing, found), flag=self.flag)
        await self.board.finish(transcript)

    def stop_if_asked(self) -> None:
        if self.flag.is_raised():
            raise Stopped

    @property
    def span_max_s(self) -> float:
        return self.here.settings.engine.span_max_s

    def told_language(self) -> str | None:
        """Return the language that the engine is told; None where it is to find it out.

        Raises:
            ModelCannot: the job asks for a translation, which this model does not make.
        """
        from tasks.language import told_language

        model, asked = str(self.job.model), self.job.options
        only_english = speaks_only_english(model, self.here.settings.model_dir)
        if asked.task == "translate" and (only_english or not translates(model)):
            raise ModelCannot(model, "translate")
        return told_language(asked, multilingual=not only_english)

    async def hear_and_tell_apart(self, hearing: "Hearing") -> "Voices":
        """Have the spans heard, and meanwhile the speakers told apart if the job asks for that."""
        telling = asyncio.create_task(self.find_voices(hearing.reading))
        try:
            await hearing.run()
            if not telling.done():
                await self.tell(Noted, detail="telling speakers apart")
            return await telling
        finally:
            telling.cancel()
            await asyncio.wait({telling})

    async def find_voices(self, reading: Reading) -> "Voices":
        """Return who speaks when; what keeps a worker from finding that out becomes a note, not a failure."""
        from tasks.ingest import ingest_key
        from tasks.speakers import NO_VOICES, Voices, wanted

        plan = await reading.whole()
        if not wanted(plan, self.job.options):
            return NO_VOICES
        result = voices.turns_name(plan, self.job)
        key = ingest_key(self.job.options, self.span_max_s)
        told = {
            "plan": names.plan_name(self.job.media_sha256, key),
            "result": result,
            "speakers": self.job.options.speakers,
        }
        deployment, name = "tell-speakers-apart/tell-speakers-apart", f"{self.job.name} · speakers"
        try:
            if not await in_thread(lambda: self.here.files.exists(result)):
                await self.gpu.get(deployment, told, name=name, key="speakers", what="the speakers")
            found = from_json(Turns, await in_thread(lambda: self.here.files.read(result)))
        except SpanFailed as error:
            known = error.span_code == SpeakersUnknown.code
            return Voices(notes=(error.reason if known else str(SpeakersUnknown(error.reason)),))
        return Voices(turns=found.turns)

    def finish(self, hearing: "Hearing", found: "Voices") -> Transcript:
        """Stitch, check, export and report; blocking, for a thread."""
        from tasks.export import store
        from tasks.transcribe import compose

        plan, heards, spoken = hearing.outcome()
        transcript = compose(
            plan,
            heards,
            job_id=self.job.id,
            name=self.job.name,
            model=str(self.job.model),
            fingerprint=str(self.job.fingerprint),
            spoken=spoken,
            options=self.job.options,
            voices=found,
        )
        self.stop_if_asked()
        stored_as = names.transcript_name(self.job.id)
        self.here.files.write(stored_as, to_json(transcript))
        exports = store(self.here.files, transcript, stored_as=stored_as, formats=self.job.options.formats)
        try:
            for span, heard in zip(plan.spans, heards, strict=True):  # where the worker's own report is late or lost
                self.report_heard(span, heard, hearing.result_of(span), reused=False)
            self.report(Completed, transcript=stored_as, exports=exports)
        except NotFound:  # deleted meanwhile; of an attempt that is over, the files are the next one's too, and stay
            for name in (stored_as, *exports.values()):
                self.here.files.delete(name)
            raise
        return transcript

    def report_heard(self, span: Span, heard: Heard, result: str, *, reused: bool) -> None:
        told = {"result": result, "engine_s": heard.engine_s, "given_up": heard.given_up}
        self.report(SpanHeard, index=span.index, reused=reused, **told)


@flow(name="transcribe-recording", persist_result=False)
async def transcribe_recording(job_id: str, attempt: int, slots: int = 2) -> State[Any] | None:
    """Take one attempt at a job through reading, cutting, hearing, stitching and export.

    `slots` is how many spans the gpu workers hear at once; about twice as many are kept in flight. What may pass
    fails the flow run but not the job: the reconciler puts that back as a new attempt, a bounded number of times.
    """
    run = this_run()
    here, flag = current(), current().flag(run.id)
    recording: Recording | None = None

    def start() -> Job:
        return here.reporter.send(Started(job_id=job_id, attempt=attempt, worker=here.name, flow_run_id=str(run.id)))

    try:
        job = await in_thread(start)
        if job.state.finished:
            return None  # an earlier try reported the end and lost its flow run before Prefect had noted it
        recording = Recording(here, get_client(), flag, job, slots=slots)
        await with_retries(recording.run, flag=flag)
    except Stopped:
        return cancelled("stopped, as asked")
    except StaleAttempt as stale:
        return cancelled(str(stale))
    except TranscriberError as error:
        if not may_pass(error):
            await _report_failure(here, job_id, attempt, error)
        return failed(error)
    except Exception as error:
        if not may_pass(error):
            await _report_failure(here, job_id, attempt, Unexpected("transcribe-recording", repr(error)))
        raise
    finally:
        if recording is not None:
            await recording.gpu.cancel()
            recording.board.close()
            await in_thread(lambda: intake.drop_partial(here.files, job_id, attempt))
    return None


def speaks_only_english(model: str, model_dir: Path) -> bool:
    """Return whether the model is known, on this machine or by the catalogue, to hear English alone."""
    from tasks import models

    here = models.find(model, model_dir)
    if here is not None:
        return not models.is_multilingual(here.path)
    return model in models.CATALOGUE and models.CATALOGUE[model].languages == "English"


async def _report_failure(here: Resident, job_id: str, attempt: int, error: TranscriberError) -> None:
    """Tell the ledger why the attempt has failed; if that fails too, the reconciler finds out by itself."""
    code = error.span_code if isinstance(error, SpanFailed) else error.code
    report = Failed(job_id=job_id, attempt=attempt, worker=here.name, error=str(error), code=code)
    try:
        await in_thread(lambda: here.reporter.send(report))
    except (StaleAttempt, NotFound, LedgerUnreachable) as lost:
        log.warning("job %s: its failure could not be reported: %s", job_id, lost)
