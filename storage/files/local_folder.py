"""Storage in a folder: a hidden file beside its place, synced, then renamed."""

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from storage.errors import NotStored, StorageFull, StorageUnreachable

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
COPY_BYTES = 1 << 20
TEMP_MARK = ".part-"


class Folder:
    """A root in a local or mounted folder."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Store the chunks, whole or not at all."""
        with self._replacing(name) as file:
            for chunk in chunks:
                file.write(chunk)

    def put(self, name: str, source: Path, *, move: bool) -> None:
        """Store a local file by renaming or by copying it."""
        if move and self._rename(name, source):
            return
        with source.open("rb") as bytes_in, self._replacing(name) as file:
            shutil.copyfileobj(bytes_in, file, COPY_BYTES)
        if move:
            source.unlink()

    def read(self, name: str) -> bytes:
        """Return all bytes."""
        with self.open(name) as file, _mapped(name):
            return file.read()

    def open(self, name: str) -> BinaryIO:
        """Open for reading."""
        with _mapped(name):
            return (self.path / name).open("rb")

    def size(self, name: str) -> int | None:
        """Return the number of bytes, or None where there is no such file."""
        try:
            with _mapped(name):
                path = self.path / name
                return path.stat().st_size if path.is_file() else None
        except NotStored:
            return None

    def delete(self, name: str) -> None:
        """Delete one file, if it is there."""
        with suppress(NotStored), _mapped(name):
            (self.path / name).unlink()

    def delete_folder(self, name: str) -> None:
        """Delete all files in one folder; `sweep` takes the folder, so that nobody loses it while writing."""
        for each in list(self.list(name)):
            self.delete(each)

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the names below a folder, without those that are being written."""
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
        """Delete what killed writers left half-written, and folders long empty; return how many files that were."""
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
        """Give the stored file itself."""
        path = self.path / name
        if self.size(name) is None:
            raise NotStored(name)
        yield path

    @contextmanager
    def _replacing(self, name: str) -> Iterator[BinaryIO]:
        target = self.path / name
        with _mapped(name, writing=True):
            handle, temp = _temp_beside(target)
            try:
                with os.fdopen(handle, "wb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temp, target)  # noqa: PTH105
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(temp)  # noqa: PTH108
                raise
            _sync_folder(target.parent)

    def _rename(self, name: str, source: Path) -> bool:
        target = self.path / name
        source.stat()  # a source that is missing is no fault of the storage
        with _mapped(name, writing=True):
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


def _temp_beside(target: Path) -> tuple[int, str]:
    for _ in range(5):  # `sweep` may take an empty folder away between the two steps
        with suppress(FileNotFoundError, FileExistsError):
            target.parent.mkdir(parents=True, exist_ok=True)
            return tempfile.mkstemp(prefix=TEMP_MARK, dir=target.parent)
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(target.parent))


def _older(path: Path, than: float) -> bool:
    try:
        return path.stat().st_mtime < than
    except FileNotFoundError:
        return False


def _sync_folder(folder: Path) -> None:
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:  # deleted by another thread, with the file in it
        return
    try:
        with suppress(OSError):  # some network file systems refuse it
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
