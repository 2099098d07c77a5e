"""Transcribe one span on this process's device and store the result."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from prefect.client.schemas.objects import State
from pydantic import TypeAdapter

from flows.runs.process_state import CancelFlag, Resident, in_thread
from flows.runs.run_outcomes import Stopped, cancelled, failed, with_retries
from storage.domain import names
from storage.domain.errors import NotFound, StaleAttempt, TranscriberError
from storage.domain.records import Lane, Options, SpanResult, Stretch, from_json, to_json
from storage.jobs.reports import Advanced, SpanHeard
from storage.remote import tracing

if TYPE_CHECKING:
    from tasks.audio.decode import Ints

REPORT_EVERY_S = 1.0
_OPTIONS: TypeAdapter[Options] = TypeAdapter(Options)  # making one takes milliseconds


@dataclass(kw_only=True)
class SpanTranscription:
    """The transcription of one span; `done_s` is the seconds of speech done so far.

    `sound` are its samples, for those who have them before they are stored.

    With `ask_every_s`, progress is reported so often even without any, to hear whether the job is still wanted; unless
    it `shows_progress`, none is reported. `on_stored` is called when the result is on storage, before it is reported.
    """

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
    lane: Lane = Lane.INTERACTIVE
    ask_every_s: float | None = None
    shows_progress: bool = True
    sound: "Ints | None" = None
    on_stored: Callable[[], None] = lambda: None
    done_s: float = field(default=0.0, init=False)
    report_every_s: ClassVar[float] = REPORT_EVERY_S

    @classmethod
    def from_parameters(
        cls,
        *,
        speech: Sequence[tuple[float, float]],
        maybe: Sequence[tuple[float, float]],
        options: Options | dict[str, Any],
        **fields: Any,
    ) -> Self:
        """Return the transcription that a flow run's parameters describe."""
        return cls(
            speech=tuple(Stretch(start_s=start_s, end_s=end_s) for start_s, end_s in speech),
            maybe=tuple(Stretch(start_s=start_s, end_s=end_s) for start_s, end_s in maybe),
            options=options if isinstance(options, Options) else _OPTIONS.validate_python(options),
            **fields,
        )

    def note(self, done_s: float) -> None:
        self.done_s = done_s

    def transcribe(self) -> SpanResult:
        """Transcribe the span and store the result; blocking, for a thread.

        It gives way to others between two calls of the engine.
        """
        from tasks.asr.base import DecodingStopped
        from tasks.asr.language_check import with_language_checked
        from tasks.audio import channels, ingest

        if self.sound is None:
            pcm = ingest.read_span(self.here.files, self.samples_sha256)
        else:
            pcm = channels.as_float(self.sound)
        with (
            self.here.engine_pool().borrow(self.model, self.fingerprint, deaths=self.deaths) as borrowed,
            self.here.right_of_way.taken(self.lane) as turn,
        ):

            def should_stop() -> bool:
                turn.wait(self.flag.is_raised)
                return self.flag.is_raised()

            try:
                span_result = borrowed.transcribe(
                    pcm,
                    options=self.options,
                    language=self.language,
                    speech=self.speech,
                    maybe=self.maybe,
                    should_stop=should_stop,
                    on_progress=self.note,
                )
                took_s = max(0.0, span_result.engine_s - turn.waited_s)
                span_result = with_language_checked(
                    span_result,
                    pcm,
                    self.speech,
                    engine=borrowed,
                    options=self.options,
                    lend=self.here.engine_pool().borrow_multilingual,
                    should_stop=should_stop,
                )
            except DecodingStopped as stopped:
                raise Stopped from stopped
        span_result = replace(span_result, engine_s=round(took_s, 3))
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
        reported_s, clock = 0.0, asyncio.get_running_loop().time
        asked_at = clock()
        while self.shows_progress:
            await asyncio.sleep(self.report_every_s)
            done_s = self.done_s
            if done_s <= reported_s and (self.ask_every_s is None or clock() - asked_at < self.ask_every_s):
                continue
            asked_at = clock()
            step = Advanced(
                job_id=self.job_id, attempt=self.attempt, worker=self.here.name, index=self.index, done_s=done_s
            )
            try:
                await in_thread(lambda step=step: self.here.reporter.send(step))  # type: ignore[misc]
                reported_s = done_s
            except (StaleAttempt, NotFound):  # cancelled or purged
                self.flag.raise_()
                return
            except TranscriberError:
                continue  # only progress; the result is what counts

    async def run(self) -> None:
        """Reuse or create the result, then report it."""
        span_result, reused = await self.obtain()
        self.on_stored()
        await in_thread(lambda: self.report(span_result, reused=reused))

    async def obtain(self) -> tuple[SpanResult, bool]:
        """Return the result, and whether it was on storage before."""
        names.required_in(names.results_folder(self.samples_sha256), self.result)
        if await in_thread(lambda: self.here.files.exists(self.result)):
            return from_json(SpanResult, await in_thread(lambda: self.here.files.read(self.result))), True
        reporting = asyncio.create_task(self.keep_reporting())
        speech_s = sum(each.end_s - each.start_s for each in self.speech)
        facts: dict[str, str | float] = {"index": self.index, "speech_s": speech_s, "model": self.model}
        try:
            with tracing.span("transcribe span", self.job_id, self.attempt, worker=self.here.name, **facts):
                return await in_thread(self.transcribe), False
        finally:
            reporting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reporting


async def end_of(transcription: SpanTranscription) -> State[Any] | None:
    """Run the transcription with retries; return its run's final state, None if completed."""
    try:
        await with_retries(transcription.run, flag=transcription.flag)
    except Stopped:
        return cancelled("stopped on request between two stretches of speech")
    except StaleAttempt as stale:
        return cancelled(str(stale))
    except TranscriberError as error:
        return failed(error)
    return None
