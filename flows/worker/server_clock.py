"""The Prefect server's time, on a machine whose own clock is wrong."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from flows.platform import deploy
from storage.domain.clock import utc_now

log = logging.getLogger(__name__)

EVERY_S = 60.0
TOLERANCE = timedelta(seconds=3)
HALF_A_SECOND = timedelta(seconds=0.5)


class ServerClock:
    """The server's time, from the `Date` of its answers; ours, until one has come.

    `on_change` is called when the difference is found to be another one.
    """

    def __init__(self, api_url: Callable[[], str], on_change: Callable[[], None]) -> None:
        self._api_url, self._on_change = api_url, on_change
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        return utc_now() + self._ahead

    async def watch(self) -> None:
        """Ask the server every minute.

        Raises:
            httpx.HTTPError: it does not answer.
        """
        while True:
            ahead = await asyncio.to_thread(server_ahead, self._api_url())
            if abs(ahead - self._ahead) > TOLERANCE:
                log.warning("the Prefect server's clock differs from ours by %+.0f s", ahead.total_seconds())
                self._ahead = ahead
                self._on_change()
            await asyncio.sleep(EVERY_S)


def server_ahead(api_url: str) -> timedelta:
    """Return how far the server's clock is ahead of ours; 0 within `TOLERANCE`.

    Raises:
        httpx.HTTPError: the server does not answer.
    """
    with deploy.prefect_http(api_url) as http:
        asked_at = utc_now()
        answer = http.get("/health").raise_for_status()
        ours = asked_at + (utc_now() - asked_at) / 2
    if "date" not in answer.headers:  # a proxy may remove it
        return timedelta(0)
    ahead = parsedate_to_datetime(answer.headers["date"]) + HALF_A_SECOND - ours  # it is cut to whole seconds
    return ahead if abs(ahead) > TOLERANCE else timedelta(0)
