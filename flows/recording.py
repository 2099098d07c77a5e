"""`transcribe-recording`: one recording from upload to subtitles; every step finds what an earlier try has left."""

import asyncio
import logging
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from prefect import flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import State

from flows import spoken, voices
from flows.board import Board
from flows.endings import Stopped, cancelled, failed, may_pass, this_run, unless_stopped, with_retries
from flows.reading import Reading
from flows.resident import CancelFlag, Resident, current, in_thread
from flows.spans import GpuRuns
from storage import names
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
from storage.records import Heard, Job, Plan, Span, Transcript, Turns, from_json, to_json
from storage.reports import Completed, Exporting, Failed, Noted, Planned, SpanHeard, Started

if TYPE_CHECKING:
    from tasks.language import SpokenLanguage
    from tasks.speakers import Voices

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearer:
    """Who hears the job, and in which language."""

    model: str
    fingerprint: str
    spoken: "SpokenLanguage"


class Recording:
    """One attempt at one job."""

    def __init__(self, here: Resident, client: PrefectClient, flag: CancelFlag, job: Job, *, slots: int) -> None:
        self.here, self.job, self.flag = here, job, flag
        self.board = Board(job)
        self.gpu = GpuRuns(here=here, client=client, job=job, flag=flag, slots=slots)
        self.heard_s = 0.0

    def report(self, kind: Any, **told: Any) -> Job:
        job: Job = self.here.reporter.send(
            kind(job_id=self.job.id, attempt=self.job.attempt, worker=self.here.name, **told)
        )
        return job

    async def tell(self, kind: Any, **told: Any) -> Job:
        return await in_thread(partial(self.report, kind, **told))

    async def run(self) -> None:
        reading = Reading(here=self.here, job=self.job, flag=self.flag, span_max_s=self.span_max_s)
        plan = await reading.plan()
        self.stop_if_asked()
        hearer = await self.choose_language(plan)
        planned = {
            "duration_s": plan.duration_s,
            "speech_s": plan.speech_s,
            "language": hearer.spoken.language,
            "language_probability": hearer.spoken.probability,
        }
        await self.tell(Planned, spans=plan.spans, **planned)
        found = await self.hear_and_tell_apart(plan, hearer)
        self.stop_if_asked()
        await self.tell(Exporting)
        transcript = await unless_stopped(lambda: self.finish(plan, hearer, found), flag=self.flag)
        await self.board.finish(transcript)

    def stop_if_asked(self) -> None:
        if self.flag.is_raised():
            raise Stopped

    @property
    def span_max_s(self) -> float:
        from tasks.language import span_max_s

        return span_max_s(self.job.options, self.here.settings.engine.span_max_s)

    async def choose_language(self, plan: Plan) -> Hearer:
        """Return who hears, with the language that was asked for, that the model is bound to, or that it detects."""
        from tasks.engine import ENGINE_VERSION
        from tasks.ingest import ingest_key
        from tasks.language import SpokenLanguage

        model, fingerprint, asked = str(self.job.model), str(self.job.fingerprint), self.job.options
        only_english = await in_thread(lambda: spoken.speaks_only_english(model, self.here.settings.model_dir))
        if asked.task == "translate" and (only_english or not translates(model)):
            raise ModelCannot(model, "translate")
        known = "en" if only_english else asked.language
        if (known and (only_english or not asked.language_per_span)) or not plan.spans:
            return Hearer(model=model, fingerprint=fingerprint, spoken=SpokenLanguage(language=known or "en"))
        result = spoken.answer_name(plan, fingerprint, ENGINE_VERSION, asked)
        key = ingest_key(asked, self.span_max_s)
        told = {
            "plan": names.plan_name(self.job.media_sha256, key),
            "result": result,
            "model": model,
            "fingerprint": fingerprint,
            "options": asdict(asked),
        }
        if not await in_thread(lambda: self.here.files.exists(result)):
            name = f"{self.job.name} · language"
            await self.gpu.get("detect-language/detect-language", told, name=name, key="language", what="the language")
        answer = from_json(SpokenLanguage, await in_thread(lambda: self.here.files.read(result)))
        return Hearer(model=model, fingerprint=fingerprint, spoken=answer)

    def result_of(self, span: Span, hearer: Hearer) -> str:
        from tasks.engine import ENGINE_VERSION

        return names.result_name(
            span.samples_sha256, hearer.fingerprint, ENGINE_VERSION, self.job.options, hearer.spoken.of(span)
        )

    async def hear_and_tell_apart(self, plan: Plan, hearer: Hearer) -> "Voices":
        """Have the spans heard, and meanwhile the speakers told apart if the job asks for that."""
        telling = asyncio.create_task(self.find_voices(plan))
        try:
            await self.hear(plan, hearer)
            if not telling.done():
                await self.tell(Noted, detail="telling speakers apart")
            return await telling
        finally:
            telling.cancel()
            await asyncio.wait({telling})

    async def find_voices(self, plan: Plan) -> "Voices":
        """Return who speaks when; what keeps a worker from finding that out becomes a note, not a failure."""
        from tasks.ingest import ingest_key
        from tasks.speakers import NO_VOICES, Voices, wanted

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

    async def hear(self, plan: Plan, hearer: Hearer) -> None:
        """Have the spans heard that nobody has heard yet."""
        missing = await in_thread(lambda: self.use_what_is_there(plan, hearer))
        self.board.progress(self.heard_s / plan.speech_s if plan.speech_s else 1.0)

        def on_heard(span: Span) -> None:
            self.heard_s += _speech_s(span)
            self.board.progress(self.heard_s / plan.speech_s if plan.speech_s else 1.0)

        await self.gpu.hear_all(missing, partial(self.parameters, hearer=hearer), on_heard, of=len(plan.spans))

    def use_what_is_there(self, plan: Plan, hearer: Hearer) -> list[Span]:
        """Report the spans whose results are on storage, and return the others."""
        missing = []
        for span in plan.spans:
            result = self.result_of(span, hearer)
            if self.here.files.exists(result):
                self.report_heard(span, result, reused=True)
                self.heard_s += _speech_s(span)
            else:
                missing.append(span)
        return missing

    def report_heard(self, span: Span, result: str, *, reused: bool) -> Heard:
        heard = from_json(Heard, self.here.files.read(result))
        told = {"result": result, "engine_s": heard.engine_s, "given_up": heard.given_up}
        self.report(SpanHeard, index=span.index, reused=reused, **told)
        return heard

    def parameters(self, span: Span, *, hearer: Hearer) -> dict[str, Any]:
        from tasks.stitch import speech_of

        return {
            "job_id": self.job.id,
            "attempt": self.job.attempt,
            "index": span.index,
            "samples_sha256": span.samples_sha256,
            "result": self.result_of(span, hearer),
            "model": hearer.model,
            "fingerprint": hearer.fingerprint,
            "language": hearer.spoken.of(span),
            "options": asdict(self.job.options),
            "speech": [(stretch.start_s, stretch.end_s) for stretch in speech_of(span)],
        }

    def finish(self, plan: Plan, hearer: Hearer, found: "Voices") -> Transcript:
        """Stitch, check, export and report; blocking, for a thread."""
        from tasks.export import store
        from tasks.transcribe import compose

        heards = [from_json(Heard, self.here.files.read(self.result_of(span, hearer))) for span in plan.spans]
        transcript = compose(
            plan,
            heards,
            job_id=self.job.id,
            name=self.job.name,
            model=hearer.model,
            fingerprint=hearer.fingerprint,
            spoken=hearer.spoken,
            options=self.job.options,
            voices=found,
        )
        self.stop_if_asked()
        stored_as = names.transcript_name(self.job.id)
        self.here.files.write(stored_as, to_json(transcript))
        exports = store(self.here.files, transcript, stored_as=stored_as, formats=self.job.options.formats)
        try:
            for span, heard in zip(plan.spans, heards, strict=True):
                told = {"result": self.result_of(span, hearer), "engine_s": heard.engine_s, "given_up": heard.given_up}
                self.report(SpanHeard, index=span.index, **told)  # where the worker's own report is late or lost
            self.report(Completed, transcript=stored_as, exports=exports)
        except NotFound:  # deleted meanwhile; of an attempt that is over, the files are the next one's too, and stay
            for name in (stored_as, *exports.values()):
                self.here.files.delete(name)
            raise
        return transcript


def _speech_s(span: Span) -> float:
    return sum(stretch.end_s - stretch.start_s for stretch in span.speech)


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
    return None


async def _report_failure(here: Resident, job_id: str, attempt: int, error: TranscriberError) -> None:
    """Tell the ledger why the attempt has failed; if that fails too, the reconciler finds out by itself."""
    code = error.span_code if isinstance(error, SpanFailed) else error.code
    report = Failed(job_id=job_id, attempt=attempt, worker=here.name, error=str(error), code=code)
    try:
        await in_thread(lambda: here.reporter.send(report))
    except (StaleAttempt, NotFound, LedgerUnreachable) as lost:
        log.warning("job %s: its failure could not be reported: %s", job_id, lost)
