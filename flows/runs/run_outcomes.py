"""How a flow run ends when its work does not: the state that Prefect shows, and what may be tried again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.states import Cancelled, Failed

from flows.patience import is_passing
from flows.resident import CancelFlag, in_thread
from storage import errors
from storage.errors import PASSING, SpanFailed, SpanPutOff, TranscriberError

T = TypeVar("T")
log = logging.getLogger(__name__)

WAITS_S = (1.0, 5.0, 20.0)
"""Pauses before an operation that failed for a passing reason is tried again."""


class Stopped(Exception):
    """Somebody wants the work stopped; nothing has gone wrong."""


def this_run() -> FlowRun:
    """Return the flow run whose code is running.

    Raises:
        RuntimeError: none is.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError("this belongs into a flow run; call the functions of `tasks` outside of one")
    return context.flow_run


async def with_retries(work: Callable[[], Awaitable[T]], *, flag: CancelFlag) -> T:
    """Await `work()`, again after a while if it fails with a transient error; any other error passes at once.

    Raises:
        Stopped: the flag went up while it waited.
    """
    for wait_s in WAITS_S:
        try:
            return await work()
        except TranscriberError as error:
            if not error.transient or isinstance(error, SpanPutOff):  # the same span run would be found again
                raise
            log.warning("%s; again in %g s", error, wait_s)
        try:
            async with asyncio.timeout(wait_s):
                await flag.wait()
            raise Stopped
        except TimeoutError:
            continue
    return await work()


async def unless_stopped(work: Callable[[], T], *, flag: CancelFlag) -> T:
    """Run blocking `work` in a thread, and leave it to itself there when the flag goes up before its end.

    A download does not look at the flag; waiting for it would cost the whole process, with the runs beside this one.

    Raises:
        Stopped: the flag went up.
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
    """Return whether the same work may succeed later, so that the job need not fail of this error."""
    return error.transient if isinstance(error, TranscriberError) else is_passing(error)


def failed(error: TranscriberError) -> State[Any]:
    """Return the final state of a run that ends with `error`; its name is the error's class, for `error_of`."""
    return Failed(name=type(error).__name__, message=str(error))


def cancelled(why: str) -> State[Any]:
    return Cancelled(message=why)


def span_failure(what: str, state: State[Any]) -> SpanFailed:
    """Return what a gpu run's final state means to the recording."""
    kind = getattr(errors, state.name or "", None)
    if not (isinstance(kind, type) and issubclass(kind, TranscriberError)):
        return SpanFailed(what, state.message or str(state.name), SpanFailed.code)
    failure = SpanPutOff if issubclass(kind, PASSING) else SpanFailed
    return failure(what, state.message or str(state.name), kind.code)
