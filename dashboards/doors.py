"""Open websockets by session, so that a session that ends takes its pages with it at once.

Fragment reruns skip the check at the top of a page script, so a page that is open must be closed from outside.
"""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

CLOSED = 4401


class Door:
    """One open websocket; `shut` is set when its session has ended."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.shut = asyncio.Event()
        self.loop = asyncio.get_running_loop()


class Doors:
    """All open websockets that a session has let in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, set[Door]] = {}

    @contextmanager
    def passed(self, session_id: str) -> Iterator[Door]:
        """Register a websocket for as long as the block lasts."""
        door = Door(session_id)
        with self._lock:
            self._open.setdefault(session_id, set()).add(door)
        try:
            yield door
        finally:
            with self._lock:
                self._open[session_id].discard(door)
                if not self._open[session_id]:
                    del self._open[session_id]

    def session_ids(self) -> set[str]:
        """Return the sessions that have a websocket open."""
        with self._lock:
            return set(self._open)

    def kick(self, session_ids: Iterable[str]) -> None:
        """Shut every websocket of these sessions; from any thread."""
        with self._lock:
            doors = [door for ident in session_ids for door in self._open.get(ident, ())]
        for door in doors:
            if not door.loop.is_closed():
                door.loop.call_soon_threadsafe(door.shut.set)
