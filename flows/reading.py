"""The first step of a recording: read and cut it in a thread, and say meanwhile how far that is."""

import asyncio
import contextlib
from dataclasses import dataclass, field

from flows.endings import Stopped, unless_stopped
from flows.resident import CancelFlag, Resident, in_thread
from storage import names
from storage.errors import StaleAttempt, TranscriberError
from storage.records import Job, Plan
from storage.reports import Noted

SAY_EVERY_S = 5.0


@dataclass(kw_only=True)
class Reading:
    """One reading of one job's recording."""

    here: Resident
    job: Job
    flag: CancelFlag
    span_max_s: float
    _read_s: float = field(default=0.0, init=False)

    async def plan(self) -> Plan:
        """Return how the recording was cut; raises as `tasks.ingest.ingest` does, and Stopped."""
        saying = asyncio.create_task(self._keep_saying())
        try:
            return await unless_stopped(self._read, flag=self.flag)
        finally:
            saying.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await saying

    def _read(self) -> Plan:
        from tasks.ingest import ingest

        with self.here.files.local(names.media_name(self.job.media_sha256)) as path:
            return ingest(
                path,
                name=self.job.name,
                files=self.here.files,
                options=self.job.options,
                span_max_s=self.span_max_s,
                max_hours=self.here.settings.web.max_hours,
                media_sha256=self.job.media_sha256,
                on_progress=self._note,
            )

    def _note(self, read_s: float) -> None:
        if self.flag.is_raised():
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
