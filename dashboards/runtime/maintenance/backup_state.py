"""What is known of the backups, so that no page waits for their place."""

import threading
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from storage.backup.backup_store import KeptBackup


@dataclass(slots=True, kw_only=True)
class BackupState:
    """The backups at the last look, what runs now, and what failed last.

    `kept` are all at their place, and `ours` those of the ledger with our `origin`. `runs` counts backups and drills
    that ended, so that a caller sees the end of its own.
    """

    kept: tuple[KeptBackup, ...] = ()
    origin: str = ""
    looked_at: datetime | None = None
    running: str | None = None
    runs: int = 0
    error: str | None = None
    failed_at: datetime | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, what: str) -> bool:
        """Note that a backup or a drill begins; return False if one is running."""
        with self.lock:
            if self.running:
                return False
            self.running = what
            return True

    def end(self, *, now: datetime, error: str | None = None) -> None:
        """Note that it ended, and how."""
        with self.lock:
            self.running = None
            self.runs += 1
            self.error = error
            self.failed_at = now if error else None

    def fail(self, error: str, now: datetime) -> None:
        """Note a failure, such as a place that does not answer."""
        with self.lock:
            self.error, self.failed_at = error, now

    @property
    def ours(self) -> tuple[KeptBackup, ...]:
        return tuple(one for one in self.kept if one.manifest.contents.origin == self.origin)

    @property
    def newest(self) -> KeptBackup | None:
        return next(iter(self.ours), None)

    @property
    def drill_passed_at(self) -> datetime | None:
        """When a drill passed last, of whichever backup."""
        return max((one.drill.at for one in self.ours if one.drill and one.drill.passed), default=None)

    @property
    def drills_failed(self) -> int:
        return sum(one.drill is not None and not one.drill.passed for one in self.ours)


def last_slot(at: time, now: datetime) -> datetime:
    """Return the last moment, at or before now, that had this time of day (UTC)."""
    today = now.replace(hour=at.hour, minute=at.minute, second=0, microsecond=0)
    return today if today <= now else today - timedelta(days=1)
