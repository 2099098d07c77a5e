"""Cache of rendered lists, invalidated by job events or a time to live."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

KEPT_S = 10.0
"""Job events invalidate entries; this covers changes without events, such as queue positions."""
MOST = 500


class Lists:
    """Cached results by key; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[int, float, Any]] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}

    def get(self, asked: Hashable, count: int, make: Callable[[], Any]) -> Any:
        """Return or make the result for a key; `count` is the number of events.

        Concurrent callers wait for the one that makes it.
        """
        if (kept := self._fresh(asked, count)) is not None:
            return kept
        with self._lock:
            making = self._making.setdefault(asked, threading.Lock())
        with making:
            if (kept := self._fresh(asked, count)) is not None:
                return kept
            made = make()
            with self._lock:
                self._kept[asked] = (count, time.monotonic() + KEPT_S, made)
                self._kept.move_to_end(asked)
                while len(self._kept) > MOST:
                    self._kept.popitem(last=False)
                self._making.pop(asked, None)
            return made

    def _fresh(self, asked: Hashable, count: int) -> Any:
        with self._lock:
            of, until, made = self._kept.get(asked, (-1, 0.0, None))
        return made if of >= count and time.monotonic() < until else None
