"""What this process may use of the machine: cores and memory, by affinity and by the limits of its control groups.

Limits hold along the whole path of groups, in both versions that Linux knows
(https://docs.kernel.org/admin-guide/cgroup-v2.html); where a container hides its path, its root has them.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
NO_LIMIT_BYTES = 1 << 60  # version 1 says "none" by a number of this kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """The control groups of this process: folders from its own up to the root, by version 1's controllers or by 2."""

    root: Path = ROOT
    own: Path = OWN_GROUPS

    def cores(self) -> float | None:
        """Return how many cores' time the groups give, or None where they set no limit."""
        found = [quota / period for quota, period in self._quotas() if quota > 0 and period > 0]
        return min(found, default=None)

    def memory(self) -> tuple[int, int] | None:
        """Return the tightest limit of memory and what is free of it, in bytes, or None where there is none."""
        found = []
        for folder, limit_in, used_in in self._memory_files():
            limit, used = _number(folder / limit_in), _number(folder / used_in)
            if limit is not None and limit < NO_LIMIT_BYTES:
                found.append((limit, max(0, limit - (used or 0))))
        return min(found, key=lambda pair: pair[1], default=None)

    def _quotas(self) -> Iterator[tuple[int, int]]:
        for folder in self._folders(""):
            said = _text(folder / "cpu.max").split()
            if len(said) == 2 and said[0].isdigit() and said[1].isdigit():
                yield int(said[0]), int(said[1])
        for folder in self._folders("cpu"):
            quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
            if quota is not None and period is not None:
                yield quota, period

    def _memory_files(self) -> Iterator[tuple[Path, str, str]]:
        yield from ((folder, "memory.max", "memory.current") for folder in self._folders(""))
        yield from ((folder, "memory.limit_in_bytes", "memory.usage_in_bytes") for folder in self._folders("memory"))

    def _folders(self, controller: str) -> Iterator[Path]:
        """Yield the folders of a version 1 controller, or of version 2 where it has no name."""
        base = self.root / controller
        path = Path()
        for line in _text(self.own).splitlines():
            _, _, rest = line.partition(":")
            names, _, place = rest.partition(":")
            if controller in names.split(","):
                path = Path(place.lstrip("/"))
        for folder in (path, *path.parents):
            if ".." not in folder.parts:
                yield base / folder


def cores(groups: Groups | None = None) -> int:
    """Return the cores that this process may use."""
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    given = (groups or Groups()).cores()
    return mine if given is None else max(1, min(mine, round(given)))


def memory_bytes(groups: Groups | None = None) -> int:
    """Return the memory that this process may ever have."""
    import psutil

    limit, total = (groups or Groups()).memory(), int(psutil.virtual_memory().total)
    return total if limit is None else min(total, limit[0])


def memory_free_bytes(groups: Groups | None = None) -> int:
    """Return the memory that this process may still take."""
    import psutil

    limit, free = (groups or Groups()).memory(), int(psutil.virtual_memory().available)
    return free if limit is None else min(free, limit[1])


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    said = _text(path).strip()
    return int(said) if said.lstrip("-").isdigit() else None
