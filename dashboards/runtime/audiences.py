"""Who besides its owner hears of a recording: the accounts that it is shared with."""

import threading
import time

from storage.jobs import collaborators
from storage.ledger.database import Ledger

KEPT_S = 10.0
"""A change of rights is known at once; this covers accounts that were disabled, and other processes."""


class Audiences:
    """The shared recordings with their readers, read from the ledger at times; thread-safe."""

    def __init__(self, ledger: Ledger, *, kept_s: float = KEPT_S) -> None:
        self._ledger, self._kept_s = ledger, kept_s
        self._lock = threading.Lock()
        self._until_s = 0.0
        self._shared: dict[str, tuple[str, ...]] = {}

    def of(self, job_id: str) -> tuple[str, ...]:
        """Return the accounts that a recording is shared with."""
        with self._lock:
            if time.monotonic() >= self._until_s:
                with self._ledger.read() as con:
                    self._shared = collaborators.everyone(con)
                self._until_s = time.monotonic() + self._kept_s
            return self._shared.get(job_id, ())

    def changed(self) -> None:
        """Read the ledger again before the next answer."""
        with self._lock:
            self._until_s = 0.0
