"""Requests by API key, until they are written to the ledger."""

import threading
from collections import Counter


class KeyRequests:
    """Counts in memory; a request costs no write."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, key_id: str, count: int = 1) -> None:
        """Count requests of a key."""
        with self._lock:
            self._counts[key_id] += count

    def taken(self) -> dict[str, int]:
        """Return the counts, and start again at zero."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        return dict(counts)
