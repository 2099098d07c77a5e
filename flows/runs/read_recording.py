"""Read and cut a recording in a thread, handing on each span at once."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flows.runs.process_state import CancelFlag, Resident, in_thread
from flows.runs.run_outcomes import Stopped, unless_stopped
from storage.domain import names
from storage.domain.errors import NotFound, StaleAttempt, TranscriberError
from storage.domain.job_messages import Reading, encode
from storage.domain.records import Job, Plan, Span
from storage.jobs.reports import Noted
from storage.remote import tracing

if TYPE_CHECKING:
    from tasks.audio.decode import Ints

SAY_EVERY_S = 5.0


@dataclass(kw_only=True)
class RecordingReader:
    """One pass over a job's recording; `announced_s` is the length in its header, if any.

    Without `say_every_s`, no progress is reported. With `keeps_sound`, spans are handed on while they are still being
    stored, and their samples are in `sounds` until somebody takes them.
    """

    here: Resident
    job: Job
    flag: CancelFlag
    span_max_s: float
    say_every_s: float | None = SAY_EVERY_S
    keeps_sound: bool = False
    sounds: "dict[str, Ints]" = field(default_factory=dict, init=False)
    announced_s: float | None = field(default=None, init=False)
    _plan: Plan | None = field(default=None, init=False)
    _planned: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _cut: "asyncio.Queue[Span | None]" = field(default_factory=asyncio.Queue, init=False)  # None: no more spans
    _read_s: float = field(default=0.0, init=False)
    _over: bool = field(default=False, init=False)

    async def spans(self) -> AsyncGenerator[list[Span], None]:
        """Read the recording, and yield new spans in groups; a stored plan yields none.

        Raises as `tasks.audio.ingest.ingest` does, and Stopped. A caller that stops iterating aborts the reading.
        """
        reading, reporting = asyncio.create_task(self._read()), asyncio.create_task(self._keep_reporting())
        try:
            while new_spans := await self._next():
                yield new_spans
            self._plan = await reading
            self._planned.set()
        finally:
            self._over = True
            reading.cancel()
            reporting.cancel()
            await asyncio.gather(reading, reporting, return_exceptions=True)

    @property
    def plan(self) -> Plan:
        """The plan, once all spans have been yielded."""
        assert self._plan is not None  # noqa: S101
        return self._plan

    async def whole(self) -> Plan:
        """Wait until another task has consumed all spans, and return the plan."""
        await self._planned.wait()
        return self.plan

    async def _next(self) -> list[Span]:
        """Wait for new spans and return them; empty at the end."""
        new_spans: list[Span] = []
        while not self._over and (not new_spans or not self._cut.empty()):
            span = await self._cut.get()
            if span is None:
                self._over = True
            else:
                new_spans.append(span)
        return new_spans

    async def _read(self) -> Plan:
        loop = asyncio.get_running_loop()
        try:
            with tracing.span("read and cut", self.job.id, self.job.attempt):
                return await unless_stopped(lambda: self._ingest(loop), flag=self.flag)
        finally:
            self._cut.put_nowait(None)

    def _ingest(self, loop: asyncio.AbstractEventLoop) -> Plan:
        from tasks.audio.ingest import ingest

        def hand_on(span: Span) -> None:
            if span.channel is None:  # which of several channels to transcribe is known only at the end
                loop.call_soon_threadsafe(self._cut.put_nowait, span)

        def with_sound(span: Span, samples: "Ints") -> None:
            self.sounds[span.samples_sha256] = samples
            hand_on(span)

        with self.here.files.local(names.media_name(self.job.media_sha256)) as path:
            return ingest(
                path,
                name=self.job.name,
                files=self.here.files,
                options=self.job.options,
                span_max_s=self.span_max_s,
                max_hours=self.here.settings.web.max_hours,
                media_sha256=self.job.media_sha256,
                on_span=None if self.keeps_sound else hand_on,
                on_cut=with_sound if self.keeps_sound else None,
                on_progress=self._note,
                on_announced=self._announced,
            )

    def _announced(self, length_s: float) -> None:
        self.announced_s = length_s

    def _note(self, read_s: float) -> None:
        if self._over or self.flag.is_raised():
            raise Stopped
        self._read_s = read_s

    async def _keep_reporting(self) -> None:
        """Report progress to the reader; the answer for a cancelled job stops the work."""
        while self.say_every_s is not None:
            await asyncio.sleep(self.say_every_s)
            if not self._read_s:
                continue
            detail = encode(Reading(read_s=round(self._read_s, 1)))
            note = Noted(job_id=self.job.id, attempt=self.job.attempt, worker=self.here.name, detail=detail)
            try:
                await in_thread(lambda note=note: self.here.reporter.send(note))  # type: ignore[misc]
            except (StaleAttempt, NotFound):  # cancelled or purged
                self.flag.raise_()
                return
            except TranscriberError:
                continue  # only a progress line; the plan is what counts
