"""Background tasks that outlive the request that started them."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger(__name__)
TOLD_AGAIN_AFTER_S = 1.0


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
