"""Stops taking new recordings before a disk is full, and goes on by itself."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from storage.domain.errors import DiskNearlyFull

LARGEST_SPARE_BYTES = 2 << 30
SPARE_SHARE = 0.02
ROOM_AGAIN = 1.1
"""There has to be a little more room than is spared, so that the state does not flap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LowDisk:
    """A disk with less free space than is spared."""

    folder: str
    free_bytes: int
    spare_bytes: int


class DiskGuard:
    """Knows which disk is nearly full; `low` is None while all have room."""

    def __init__(self) -> None:
        self.low: LowDisk | None = None

    def look(self, folders: Sequence[Path], spare_bytes: int | None) -> bool:
        """Look at the disks of those folders that are there; return whether the state changed."""
        there = [one for one in folders if one.is_dir()]
        before, self.low = self.low, next(filter(None, (self._low(one, spare_bytes) for one in there)), None)
        return (before is None) is not (self.low is None)

    def _low(self, folder: Path, spare_bytes: int | None) -> LowDisk | None:
        usage = shutil.disk_usage(folder)
        spare = spare_bytes if spare_bytes is not None else min(LARGEST_SPARE_BYTES, int(SPARE_SHARE * usage.total))
        wanted = ROOM_AGAIN * spare if self.low else spare
        if usage.free >= wanted:
            return None
        return LowDisk(folder=str(folder), free_bytes=usage.free, spare_bytes=spare)

    def require_room(self) -> None:
        """Refuse a new recording while a disk is nearly full.

        Raises:
            DiskNearlyFull: one is.
        """
        if (low := self.low) is not None:
            raise DiskNearlyFull(low.folder, low.free_bytes, low.spare_bytes)
