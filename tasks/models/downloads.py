"""Where downloads are put together before they appear whole in their folder, one at a time on a machine."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

INCOMING = ".incoming"
SPARE_BYTES = 100_000_000

OnDownload = Callable[[str, int, int], None]  # what is fetched, bytes here, bytes in all


@contextmanager
def alone(name: str, folder: Path) -> Iterator[Path]:
    """Hold this machine's lock on fetching `name` into `folder`; yields the place where it is put together."""
    from filelock import FileLock

    incoming = folder / INCOMING
    incoming.mkdir(parents=True, exist_ok=True)
    with FileLock(incoming / f"{name}.lock"):
        yield incoming


def want_of_room(folder: Path, needed_bytes: int) -> str | None:
    """Return what the disk lacks to take so many bytes, in words, or None where they fit."""
    free = shutil.disk_usage(folder).free
    if needed_bytes + SPARE_BYTES <= free:
        return None
    return f"{needed_bytes // 1_000_000} MB are needed and {free // 1_000_000} MB are free on the disk"


def put_in_place(made: Path, target: Path) -> None:
    """Let what was put together appear under its name, in place of a part of it that was there."""
    if target.exists():
        shutil.rmtree(target)
    made.rename(target)
