"""Assemble downloads in a staging folder, one at a time, then move them into place."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

INCOMING = ".incoming"
SPARE_BYTES = 100_000_000

OnDownload = Callable[[str, int, int], None]  # name, bytes so far, bytes in total


@contextmanager
def alone(name: str, folder: Path) -> Iterator[Path]:
    """Lock downloads of `name` into `folder` on this machine; yields the staging folder."""
    from filelock import FileLock

    incoming = folder / INCOMING
    incoming.mkdir(parents=True, exist_ok=True)
    with FileLock(incoming / f"{name}.lock"):
        yield incoming


def disk_shortage(folder: Path, needed_bytes: int) -> str | None:
    """Return how much disk space is missing for these bytes, or None if none is."""
    free = shutil.disk_usage(folder).free
    if needed_bytes + SPARE_BYTES <= free:
        return None
    return f"{needed_bytes // 1_000_000} MB are needed and {free // 1_000_000} MB are free on the disk"


def put_in_place(finished: Path, target: Path) -> None:
    """Move a finished download to its name, replacing an incomplete one."""
    if target.exists():
        shutil.rmtree(target)
    finished.rename(target)
