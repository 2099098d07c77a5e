"""Temporary files that do not outlive a process, even if it is killed.

Each process has a folder of its own, which it holds locked. The kernel releases the lock when the process ends, however
it ends; whoever looks next deletes a folder that nobody holds.
"""

import atexit
import fcntl
import os
import shutil
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MARK = "transcriber-of-"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A folder, the descriptor that locks it, and whose it is."""

    path: Path
    descriptor: int
    pid: int

    def delete(self) -> None:
        if self.pid == os.getpid():
            shutil.rmtree(self.path, ignore_errors=True)


_held: dict[Path, _Held] = {}
_making = threading.Lock()


def folder() -> Path:
    """Return this process's folder, in which a block of its own is made and deleted."""
    place = Path(tempfile.gettempdir())
    with _making:
        held = _held.get(place)
        if held is None or held.pid != os.getpid() or not held.path.is_dir():
            sweep()
            held = _held[place] = _made(place)
            atexit.register(held.delete)
        return held.path


def _made(place: Path) -> _Held:
    while True:
        path = Path(tempfile.mkdtemp(prefix=MARK, dir=place))
        with suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            with suppress(OSError):  # a filesystem without locks, on which sweep() deletes nothing
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if path.is_dir():  # no sweep took it for what a killed process left before it was locked
                return _Held(path=path, descriptor=descriptor, pid=os.getpid())
            os.close(descriptor)


def sweep() -> None:
    """Delete what killed processes of this user left."""
    for path in Path(tempfile.gettempdir()).glob(f"{MARK}*"):
        with suppress(OSError):  # somebody's who deletes it now, or another user's
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(descriptor)


def _forget() -> None:
    """Leave the folders to the process that made them, in a fork of it."""
    global _making  # noqa: PLW0603 - another thread may have held it
    for held in _held.values():
        os.close(held.descriptor)
    _held.clear()
    _making = threading.Lock()


os.register_at_fork(after_in_child=_forget)
