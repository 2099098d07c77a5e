"""The second step of a recording: each span is heard as soon as it is cut, and its text can be read along.

Where nobody said which language is spoken, that is known when all spans have been heard; those of which the engine
was not sure are then heard once more in it.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from flows.reading import Reading
from flows.reading_along import ReadingAlong
from flows.resident import in_thread
from storage import names
from storage.records import Heard, Plan, Span, from_json
from storage.reports import Cut, Planned

if TYPE_CHECKING:
    from flows.recording import Recording
    from tasks.language import SpokenLanguage


class Hearing:
    """One pass over one recording's spans; `told` is the language that the engine is told, None if it finds it out."""

    def __init__(self, recording: "Recording", reading: Reading, told: str | None) -> None:
        self.recording, self.reading = recording, reading
        self.here, self.job = recording.here, recording.job
        self.along = ReadingAlong(here=self.here, job=self.job)
        self._told = told
        self._told_again: dict[int, str] = {}
        self._spoken: SpokenLanguage | None = None
        self._speech_s = self._heard_s = 0.0
        self._share_read = 1.0

    async def run(self) -> None:
        """Have all spans heard; raises as `Reading.spans` and `GpuRuns.hear_all` do."""
        writing = asyncio.create_task(self.along.keep_writing())
        try:
            await self._hear_all(self._as_they_are_cut())
            again = await in_thread(self._in_doubt)
            await self._hear_all(self._without_result(again))
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    def outcome(self) -> "tuple[Plan, list[Heard], SpokenLanguage]":
        """Return the plan, what was heard in each of its spans, and the recording's language; blocking."""
        assert self._spoken is not None  # noqa: S101 - it was found out at the end of `run`
        return self.reading.plan, self._heards(), self._spoken

    def result_of(self, span: Span) -> str:
        """Return where lies, or will lie, what is heard in a span."""
        from tasks.engine import ENGINE_VERSION

        return names.result_name(
            span.samples_sha256, str(self.job.fingerprint), ENGINE_VERSION, self.job.options, self._language_of(span)
        )

    def _language_of(self, span: Span) -> str | None:
        return self._told_again.get(span.index, self._told)

    async def _as_they_are_cut(self) -> AsyncGenerator[Span, None]:
        """Report spans as they are cut, then the plan, and yield those that nobody has heard yet."""
        taken: set[int] = set()
        async with aclosing(self.reading.spans()) as cut:
            async for spans in cut:
                read_s, whole_s = spans[-1].end_s, self.reading.announced_s
                await self.recording.tell(Cut, spans=tuple(spans), read_s=read_s, duration_s=whole_s)
                self._share_read = min(1.0, read_s / whole_s) if whole_s else 1.0
                taken.update(span.index for span in spans)
                async for span in self._taken_in(spans):
                    yield span
        plan = self.reading.plan
        await self.recording.tell(
            Planned,
            duration_s=plan.duration_s,
            speech_s=plan.speech_s,
            language=self._told or self.job.options.language,
            language_probability=None,
            spans=plan.spans,
        )
        self._share_read = 1.0
        rest = [span for span in plan.spans if span.index not in taken]
        async for span in self._taken_in(rest, all_cut=True):
            yield span

    async def _taken_in(self, spans: Sequence[Span], *, all_cut: bool = False) -> AsyncGenerator[Span, None]:
        self.along.cut(spans, all_cut=all_cut)
        self._speech_s += sum(map(_speech_s, spans))
        async for span in self._without_result(spans):
            yield span

    async def _without_result(self, spans: Sequence[Span]) -> AsyncGenerator[Span, None]:
        """Report the spans whose results are on storage, and yield the others."""
        for span in spans:
            if await in_thread(lambda span=span: self._is_there(span)):  # type: ignore[misc]
                self._on_heard(span)
            else:
                yield span

    def _is_there(self, span: Span) -> bool:
        result = self.result_of(span)
        if not self.here.files.exists(result):
            return False
        heard = from_json(Heard, self.here.files.read(result))
        self.recording.report_heard(span, heard, result, reused=True)
        return True

    async def _hear_all(self, spans: AsyncGenerator[Span, None]) -> None:
        await self.recording.gpu.hear_all(spans, self._parameters, self._on_heard)

    def _on_heard(self, span: Span) -> None:
        self._heard_s += _speech_s(span)
        self.recording.board.progress(self._share_read * (self._heard_s / self._speech_s if self._speech_s else 1.0))
        self.along.heard(span, self.result_of(span))

    def _in_doubt(self) -> list[Span]:
        """Return the spans that are to be heard again in the recording's language, and note both."""
        from tasks.language import recording_language, to_hear_again

        plan, heards = self.reading.plan, self._heards()
        spoken = recording_language(plan, heards, given=self._told or self.job.options.language)
        again = to_hear_again(plan, heards, spoken)
        self._spoken, self._told_again = spoken, {span.index: spoken.language for span in again}
        return again

    def _heards(self) -> list[Heard]:
        return [from_json(Heard, self.here.files.read(self.result_of(span))) for span in self.reading.plan.spans]

    def _parameters(self, span: Span) -> dict[str, Any]:
        from tasks.stitch import speech_of

        return {
            "job_id": self.job.id,
            "attempt": self.job.attempt,
            "index": span.index,
            "samples_sha256": span.samples_sha256,
            "result": self.result_of(span),
            "model": str(self.job.model),
            "fingerprint": str(self.job.fingerprint),
            "language": self._language_of(span),
            "options": asdict(self.job.options),
            "speech": [(stretch.start_s, stretch.end_s) for stretch in speech_of(span)],
        }


def _speech_s(span: Span) -> float:
    return sum(stretch.end_s - stretch.start_s for stretch in span.speech)
