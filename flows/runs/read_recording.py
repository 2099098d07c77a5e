"""The first step of a recording: read and cut it in a thread, hand on each span at once, and say how far that is."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from flows.endings import Stopped, unless_stopped
from flows.resident import CancelFlag, Resident, in_thread
from storage import names
from storage.errors import StaleAttempt, TranscriberError
from storage.records import Job, Plan, Span
from storage.reports import Noted

SAY_EVERY_S = 5.0


@dataclass(kw_only=True)
class Reading:
    """One reading of one job's recording; `announced_s` is the length that its header announces, if it does."""

    here: Resident
    job: Job
    flag: CancelFlag
    span_max_s: float
    announced_s: float | None = field(default=None, init=False)
    _plan: Plan | None = field(default=None, init=False)
    _planned: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _cut: "asyncio.Queue[Span | None]" = field(default_factory=asyncio.Queue, init=False)  # None: no more come
    _read_s: float = field(default=0.0, init=False)
    _over: bool = field(default=False, init=False)

    async def spans(self) -> AsyncGenerator[list[Span], None]:
        """Read the recording to its end, and yield the spans that have been cut since; a plan from before yields none.

        Raises as `tasks.ingest.ingest` does, and Stopped. Who stops early gives the reading up.
        """
        reading, saying = asyncio.create_task(self._read()), asyncio.create_task(self._keep_saying())
        try:
            while found := await self._next():
                yield found
            self._plan = await reading
            self._planned.set()
        finally:
            self._over = True
            reading.cancel()
            saying.cancel()
            await asyncio.gather(reading, saying, return_exceptions=True)

    @property
    def plan(self) -> Plan:
        """The plan, once all spans have been taken."""
        assert self._plan is not None  # noqa: S101
        return self._plan

    async def whole(self) -> Plan:
        """Wait until somebody else has taken all spans, and return the plan."""
        await self._planned.wait()
        return self.plan

    async def _next(self) -> list[Span]:
        """Return the spans that have been cut since, waiting for one; none at the end."""
        found: list[Span] = []
        while not self._over and (not found or not self._cut.empty()):
            span = await self._cut.get()
            if span is None:
                self._over = True
            else:
                found.append(span)
        return found

    async def _read(self) -> Plan:
        loop = asyncio.get_running_loop()
        try:
            return await unless_stopped(lambda: self._ingest(loop), flag=self.flag)
        finally:
            self._cut.put_nowait(None)

    def _ingest(self, loop: asyncio.AbstractEventLoop) -> Plan:
        from tasks.ingest import ingest

        def hand_on(span: Span) -> None:
            if span.channel is None:  # which of several channels are to be heard is known at the end
                loop.call_soon_threadsafe(self._cut.put_nowait, span)

        with self.here.files.local(names.media_name(self.job.media_sha256)) as path:
            return ingest(
                path,
                name=self.job.name,
                files=self.here.files,
                options=self.job.options,
                span_max_s=self.span_max_s,
                max_hours=self.here.settings.web.max_hours,
                media_sha256=self.job.media_sha256,
                on_span=hand_on,
                on_progress=self._note,
                on_announced=self._announced,
            )

    def _announced(self, length_s: float) -> None:
        self.announced_s = length_s

    def _note(self, read_s: float) -> None:
        if self._over or self.flag.is_raised():
            raise Stopped
        self._read_s = read_s

    async def _keep_saying(self) -> None:
        """Tell the reader how far it is; a cancelled job answers that the work is to stop."""
        while True:
            await asyncio.sleep(SAY_EVERY_S)
            if not self._read_s:
                continue
            detail = f"reading: {spoken(self._read_s)} so far"
            note = Noted(job_id=self.job.id, attempt=self.job.attempt, worker=self.here.name, detail=detail)
            try:
                await in_thread(lambda note=note: self.here.reporter.send(note))  # type: ignore[misc]
            except StaleAttempt:
                self.flag.raise_()
                return
            except TranscriberError:
                continue  # a line for the reader alone; the plan is what counts


def spoken(seconds: float) -> str:
    """Return a length as people say it: 90 s, 25 minutes, 3 h 05 min."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} minutes" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
