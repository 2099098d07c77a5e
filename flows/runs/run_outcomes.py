"""The final states of flow runs, and which errors are worth a retry."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.states import Cancelled, Failed

from flows.runs.prefect_retry import is_passing
from flows.runs.process_state import CancelFlag, in_thread
from storage.domain import errors, retries
from storage.domain.errors import PASSING, SpanFailed, SpanPutOff, TranscriberError

T = TypeVar("T")

NO_RESULTS = Path(os.devnull)
"""Where flows keep results in Prefect: they keep none, and without a place each run asks the server for one."""

PAUSES_S = (1.0, 5.0, 20.0)
"""Pauses before an operation that failed temporarily is retried."""


class Stopped(Exception):
    """The work was stopped on request; nothing went wrong."""


def this_run() -> FlowRun:
    """Return the flow run whose code is running.

    Raises:
        RuntimeError: there is none.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError("this must run inside a flow run; outside, call the functions of `tasks`")
    return context.flow_run


async def with_retries(
    work: Callable[[], Awaitable[T]], *, flag: CancelFlag, pauses_s: Sequence[float] = PAUSES_S
) -> T:
    """Await `work()`, retrying transient errors after a pause; others are raised at once.

    Raises:
        Stopped: the flag was raised during a pause.
    """

    def may_pass_here(error: Exception) -> bool:
        if isinstance(error, SpanPutOff):  # the same span run would be found again
            return False
        return isinstance(error, TranscriberError) and error.transient

    async def sleep(pause_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await flag.wait()
            raise Stopped

    return await retries.call_async(work, may_pass=may_pass_here, pauses_s=pauses_s, sleep=sleep)


@contextlib.asynccontextmanager
async def held(lock: asyncio.Lock, *, flag: CancelFlag) -> AsyncGenerator[None, None]:
    """Hold a lock while the block runs.

    Raises:
        Stopped: the flag was raised while another task held the lock.
    """
    acquiring, stopping = asyncio.ensure_future(lock.acquire()), asyncio.ensure_future(flag.wait())
    try:
        await asyncio.wait({acquiring, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not acquiring.done():
            raise Stopped
        yield
    finally:
        stopping.cancel()
        if not acquiring.cancel():
            lock.release()


async def unless_stopped(work: Callable[[], T], *, flag: CancelFlag) -> T:
    """Run blocking `work` in a thread, and abandon it if the flag is raised.

    A download does not check the flag, and waiting for it would block the whole process with its other runs.

    Raises:
        Stopped: the flag was raised.
    """
    working, stopping = asyncio.ensure_future(in_thread(work)), asyncio.ensure_future(flag.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Stopped
        return working.result()
    finally:
        working.cancel()
        stopping.cancel()


def may_pass(error: BaseException) -> bool:
    """Return whether the same work may succeed later, so that the job need not fail."""
    return error.transient if isinstance(error, TranscriberError) else is_passing(error)


def failed(error: TranscriberError) -> State[Any]:
    """Return the final state of a run that ends with `error`, named after its class."""
    return Failed(name=type(error).__name__, message=str(error))


def cancelled(why: str) -> State[Any]:
    return Cancelled(message=why)


def span_failure(what: str, state: State[Any]) -> SpanFailed:
    """Return the recording's error for a gpu run's final state."""
    kind = getattr(errors, state.name or "", None)
    if not (isinstance(kind, type) and issubclass(kind, TranscriberError)):
        return SpanFailed(what, state.message or str(state.name), SpanFailed.code)
    failure = SpanPutOff if issubclass(kind, PASSING) else SpanFailed
    return failure(what, state.message or str(state.name), kind.code)
