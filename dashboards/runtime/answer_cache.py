"""Answers of the API, kept for their caller until anything is committed to the ledger.

An answer that is found was read after the last commit: whatever changes a job, and whether it tells anybody, is a
commit. See `docs/decisions/0013-answers-are-kept-until-a-commit.md`.
"""

import threading
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from cachetools import TTLCache

MOST_BYTES = 32 * 2**20
LARGEST_BYTES = 2**20
KEPT_S = 600.0
OVERHEAD_BYTES = 2048
"""About what an answer takes besides its body: headers, key, and its place among the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """A whole response; `stamp` is the ledger's count of changes before it was read."""

    stamp: int
    start: dict[str, Any]
    body: bytes
    route: Any

    @property
    def size_bytes(self) -> int:
        return len(self.body) + OVERHEAD_BYTES


class Answers:
    """The least recently used answers are forgotten first; any thread may ask."""

    def __init__(self, *, most_bytes: int = MOST_BYTES) -> None:
        self.asked = self.hits = 0
        self._lock = threading.Lock()
        self._kept: TTLCache[Hashable, KeptAnswer] = TTLCache(
            most_bytes, KEPT_S, getsizeof=lambda answer: answer.size_bytes
        )

    def find(self, key: Hashable, stamp: int) -> KeptAnswer | None:
        """Return the answer if nothing was committed since it was read, or is being committed."""
        with self._lock:
            self.asked += 1
            found = self._kept.get(key)
            if found is None or found.stamp != stamp or is_changing(stamp):
                return None
            self.hits += 1
            return found

    def keep(self, key: Hashable, answer: KeptAnswer) -> None:
        """Keep an answer, unless it is very large or was read during a commit."""
        if is_changing(answer.stamp) or answer.size_bytes > min(LARGEST_BYTES, self._kept.maxsize):
            return
        with self._lock:
            self._kept[key] = answer

    def clear(self) -> None:
        """Forget all answers; the counters stay."""
        with self._lock:
            self._kept.clear()

    def size_bytes(self) -> float:
        """Return about how much memory the answers take."""
        with self._lock:
            return self._kept.currsize


def is_changing(stamp: int) -> bool:
    """Return whether a commit was under way when the ledger's count was read."""
    return stamp % 2 == 1
