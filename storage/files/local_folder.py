"""Storage in a local folder: files are written hidden, synced, then renamed."""

import errno
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

from storage.domain.errors import AlreadyStored, NotStored, StorageFull, StorageUnreachable
from storage.domain.translation import marked
from storage.files.stored_stream import stream

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EINVAL}
"""Errors of file systems without hard links."""
COPY_BYTES = 1 << 20
GONE, NOT_MOUNTED = marked("the folder is gone"), marked("its disk is not mounted")
TEMP_MARK = ".part-"


class Folder:
    """A root in a local or mounted folder."""

    def __init__(self, path: Path, *, umask: int | None = None) -> None:
        """Files are private, or as a umask says; so are new folders."""
        self.path, self._umask = path.absolute(), umask
        self._device: int | None = None

    def _require_root(self) -> None:
        """Refuse a root that was here and has gone.

        It must not look like one without files. Of a disk that was unmounted, the empty folder is left.
        """
        try:
            found = self.path.stat()
        except FileNotFoundError:
            if self._device is None:
                return  # it is created at the first write
            raise StorageUnreachable(str(self.path), GONE) from None
        if not stat.S_ISDIR(found.st_mode):
            raise StorageUnreachable(str(self.path), GONE)
        if self._device not in {None, found.st_dev} and not any(self.path.iterdir()):
            raise StorageUnreachable(str(self.path), NOT_MOUNTED)
        self._device = found.st_dev

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Store the chunks atomically."""
        with self._replacing(name) as file:
            for chunk in chunks:
                file.write(chunk)

    def create(self, name: str, data: bytes) -> None:
        """Store bytes atomically, unless there is such a file."""
        with self._replacing(name, _link_to_free) as file:
            file.write(data)

    def put(self, name: str, source: Path, *, move: bool) -> None:
        """Store a local file by renaming or copying it."""
        if move and self._rename(name, source):
            return
        with source.open("rb") as bytes_in, self._replacing(name) as file:
            shutil.copyfileobj(bytes_in, file, COPY_BYTES)
        if move:
            source.unlink()

    def read(self, name: str) -> bytes:
        """Return all bytes."""
        with self.open(name) as file:
            return file.read()

    def open(self, name: str) -> BinaryIO:
        """Open for reading."""
        with _mapped(name):
            self._require_root()
            return stream((self.path / name).open("rb"), partial(_mapped, name))

    def size(self, name: str) -> int | None:
        """Return the size in bytes, or None if there is no such file."""
        try:
            with _mapped(name):
                self._require_root()
                path = self.path / name
                return path.stat().st_size if path.is_file() else None
        except NotStored:
            return None

    def delete(self, name: str) -> None:
        """Delete one file, if it exists."""
        self._require_root()
        with suppress(NotStored), _mapped(name):
            (self.path / name).unlink()

    def delete_folder(self, name: str) -> None:
        """Delete all files in a folder; `sweep` removes the folder, which a writer may need."""
        for each in list(self.list(name)):
            self.delete(each)

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names below a folder, without incomplete files."""
        self._require_root()
        try:
            with os.scandir(self.path / prefix) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            name = f"{prefix}/{entry.name}" if prefix else entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from self.list(name)
            elif not entry.name.startswith("."):
                yield name

    def sweep(self, older_than_s: float) -> int:
        """Delete incomplete files of killed writers and old empty folders; return the files' number."""
        before = time.time() - older_than_s
        count = 0
        for folder, _, names in os.walk(self.path, topdown=False):
            for name in names:
                if name.startswith(TEMP_MARK) and _older(Path(folder, name), before):
                    Path(folder, name).unlink(missing_ok=True)
                    count += 1
            if not names and Path(folder) != self.path and _older(Path(folder), before):
                with suppress(OSError):  # it is not empty
                    Path(folder).rmdir()
        return count

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """Provide the stored file itself."""
        path = self.path / name
        if self.size(name) is None:
            raise NotStored(name)
        yield path

    @contextmanager
    def _replacing(self, name: str, place: Callable[[str, Path], None] = os.replace) -> Iterator[BinaryIO]:
        target = self.path / name
        with _mapped(name, writing=True):
            self._require_root()
            made = [] if self._umask is None else _missing_folders(target.parent)
            handle, temp = _temp_beside(target)
            try:
                with os.fdopen(handle, "wb") as file:
                    if self._umask is not None:
                        _open_up(made, file.fileno(), self._umask)
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                place(temp, target)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(temp)  # noqa: PTH108
                raise
            _sync_folder(target.parent)

    def _rename(self, name: str, source: Path) -> bool:
        target = self.path / name
        source.stat()  # a missing source is not a storage error
        with _mapped(name, writing=True):
            self._require_root()
            target.parent.mkdir(parents=True, exist_ok=True)
            with source.open("rb") as file:
                os.fsync(file.fileno())
            try:
                source.replace(target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                return False
            _sync_folder(target.parent)
        return True


def sync_ahead(path: Path) -> None:
    """Have a file's bytes written to the disk, so that `Folder.put` waits less.

    Errors are left to that.
    """
    with suppress(OSError), path.open("rb") as file:
        os.fsync(file.fileno())


def _link_to_free(temp: str, target: Path) -> None:
    """Move a file to a name that is free."""
    try:
        os.link(temp, target)
    except FileExistsError:
        raise AlreadyStored(target.name) from None
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if target.exists():
            raise AlreadyStored(target.name) from None
        os.replace(temp, target)  # noqa: PTH105
    else:
        os.unlink(temp)  # noqa: PTH108


def _temp_beside(target: Path) -> tuple[int, str]:
    for _ in range(5):  # `sweep` may remove an empty folder between the two steps
        with suppress(FileNotFoundError, FileExistsError):
            target.parent.mkdir(parents=True, exist_ok=True)
            return tempfile.mkstemp(prefix=TEMP_MARK, dir=target.parent)
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(target.parent))


def _missing_folders(folder: Path) -> list[Path]:
    """Return the folders of a path that are missing, the highest first."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    return missing[::-1]


def _open_up(folders: list[Path], file: int, umask: int) -> None:
    """Give new folders and an open file the modes that a umask leaves."""
    for folder in folders:
        folder.chmod(0o777 & ~umask)
    os.fchmod(file, 0o666 & ~umask)


def _older(path: Path, than: float) -> bool:
    try:
        return path.stat().st_mtime < than
    except FileNotFoundError:
        return False


def _sync_folder(folder: Path) -> None:
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:  # another thread deleted the folder with the file in it
        return
    try:
        with suppress(OSError):  # some network file systems do not support it
            os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _mapped(name: str, *, writing: bool = False) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError) and not writing:
            raise NotStored(name) from error
        if error.errno in FULL:
            raise StorageFull(name, error.strerror or "no space") from error
        raise StorageUnreachable(name, error.strerror or str(error)) from error
