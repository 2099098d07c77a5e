"""Background tasks that outlive the request that started them, and how far summaries are."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from storage.domain.errors import TranscriberError

logger = logging.getLogger(__name__)
TOLD_AGAIN_AFTER_S = 1.0
SUMMARIES_AT_ONCE = 2
KEPT_PROBLEMS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedTask:
    """A task that works for a user."""

    owner_id: str
    task: asyncio.Task[None]


class Background:
    """Holds tasks until they are done, and logs their failures."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run `work` in the background."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.warning("%s failed: %s", task.get_name(), error, exc_info=error)

    async def stop(self) -> None:
        """Cancel all running tasks, repeatedly if one ignores the cancellation."""
        while tasks := [task for task in self._tasks if not task.done()]:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=TOLD_AGAIN_AFTER_S)


@dataclass(slots=True, kw_only=True)
class SummaryRun:
    """How far a summary is."""

    part: int = 0
    parts: int


@dataclass(slots=True)
class SummaryRuns:
    """The runs by job; used on the loop of the web process alone."""

    running: dict[str, SummaryRun] = field(default_factory=dict)
    problems: dict[str, TranscriberError] = field(default_factory=dict)
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SUMMARIES_AT_ONCE))

    def begin(self, job_id: str, parts: int) -> SummaryRun:
        """Note that a summary begins, and forget why the one before failed."""
        self.problems.pop(job_id, None)
        self.running[job_id] = run = SummaryRun(parts=parts)
        return run

    def end(self, job_id: str, problem: TranscriberError | None) -> None:
        """Note that a summary has ended; without a problem there is one now."""
        self.running.pop(job_id, None)
        if problem:
            self.problems[job_id] = problem
        while len(self.problems) > KEPT_PROBLEMS:
            del self.problems[next(iter(self.problems))]
