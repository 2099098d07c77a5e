"""Retry requests while the Prefect server is unavailable; requests must be idempotent."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

from storage.domain import retries

T = TypeVar("T")

PATIENCE_S = 300.0
PAUSE_S = 1.0
DETACHED = "not associated with a work pool"


def is_passing(error: BaseException) -> bool:
    """Return whether an error of Prefect's client is temporary."""
    if isinstance(error, PrefectHTTPStatusError):
        return error.response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR
    return isinstance(error, httpx.TransportError)


def is_detached(error: BaseException) -> bool:
    """Return whether somebody deleted the deployment, its pool or its queue; workers make them anew."""
    if isinstance(error, PrefectHTTPStatusError):
        return error.response.status_code == httpx.codes.BAD_REQUEST and DETACHED in error.response.text
    return isinstance(error, ObjectNotFound)


async def patiently(ask: Callable[[], Awaitable[T]], *, patience_s: float = PATIENCE_S) -> T:
    """Await `ask()`, retrying while the server is unavailable; other errors are raised at once."""
    pauses_s = retries.growing(PAUSE_S, PAUSE_S, within_s=patience_s)
    return await retries.call_async(ask, may_pass=is_passing, pauses_s=pauses_s)
