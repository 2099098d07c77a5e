"""Open websockets by the session or API key that let them in, so that one that ends takes its own with it at once.

Fragment reruns skip the check at the top of a page script, so a page that is open must be closed from outside.
"""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

CLOSED = 4401


class Door:
    """One open websocket, shut when the session or key that opened it has ended.

    The task that waits for the client is then told, by being cancelled: a task and an event beside it, to wait for
    either, would be a tenth of what a page costs.
    """

    __slots__ = ("_shut", "loop", "waiting")

    def __init__(self) -> None:
        self._shut = False
        self.loop = asyncio.get_running_loop()
        self.waiting: asyncio.Task[Any] | None = None

    def is_shut(self) -> bool:
        return self._shut

    def close(self) -> None:
        """Shut it; on the loop's own thread."""
        if not self._shut:
            self._shut = True
            if self.waiting:
                self.waiting.cancel()


class Doors:
    """All open websockets that a session or a key has let in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, set[Door]] = {}

    @contextmanager
    def passed(self, ident: str) -> Iterator[Door]:
        """Register a websocket for as long as the block lasts."""
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

    def idents(self) -> set[str]:
        """Return the sessions and keys that have a websocket open."""
        with self._lock:
            return set(self._open)

    def kick(self, idents: Iterable[str]) -> None:
        """Shut every websocket of these sessions and keys; from any thread."""
        with self._lock:
            doors = [door for ident in idents for door in self._open.get(ident, ())]
        for door in doors:
            if not door.loop.is_closed():
                door.loop.call_soon_threadsafe(door.close)
