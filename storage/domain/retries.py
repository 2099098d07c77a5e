"""Calls something again, after a pause, while it fails for a reason that may pass."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
MayPass = Callable[[Exception], bool]
logger = logging.getLogger(__name__)


def call(work: Callable[[], T], *, may_pass: MayPass, pauses_s: Iterable[float]) -> T:
    """Call `work()` with retries; the last or a permanent error is raised."""
    left = iter(pauses_s)
    while True:
        try:
            return work()
        except Exception as error:
            if not may_pass(error) or (pause_s := _pause_s(error, left)) is None:
                raise
        time.sleep(pause_s)


async def call_async(
    work: Callable[[], Awaitable[T]],
    *,
    may_pass: MayPass,
    pauses_s: Iterable[float],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """Await `work()` with retries like `call`; `sleep` may raise to stop."""
    left = iter(pauses_s)
    while True:
        try:
            return await work()
        except Exception as error:
            if not may_pass(error) or (pause_s := _pause_s(error, left)) is None:
                raise
        await sleep(pause_s)


def growing(first_s: float, longest_s: float, *, within_s: float) -> Iterator[float]:
    """Return jittered pauses that double up to the longest, for `within_s` from now."""
    return _growing(first_s, longest_s, until=time.monotonic() + within_s)


def _growing(pause_s: float, longest_s: float, *, until: float) -> Iterator[float]:
    while time.monotonic() + (chosen_s := random.uniform(0.5, 1.0) * pause_s) <= until:  # noqa: S311
        yield chosen_s
        pause_s = min(longest_s, 2 * pause_s)


def _pause_s(error: Exception, left: Iterator[float]) -> float | None:
    """Return the next pause, at least as long as the error asks, or None."""
    pause_s = next(left, None)
    if pause_s is None:
        return None
    pause_s = max(pause_s, getattr(error, "retry_after_s", 0.0))
    logger.info("%s: %.200s; again in %.2g s", type(error).__name__, error, pause_s)
    return pause_s
