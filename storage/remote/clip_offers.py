"""Clips that a gpu worker may begin to transcribe before their flow runs reach it.

Workers listen on a websocket, and the web process offers a clip to one of them when it asks Prefect for its flow run.
An offer promises nothing: whoever misses it, or loses what came of it, transcribes the clip when its flow run is there.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import quote

from storage.domain.records import Job, from_json
from storage.remote.certificates import usual_tls
from storage.remote.service_tokens import RotatingSecret

PATH = "/internal/v1/clips"


class ClipOffers:
    """The workers that listen, by the names of their heartbeats; for one event loop."""

    def __init__(self) -> None:
        self._listening: dict[str, asyncio.Queue[Job]] = {}

    @contextmanager
    def listening(self, worker: str) -> Iterator["asyncio.Queue[Job]"]:
        """Register a worker while the block runs, and yield its offers."""
        offers = self._listening[worker] = asyncio.Queue()
        try:
            yield offers
        finally:
            if self._listening.get(worker) is offers:  # its next process may listen already
                del self._listening[worker]

    def offer(self, clip: Job, workers: Iterable[str]) -> str | None:
        """Offer the clip to the first of these workers that listens; return its name."""
        for name in workers:
            if offers := self._listening.get(name):
                offers.put_nowait(clip)
                return name
        return None


async def offered(url: str, secret: RotatingSecret, worker: str) -> AsyncIterator[Job]:
    """Yield what the web process offers to a worker, until the connection ends.

    Raises:
        OSError, websockets.WebSocketException: the web process is away, or refuses.
    """
    from websockets.asyncio.client import connect

    address = f"ws{url.removeprefix('http').rstrip('/')}{PATH}?worker={quote(worker, safe='')}"
    headers = {"Authorization": f"Bearer {secret.current().get_secret_value()}"}
    tls = usual_tls() if address.startswith("wss:") else None
    # an internet proxy does not apply to our own processes
    async with connect(address, additional_headers=headers, ssl=tls, proxy=None, compression=None) as offers:
        async for told in offers:
            yield from_json(Job, told)
