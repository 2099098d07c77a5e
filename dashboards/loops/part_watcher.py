"""Looks at storage and the Prefect server every few seconds.

Open pages are told when one goes away or comes back.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable

from dashboards.clients.prefect_pools import PrefectServer
from dashboards.runtime import context
from dashboards.runtime.maintenance.part_guard import Look
from storage.domain.errors import PrefectAway, StorageUnreachable
from storage.domain.translation import marked
from storage.remote.part_troubles import PlatformPart

logger = logging.getLogger(__name__)
EVERY_S = 3.0
ANSWERS_WITHIN_S = 5.0
"""With the pause and a page's own, everything says within 15 s what is away."""
PREFECT_STARTS_WITHIN_S = 60.0
"""A server that has not answered yet is starting for so long."""
NO_ANSWER = marked("no answer in time")
PROBE = "jobs/probe.json"


async def watch_parts(every_s: float = EVERY_S, answers_within_s: float = ANSWERS_WITHIN_S) -> None:
    """Look at storage and Prefect while the process runs."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_watch(PlatformPart.STORAGE, look_at_storage, every_s, answers_within_s))
        group.create_task(_watch(PlatformPart.PREFECT, PrefectProbe().look, every_s, answers_within_s))


async def _watch(part: PlatformPart, ask: Callable[[], str | None], every_s: float, within_s: float) -> None:
    """Ask a part again and again; of calls that hang there is one."""
    while True:
        began, answer = time.monotonic(), asyncio.get_running_loop().create_future()
        threading.Thread(target=_ask, args=(ask, answer), name=f"look at {part}", daemon=True).start()
        done, _ = await asyncio.wait({answer}, timeout=within_s)
        if not done:
            _note(part, NO_ANSWER, within_s)
        reason = await answer
        _note(part, reason, time.monotonic() - began)
        await asyncio.sleep(every_s)


def _ask(ask: Callable[[], str | None], answer: "asyncio.Future[str | None]") -> None:
    """Ask in a thread that nothing waits for at the end of the process."""
    try:
        reason = ask()
    except Exception as error:
        logger.exception("a part could not be looked at")
        reason = type(error).__name__

    def tell() -> None:
        if not answer.done():
            answer.set_result(reason)

    try:
        answer.get_loop().call_soon_threadsafe(tell)
    except RuntimeError:  # the process has stopped meanwhile
        return


def _note(part: PlatformPart, reason: str | None, took_s: float) -> None:
    holder = context.current()
    if holder.parts.note(part, Look(reason=reason, took_s=took_s)):
        logger.warning("%s %s", part, f"is away: {reason}" if reason else "is back")
        holder.bus.look_again()


def look_at_storage() -> str | None:
    """Return why storage does not answer, or None."""
    try:
        context.files().exists(PROBE)
    except StorageUnreachable as error:
        return error.reason
    return None


class PrefectProbe:
    """Asks the Prefect server whether it is well; each look has its own connection."""

    def __init__(self) -> None:
        self._server: PrefectServer | None = None

    def look(self) -> str | None:
        """Return why the server does not answer, or None.

        One that is starting is given a while.
        """
        holder = context.current()
        if holder.runs is None:  # its client is not imported yet
            return None
        try:
            if self._server is None:
                self._server = PrefectServer(2 * ANSWERS_WITHIN_S, connections_kept=0).__enter__()
            self._server.ask("GET", "/health", {})
        except PrefectAway as error:
            is_starting = not holder.prefect_has_answered and time.monotonic() - holder.began < PREFECT_STARTS_WITHIN_S
            return None if is_starting else error.reason
        return None
