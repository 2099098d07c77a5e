"""What an admin sees of a recording in the Prefect UI: a progress bar and the transcript, as artifacts."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any
from uuid import UUID

from prefect.artifacts import acreate_markdown_artifact, acreate_progress_artifact, aupdate_progress_artifact

from storage.records import Job, Transcript

log = logging.getLogger(__name__)

SHOWN_CHARS = 20_000
UPDATE_EVERY_S = 2.0


class Board:
    """Artifacts of one flow run, written beside its work; that one cannot be written never fails a job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._bar: UUID | None = None
        self._share = self._shown = 0.0
        self._writing: set[asyncio.Task[None]] = set()
        self._lock = asyncio.Lock()
        self._again = False

    def _beside(self, writing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(writing)
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    def progress(self, share: float) -> None:
        """Move the bar to `share` (0 to 1), at most every two seconds."""
        self._share = min(1.0, share)
        if not self._again:
            self._again = True
            self._beside(self._show())

    async def _show(self) -> None:
        await self._move_bar()
        await asyncio.sleep(UPDATE_EVERY_S)
        self._again = False
        if self._share > self._shown:
            self.progress(self._share)

    async def _move_bar(self) -> None:
        async with self._lock:
            share = self._share
            try:
                if self._bar is None:
                    made = acreate_progress_artifact(
                        100 * share, key=f"progress-{self._job.id}", description=f"Heard of {self._job.name}"
                    )
                    self._bar = await made
                else:
                    await aupdate_progress_artifact(self._bar, 100 * share)
                self._shown = share
            except Exception as error:  # noqa: BLE001 - Prefect may be away; the app shows the same
                log.debug("job %s: no progress artifact (%s)", self._job.id, error)

    async def finish(self, transcript: Transcript) -> None:
        """Fill the bar and put the transcript up."""
        for task in set(self._writing):
            task.cancel()
        self._share = 1.0
        await self._move_bar()
        try:
            await acreate_markdown_artifact(
                markdown(transcript),
                key=f"transcript-{self._job.id}",
                description=f"What was heard in {self._job.name}",
            )
        except Exception as error:  # noqa: BLE001 - as above
            log.debug("job %s: no transcript artifact (%s)", self._job.id, error)

    def close(self) -> None:
        for task in set(self._writing):
            task.cancel()


def markdown(transcript: Transcript) -> str:
    """Return the transcript with the time of each segment, cut off where it gets too long to show."""
    lines = [
        f"**{transcript.name}**: {transcript.duration_s:.0f} s, {transcript.language}, heard by {transcript.model}",
        "",
        *(f"- `{_clock(segment.start_s)}` {segment.text.strip()}" for segment in transcript.segments),
    ]
    whole = "\n".join(lines)
    return whole if len(whole) <= SHOWN_CHARS else f"{whole[:SHOWN_CHARS]} …\n\nThe rest is in the app."


def _clock(moment_s: float) -> str:
    minutes, seconds = divmod(int(moment_s), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
