"""What is known of the exports of datasets."""

import threading
from dataclasses import dataclass, field

from storage.datasets.dataset_export import Exported


@dataclass(slots=True, kw_only=True)
class DatasetState:
    """Whether an export runs, and how the last one ended.

    `runs` counts the exports that ended, so that a caller sees the end of its own.
    """

    running: bool = False
    runs: int = 0
    error: str | None = None
    last: Exported | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> bool:
        """Note that an export begins; return False if one is running."""
        with self.lock:
            if self.running:
                return False
            self.running = True
            return True

    def end(self, exported: Exported | None, error: str | None) -> None:
        """Note how it ended."""
        with self.lock:
            self.running, self.error = False, error
            self.runs += 1
            self.last = exported or self.last
