"""Locks by key, in bounded memory."""

import threading
from collections.abc import Hashable

LOCKS = 1024


class KeyedLocks:
    """Locks of which equal keys have the same one; others may have it, too."""

    def __init__(self) -> None:
        self._locks = tuple(threading.Lock() for _ in range(LOCKS))

    def of(self, key: Hashable) -> threading.Lock:
        return self._locks[hash(key) % LOCKS]
