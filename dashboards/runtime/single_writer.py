"""Allows one writer per upload; the newest request wins.

A silently lost connection leaves its request waiting for bytes that never come. Meanwhile the client asks for the
offset, or continues over a new connection: the old request is then stopped, and what it received is kept.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import ClientDisconnect, Request


class _Writer:
    """A request that is writing an upload."""

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101
        self.task = task
        self._stopped = self.receiving = False
        self.done = asyncio.Event()

    def stop(self) -> None:
        """Stop it while it waits for bytes; while writing, it checks the flag itself."""
        self._stopped = True
        if self.receiving:
            self.task.cancel()

    def is_stopped(self) -> bool:
        return self._stopped


class Writers:
    """The current writers, by upload."""

    def __init__(self) -> None:
        self._now: dict[str, _Writer] = {}

    async def stop(self, ident: str) -> None:
        """Stop the writer, and wait until all received bytes are on disk."""
        while writer := self._now.get(ident):
            writer.stop()
            await writer.done.wait()

    @asynccontextmanager
    async def only(self, ident: str) -> AsyncIterator[None]:
        """Be the only writer while the block runs."""
        await self.stop(ident)
        writer = self._now[ident] = _Writer()
        try:
            yield
        finally:
            del self._now[ident]
            writer.done.set()

    async def body(self, ident: str, request: Request) -> AsyncIterator[bytes]:
        """Yield the request's body until it ends or the writer is stopped.

        Raises:
            ClientDisconnect: the connection was lost midway.
        """
        writer = self._now[ident]
        while not writer.is_stopped():
            writer.receiving = True
            try:
                message = await request.receive()
            except asyncio.CancelledError:
                if not writer.is_stopped():
                    raise
                writer.task.uncancel()
                return
            finally:
                writer.receiving = False
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            if block := message.get("body", b""):
                yield block
            if not message.get("more_body", False):
                return
