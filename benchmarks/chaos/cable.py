"""A TCP proxy between workers and the web process, which can be cut."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any


class Cable:
    """Forwards connections of its own port to another one, until it is cut."""

    def __init__(self, port: int, to_port: int) -> None:
        self._port, self._to_port, self._is_cut = port, to_port, False
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._on_loop(self._serve())

    def cut(self) -> None:
        """Close all connections, and refuse new ones."""
        self._is_cut = True
        self._on_loop(self._close_all())

    def mend(self) -> None:
        """Forward again."""
        self._is_cut = False

    def close(self) -> None:
        """Stop for good."""
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _on_loop(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _serve(self) -> None:
        await asyncio.start_server(self._forward, "127.0.0.1", self._port)

    async def _close_all(self) -> None:
        for writer in set(self._open):
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._to_port)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, back}
        try:
            await asyncio.gather(_pump(reader, back), _pump(there, writer))
        finally:
            self._open -= {writer, back}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
