"""Keeps stored files to the user that runs the platform, whatever the umask."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from storage.domain.settings import StorageSettings

OTHERS = 0o077
OURS = (
    "ledger.duckdb*",
    "search*",
    "uploads",
    "store",
    "logs",
    "backups",
    "datasets*",
    "prefect",
    "models",
    "demo",
    "*-token",
    "*prefect-auth",
    "up.lock",
)
"""What we write in the data dir; a folder that holds other things, too, is left as it is but for these."""


def close(settings: StorageSettings) -> None:
    """Close the data dir and the storage folder to other users, at once."""
    for folder in _roots(settings):
        _mend(folder)


def mend(settings: StorageSettings) -> int:
    """Make everything that we stored private, and return how many files and folders were not."""
    return sum(_mend(path) for path in exposed(settings))


def exposed(settings: StorageSettings) -> Iterator[Path]:
    """Yield the stored files and folders whose mode admits other users, folders before their content."""
    for root in _roots(settings):
        if _is_open(root):
            yield root
    found = (path for pattern in OURS for path in settings.data_dir.glob(pattern))
    for path in (*found, *(root for root in _roots(settings) if root != settings.data_dir)):
        if _is_open(path):
            yield path
        yield from _inside(path)


def _roots(settings: StorageSettings) -> list[Path]:
    store = [Path(settings.root_url)] if "://" not in settings.root_url else []
    outside = [path for path in store if not path.is_relative_to(settings.data_dir.absolute())]
    return [path for path in (settings.data_dir, *outside) if path.is_dir()]


def _inside(folder: Path) -> Iterator[Path]:
    """Walk a folder; links are not followed, and what vanishes meanwhile is skipped."""
    if folder.is_symlink() or not folder.is_dir():
        return
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            if _is_open(path := Path(parent, name)):
                yield path


def _is_open(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    shared = bool(mode & stat.S_ISVTX)  # such as /tmp: nobody's own
    return (stat.S_ISDIR(mode) or stat.S_ISREG(mode)) and bool(mode & OTHERS) and not shared


def _mend(path: Path) -> bool:
    if not _is_open(path):
        return False
    try:
        path.chmod(stat.S_IMODE(path.lstat().st_mode) & ~OTHERS)
    except OSError:  # another user's; `doctor` says so
        return False
    return True
