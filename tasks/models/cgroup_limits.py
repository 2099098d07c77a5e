"""Read how many cores and how much memory this process may use.

The limits come from CPU affinity and from control groups, along the whole path of groups, in both versions that Linux
supports (https://docs.kernel.org/admin-guide/cgroup-v2.html). Where a container hides its path, its root has them.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
NO_LIMIT_BYTES = 1 << 60  # version 1 expresses "none" by a number of this size


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """The control groups of this process: folders from its own up to the root.

    Version 1 has a hierarchy per controller, version 2 a single one.
    """

    root: Path = ROOT
    own: Path = OWN_GROUPS

    def cores(self) -> float | None:
        """Return the groups' limit in cores, or None without a limit."""
        limits = [quota / period for quota, period in self._quotas() if quota > 0 and period > 0]
        return min(limits, default=None)

    def memory(self) -> tuple[int, int] | None:
        """Return the tightest memory limit and what is free of it in bytes, or None."""
        limits = []
        for folder, limit_in, used_in in self._memory_files():
            limit, used = _number(folder / limit_in), _number(folder / used_in)
            if limit is not None and limit < NO_LIMIT_BYTES:
                limits.append((limit, max(0, limit - (used or 0))))
        return min(limits, key=lambda pair: pair[1], default=None)

    def _quotas(self) -> Iterator[tuple[int, int]]:
        for folder in self._folders(""):
            fields = _text(folder / "cpu.max").split()
            if len(fields) == 2 and fields[0].isdigit() and fields[1].isdigit():
                yield int(fields[0]), int(fields[1])
        for folder in self._folders("cpu"):
            quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
            if quota is not None and period is not None:
                yield quota, period

    def _memory_files(self) -> Iterator[tuple[Path, str, str]]:
        yield from ((folder, "memory.max", "memory.current") for folder in self._folders(""))
        yield from ((folder, "memory.limit_in_bytes", "memory.usage_in_bytes") for folder in self._folders("memory"))

    def _folders(self, controller: str) -> Iterator[Path]:
        """Yield the folders of a version 1 controller, or of version 2 (empty name)."""
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
    """Return the number of cores that this process may use."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = (groups or Groups()).cores()
    return affinity if limit is None else max(1, min(affinity, round(limit)))


def memory_bytes(groups: Groups | None = None) -> int:
    """Return the memory that this process may use in total."""
    import psutil

    limit, total = (groups or Groups()).memory(), int(psutil.virtual_memory().total)
    return total if limit is None else min(total, limit[0])


def memory_free_bytes(groups: Groups | None = None) -> int:
    """Return the memory that this process may still allocate."""
    import psutil

    limit, free = (groups or Groups()).memory(), int(psutil.virtual_memory().available)
    return free if limit is None else min(free, limit[1])


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.lstrip("-").isdigit() else None
