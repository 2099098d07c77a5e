"""Open websockets by session or API key, so that ending one closes its websockets.

Fragment reruns skip the check at the start of a page script, so an open page must be closed from outside.
"""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

CLOSED = 4401


class Door:
    """An open websocket, closed when its session or key ends.

    The task that waits for the client is cancelled then: a separate task and event to wait for either would be a tenth
    of a page's cost.
    """

    __slots__ = ("_shut", "loop", "waiting")

    def __init__(self) -> None:
        self._shut = False
        self.loop = asyncio.get_running_loop()
        self.waiting: asyncio.Task[Any] | None = None

    def is_shut(self) -> bool:
        return self._shut

    def close(self) -> None:
        """Close it; on the loop's own thread."""
        if not self._shut:
            self._shut = True
            if self.waiting:
                self.waiting.cancel()


class Doors:
    """All open websockets of sessions and keys."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, set[Door]] = {}

    @contextmanager
    def passed(self, ident: str) -> Iterator[Door]:
        """Register a websocket while the block runs."""
        door = Door()
        with self._lock:
            self._open.setdefault(ident, set()).add(door)
        try:
            yield door
        finally:
            with self._lock:
                self._open[ident].discard(door)
                if not self._open[ident]:
                    del self._open[ident]

    def count(self, ident: str) -> int:
        """Return how many websockets this session or key has open."""
        with self._lock:
            return len(self._open.get(ident, ()))

    def idents(self) -> set[str]:
        """Return the sessions and keys with an open websocket."""
        with self._lock:
            return set(self._open)

    def kick(self, idents: Iterable[str]) -> None:
        """Close every websocket of these sessions and keys; from any thread."""
        with self._lock:
            doors = [door for ident in idents for door in self._open.get(ident, ())]
        for door in doors:
            if not door.loop.is_closed():
                door.loop.call_soon_threadsafe(door.close)
