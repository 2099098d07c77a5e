"""Who is writing to which upload: one request at a time, and the newest one wins.

A connection that is lost without a word keeps its request waiting for bytes that never come. The client meanwhile
asks for the offset, or sends on, over a new connection: the old request is then stopped, and what it received kept.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import ClientDisconnect, Request


class _Writer:
    """A request that has an upload in hand."""

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101
        self.task = task
        self._stopped = self.receiving = False
        self.done = asyncio.Event()

    def stop(self) -> None:
        """End it where it waits for bytes; while it writes, it looks at the flag by itself."""
        self._stopped = True
        if self.receiving:
            self.task.cancel()

    def is_stopped(self) -> bool:
        return self._stopped


class Writers:
    """The requests that write now, by upload."""

    def __init__(self) -> None:
        self._now: dict[str, _Writer] = {}

    async def stop(self, ident: str) -> None:
        """Stop whoever writes, and wait until all that came is on disk."""
        while writer := self._now.get(ident):
            writer.stop()
            await writer.done.wait()

    @asynccontextmanager
    async def only(self, ident: str) -> AsyncIterator[None]:
        """Be the only one to write for as long as the block lasts."""
        await self.stop(ident)
        writer = self._now[ident] = _Writer()
        try:
            yield
        finally:
            del self._now[ident]
            writer.done.set()

    async def body(self, ident: str, request: Request) -> AsyncIterator[bytes]:
        """Yield the request's body as it comes, until it ends or the writer is stopped.

        Raises:
            ClientDisconnect: the connection was lost in the middle.
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
