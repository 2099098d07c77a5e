"""File storage under one root, a folder or an S3 bucket, with atomic writes."""

import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from storage.domain.errors import AlreadyStored, BadRequest, NotStored
from storage.domain.settings import StorageSettings

MAX_NAME_CHARS = 500
PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._=-]{0,199}")


class Root(Protocol):
    """The operations of a storage backend; names are validated by the caller."""

    def write(self, name: str, chunks: Iterable[bytes]) -> None: ...
    def create(self, name: str, data: bytes) -> None: ...
    def put(self, name: str, source: Path, *, move: bool) -> None: ...
    def read(self, name: str) -> bytes: ...
    def open(self, name: str) -> BinaryIO: ...
    def size(self, name: str) -> int | None: ...
    def delete(self, name: str) -> None: ...
    def delete_folder(self, name: str) -> None: ...
    def list(self, prefix: str) -> Iterator[str]: ...
    def local(self, name: str) -> AbstractContextManager[Path]: ...
    def sweep(self, older_than_s: float) -> int: ...


class Files:
    """Stored files by name; safe to share between threads.

    Names are relative, with "/" between parts of letters, digits, ".", "_", "=" and "-" (`storage.domain.names`).

    All operations raise `BadRequest` for an invalid name and `StorageUnreachable` if the root does not answer; writes
    raise `StorageFull`, reads `NotStored`.
    """

    def __init__(self, url: str, endpoint_url: str | None = None) -> None:
        self.url = url
        if "://" in url and not url.startswith("file://"):
            from storage.files.s3_bucket import Bucket

            self._root: Root = Bucket(url, endpoint_url)
        else:
            from storage.files.local_folder import Folder

            self._root = Folder(Path(url.removeprefix("file://")))

    @classmethod
    def from_settings(cls, settings: StorageSettings) -> Self:
        """Open the configured root; a folder is created at the first write."""
        return cls(settings.root_url, settings.storage_endpoint_url)

    def write(self, name: str, data: bytes | Iterable[bytes]) -> None:
        """Store bytes, replacing an existing object; readers see the old or the new one whole."""
        self._root.write(checked(name), [data] if isinstance(data, bytes) else data)

    def create(self, name: str, data: bytes) -> None:
        """Store bytes under a name that is free, or that has the same bytes.

        Raises:
            AlreadyStored: the object is another one; it is unchanged.
        """
        try:
            self._root.create(checked(name), data)
        except AlreadyStored:
            if self.read(name) != data:
                raise

    def put(self, name: str, local_path: Path, *, move: bool = False) -> None:
        """Store a local file; `move` deletes it afterwards, and renames instead of copying."""
        self._root.put(checked(name), local_path, move=move)

    def read(self, name: str) -> bytes:
        """Return all bytes of an object."""
        return self._root.read(checked(name))

    def open(self, name: str) -> BinaryIO:
        """Return a seekable stream; the caller closes it."""
        return self._root.open(checked(name))

    def path(self, name: str) -> Path | None:
        """Return the local path of an object, or None outside local folders."""
        folder = getattr(self._root, "path", None)
        return folder / checked(name) if isinstance(folder, Path) else None

    def exists(self, name: str) -> bool:
        """Return whether an object exists."""
        return self._root.size(checked(name)) is not None

    def size(self, name: str) -> int:
        """Return the size of an object in bytes."""
        size = self._root.size(checked(name))
        if size is None:
            raise NotStored(name)
        return size

    def delete(self, name: str) -> None:
        """Delete an object, or a folder if the name ends in "/"."""
        if name.endswith("/"):
            self._root.delete_folder(checked(name.removesuffix("/")))
        else:
            self._root.delete(checked(name))

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the names of all objects below a folder; "" is the root."""
        folder = prefix.removesuffix("/")
        return self._root.list(checked(folder) if folder else "")

    def local(self, name: str) -> AbstractContextManager[Path]:
        """Provide an object as a local file: the stored file itself, or a temporary copy."""
        return self._root.local(checked(name))

    def sweep(self, *, older_than_s: float = 24 * 3600) -> int:
        """Delete incomplete files of killed writers; return their number."""
        return self._root.sweep(older_than_s)


def checked(name: str) -> str:
    """Return the name if it is valid.

    Raises:
        BadRequest: it is empty, absolute, too long, leaves the root, or has invalid characters.
    """
    if len(name) > MAX_NAME_CHARS or not all(PART.fullmatch(part) for part in name.split("/")):
        raise BadRequest("name", f"{name[:80]!r} cannot be a name on storage")
    return name
