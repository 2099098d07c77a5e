"""Transcribe the spans of a short recording in this process.

They have no flow runs of their own.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any

from flows.runs.gpu_runs import for_each_span
from flows.runs.process_state import CancelFlag, Resident
from flows.runs.run_outcomes import held
from flows.runs.span_runs import SpanRuns
from flows.runs.span_transcription import SpanTranscription
from storage.domain.records import Lane, Span


@dataclass(kw_only=True)
class LocalSpans(SpanRuns):
    """The spans of one recording; earlier `deaths` of the run's process reduce the engine's memory.

    Recordings of one flow run share `engine`, which one of them holds at a time. With `ask_every_s`, the web process is
    asked so often whether the job is still wanted. `made` are the spans whose results were not found. Who wants what
    another task makes waits for it, if that is of the same lane: those of others may have to give way for long.
    """

    here: Resident
    flag: CancelFlag
    lane: Lane
    deaths: int = 0
    engine: asyncio.Lock = field(default_factory=asyncio.Lock)
    ask_every_s: float | None = None
    shows_progress: bool = True
    made: set[int] = field(default_factory=set, init=False)

    async def transcribe_all(
        self,
        spans: AsyncGenerator[Span, None],
        parameters: Callable[[Span], dict[str, Any]],
        on_transcribed: Callable[[Span], None],
    ) -> None:
        """Transcribe every span as it arrives, one at a time; see `GpuRuns.transcribe_all`.

        Only their progress is reported: the attempt reports the results at its end.

        Raises:
            Stopped: the recording's flow run was cancelled.
            TranscriberError: a span could not be transcribed.
        """

        async def transcribe(span: Span) -> None:
            fields: dict[str, Any] = {"here": self.here, "flag": self.flag, "deaths": self.deaths}
            fields |= {"lane": self.lane, "ask_every_s": self.ask_every_s, "shows_progress": self.shows_progress}
            span_transcription = SpanTranscription.from_parameters(**fields, **parameters(span))
            lock = self.here.locks.of(f"{self.lane}:{span_transcription.result}")
            async with held(lock, flag=self.flag), held(self.engine, flag=self.flag):
                _, was_there = await span_transcription.obtain()
            if not was_there:
                self.made.add(span.index)
            on_transcribed(span)

        await for_each_span(spans, transcribe, at_once=1)

    async def cancel(self) -> None:
        """Do nothing; the flag stops the work."""
