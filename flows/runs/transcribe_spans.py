"""Transcribe each span as soon as it is cut, and publish the text so far.

If no language was requested, it is known once all spans are transcribed; spans whose language was uncertain are then
decoded once more in it.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from flows.runs.artifacts import RunArtifacts
from flows.runs.partial_text import PartialTextWriter
from flows.runs.process_state import Resident, in_thread
from flows.runs.read_recording import RecordingReader
from flows.runs.run_outcomes import held
from flows.runs.span_runs import SpanRuns
from storage.domain import names
from storage.domain.records import Job, Plan, Span, SpanResult, from_json
from storage.jobs.reports import Cut, Planned

if TYPE_CHECKING:
    from tasks.asr.language import SpokenLanguage


PLAN_AFTER_S = 1.0
"""A clip that takes longer is shown to be on its way."""


class JobAttempt(Protocol):
    """What this step needs of its job attempt."""

    here: Resident
    job: Job
    artifacts: RunArtifacts
    span_runs: SpanRuns

    async def tell(self, kind: Any, **fields: Any) -> Job: ...

    def report_span(self, span: Span, span_result: SpanResult, result: str, *, reused: bool) -> None: ...


class SpansTranscription:
    """One pass over a recording's spans; `language` is the requested one, None for detection."""

    def __init__(self, recording: JobAttempt, reading: RecordingReader, language: str | None) -> None:
        self.recording, self.reading = recording, reading
        self.here, self.job = recording.here, recording.job
        self.partial_text = PartialTextWriter(here=self.here, job=self.job)
        self._language = language
        self._redecode_language: dict[int, str] = {}
        self.reused: set[int] = set()
        self._spoken: SpokenLanguage | None = None
        self._speech_s = self._transcribed_s = 0.0
        self._share_read = 1.0

    async def run(self) -> None:
        """Transcribe all spans; raises as `RecordingReader.spans` and `GpuRuns.transcribe_all` do."""
        writing = asyncio.create_task(self.partial_text.keep_writing())
        try:
            await self._transcribe_all(self._spans_as_cut())
            to_redecode = await in_thread(self._uncertain_spans)
            await self._transcribe_all(self._without_result(to_redecode))
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    def outcome(self) -> "tuple[Plan, list[SpanResult], SpokenLanguage]":
        """Return the plan, the result of each span, and the recording's language; blocking."""
        assert self._spoken is not None  # noqa: S101 - set at the end of `run`
        return self.reading.plan, self._results_of_spans(), self._spoken

    def result_of(self, span: Span) -> str:
        """Return the name of a span's result, whether it exists or not."""
        from tasks.asr.selected_engine import SelectedEngine

        version, language = SelectedEngine.version, self._language_of(span)
        return names.result_name(span.samples_sha256, str(self.job.fingerprint), version, self.job.options, language)

    def _language_of(self, span: Span) -> str | None:
        return self._redecode_language.get(span.index, self._language)

    async def _spans_as_cut(self) -> AsyncGenerator[Span, None]:
        """Report spans as they are cut, then the plan, and yield those without a result."""
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
        await self._report_plan()
        self._share_read = 1.0
        rest = [span for span in plan.spans if span.index not in taken]
        async for span in self._taken_in(rest, all_cut=True):
            yield span

    async def _report_plan(self) -> None:
        await self.recording.tell(Planned, **self.planned())

    def planned(self) -> dict[str, Any]:
        """Return what is reported of the plan."""
        plan = self.reading.plan
        return {
            "duration_s": plan.duration_s,
            "speech_s": plan.speech_s,
            "language": self._language or self.job.options.language,
            "language_probability": None,
            "spans": plan.spans,
            "media_start_s": plan.media_start_s,
        }

    async def _taken_in(self, spans: Sequence[Span], *, all_cut: bool = False) -> AsyncGenerator[Span, None]:
        self.partial_text.cut(spans, all_cut=all_cut)
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
        self.reused.add(span.index)
        self._report_reused(span, result)
        return True

    def _report_reused(self, span: Span, result: str) -> None:
        span_result = from_json(SpanResult, self.here.files.read(result))
        self.recording.report_span(span, span_result, result, reused=True)

    async def _transcribe_all(self, spans: AsyncGenerator[Span, None]) -> None:
        await self.recording.span_runs.transcribe_all(spans, self._parameters, self._on_heard)

    def _on_heard(self, span: Span) -> None:
        self._transcribed_s += _speech_s(span)
        self.recording.artifacts.progress(
            self._share_read * (self._transcribed_s / self._speech_s if self._speech_s else 1.0)
        )
        self.partial_text.add_result(span, self.result_of(span))

    def _uncertain_spans(self) -> list[Span]:
        """Return the spans to decode again in the recording's language, and note both."""
        from tasks.asr.language import settle_language

        plan, results = self.reading.plan, self._results_of_spans()
        spoken, to_redecode = settle_language(plan, results, self.job.options, self._language)
        self._spoken, self._redecode_language = spoken, {span.index: spoken.language for span in to_redecode}
        return to_redecode

    def _results_of_spans(self) -> list[SpanResult]:
        return [from_json(SpanResult, self.here.files.read(self.result_of(span))) for span in self.reading.plan.spans]

    def _parameters(self, span: Span) -> dict[str, Any]:
        from tasks.audio.split import maybe_of, speech_of

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
            "maybe": [(stretch.start_s, stretch.end_s) for stretch in maybe_of(span)],
        }


class ClipTranscription(SpansTranscription):
    """Transcribes a recording of seconds, with fewer reports.

    Its plan is reported only if its spans take longer than a moment: the report of its end has the plan, too. There is
    no text so far.
    """

    plan_after_s: float = PLAN_AFTER_S

    async def run(self) -> None:
        """Transcribe all spans; see `SpansTranscription.run`."""
        reporting = asyncio.create_task(self._report_plan_later())
        try:
            await super().run()
        finally:
            reporting.cancel()
            await asyncio.gather(reporting, return_exceptions=True)

    async def _spans_as_cut(self) -> AsyncGenerator[Span, None]:
        taken: set[int] = set()
        lock = self.here.locks.of(f"{self.job.lane}:{self.job.media_sha256}")
        async with held(lock, flag=self.reading.flag), aclosing(self.reading.spans()) as cut:
            async for spans in cut:
                taken.update(span.index for span in spans)
                async for span in self._without_result(spans):
                    yield span
        async for span in self._without_result([span for span in self.reading.plan.spans if span.index not in taken]):
            yield span

    async def _report_plan_later(self) -> None:
        await self.reading.whole()
        await asyncio.sleep(self.plan_after_s)
        await self._report_plan()

    def _is_there(self, span: Span) -> bool:
        is_there = super()._is_there(span)
        if (ahead := self.here.ahead.of(self.job.id)) and span.index in ahead.made:
            self.reused.discard(span.index)
        return is_there

    def _parameters(self, span: Span) -> dict[str, Any]:
        """Return the span's parameters, and its samples while nobody has taken them."""
        return super()._parameters(span) | {"sound": self.reading.sounds.pop(span.samples_sha256, None)}

    def _report_reused(self, span: Span, result: str) -> None:
        """Report nothing; the attempt does at its end, when the ledger knows the plan."""

    def _on_heard(self, span: Span) -> None:
        """Show no progress; the whole text is about to come."""


def _speech_s(span: Span) -> float:
    return sum(stretch.end_s - stretch.start_s for stretch in span.speech)
