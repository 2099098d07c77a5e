"""Asking the Prefect server again while it is away or busy; all that is asked this way may be asked twice."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx
from prefect.exceptions import PrefectHTTPStatusError

T = TypeVar("T")
log = logging.getLogger(__name__)

PATIENCE_S = 300.0
PAUSE_S = 1.0


def is_passing(error: BaseException) -> bool:
    """Return whether an error of Prefect's client may be gone after a while."""
    if isinstance(error, PrefectHTTPStatusError):
        return error.response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR
    return isinstance(error, httpx.TransportError)


async def patiently(ask: Callable[[], Awaitable[T]], *, patience_s: float = PATIENCE_S) -> T:
    """Await `ask()`, again and again while the server is away; its other errors pass at once."""
    until = asyncio.get_running_loop().time() + patience_s
    while True:
        try:
            return await ask()
        except (httpx.TransportError, PrefectHTTPStatusError) as error:
            if not is_passing(error) or asyncio.get_running_loop().time() > until:
                raise
            log.info("the Prefect server is away (%s: %s)", type(error).__name__, str(error).splitlines()[:1])
        await asyncio.sleep(PAUSE_S)
