"""Modes of new files: private, or as the user's umask asks."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PRIVATE = 0o077
_users: list[int] = []


def keep_private() -> None:
    """Make all new files of this process and its children private."""
    _users[:] = [os.umask(PRIVATE)]


@contextmanager
def as_the_user_wants() -> Iterator[None]:
    """Use the user's umask while the block runs, before other threads start."""
    before = os.umask(_users[0]) if _users else None
    try:
        yield
    finally:
        if before is not None:
            os.umask(before)


def users_umask() -> int | None:
    """Return the user's umask, or None if it is still in force."""
    return _users[0] if _users else None


def hand_over(path: Path) -> None:
    """Give a new file the mode that the user's umask asks for."""
    if _users:
        path.chmod(0o666 & ~_users[0])
