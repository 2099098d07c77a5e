"""Files that other programs may still be writing: when they count as complete."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SETTLED_AFTER_S = 10.0
"""A file counts as complete once its size and time of change have been the same for this long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """The size and the time of change of a file."""

    size_bytes: int
    changed_ns: int

    @classmethod
    def of(cls, path: Path) -> "FileState":
        found = path.stat()
        return cls(size_bytes=found.st_size, changed_ns=found.st_mtime_ns)


class Settling:
    """Remembers when each file that is not complete was first found as it is now."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        *,
        settled_after_s: float = SETTLED_AFTER_S,
    ) -> None:
        self._clock, self._now, self._after_s = clock, now, settled_after_s
        self._seen: dict[Path, tuple[FileState, float]] = {}

    def is_settled(self, path: Path) -> bool:
        """Return whether the file has been as it is now for long enough.

        Its own time of change says so, unless it lies in the future of this machine's clock; then two looks do.
        """
        state, at_s = FileState.of(path), self._clock()
        known, since_s = self._seen.pop(path, (state, at_s))
        if known != state:
            since_s = at_s
        if at_s - since_s >= self._after_s or self._now() - state.changed_ns / 1e9 >= self._after_s:
            return True
        self._seen[path] = state, since_s
        return False
