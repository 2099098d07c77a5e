"""Media, spans, results and exports: one root, a folder or an S3 bucket, written whole or not at all."""

import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from storage.errors import BadRequest, NotStored
from storage.settings import StorageSettings

MAX_NAME_CHARS = 500
PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")


class Root(Protocol):
    """What a kind of storage must be able to do; names are checked before they come here."""

    def write(self, name: str, chunks: Iterable[bytes]) -> None: ...
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
    """Everything that is kept beside the ledger, by name; safe to share between threads.

    Names are relative, with "/" between parts of letters, digits, ".", "_" and "-" (`storage.names`).

    All operations raise `BadRequest` for a name that is none of ours and `StorageUnreachable` where the root
    does not answer; writing ones raise `StorageFull`, reading ones `NotStored`.
    """

    def __init__(self, url: str, endpoint_url: str | None = None) -> None:
        self.url = url
        if "://" in url and not url.startswith("file://"):
            from storage.bucket import Bucket

            self._root: Root = Bucket(url, endpoint_url)
        else:
            from storage.folder import Folder

            self._root = Folder(Path(url.removeprefix("file://")))

    @classmethod
    def from_settings(cls, settings: StorageSettings) -> Self:
        """Open the root that the settings name; a folder is made at the first write."""
        return cls(settings.root_url, settings.storage_endpoint_url)

    def write(self, name: str, data: bytes | Iterable[bytes]) -> None:
        """Store the bytes under the name, in place of what is there; readers see the old or the new whole."""
        self._root.write(checked(name), [data] if isinstance(data, bytes) else data)

    def put(self, name: str, local_path: Path, *, move: bool = False) -> None:
        """Store a local file; with `move` it is gone afterwards, and not copied where a rename will do."""
        self._root.put(checked(name), local_path, move=move)

    def read(self, name: str) -> bytes:
        """Return all bytes under the name."""
        return self._root.read(checked(name))

    def open(self, name: str) -> BinaryIO:
        """Return a seekable stream; the caller closes it."""
        return self._root.open(checked(name))

    def path(self, name: str) -> Path | None:
        """Return where the bytes lie if the root is a folder on this machine, for serving them by path; else None."""
        folder = getattr(self._root, "path", None)
        return folder / checked(name) if isinstance(folder, Path) else None

    def exists(self, name: str) -> bool:
        """Say whether something is stored under the name."""
        return self._root.size(checked(name)) is not None

    def size(self, name: str) -> int:
        """Return the number of bytes under the name."""
        size = self._root.size(checked(name))
        if size is None:
            raise NotStored(name)
        return size

    def delete(self, name: str) -> None:
        """Delete what is under the name, or all in the folder that it names by ending in "/"; none is no error."""
        if name.endswith("/"):
            self._root.delete_folder(checked(name.removesuffix("/")))
        else:
            self._root.delete(checked(name))

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the names of all that lies in this folder, however deep; "" is the root."""
        folder = prefix.removesuffix("/")
        return self._root.list(checked(folder) if folder else "")

    def local(self, name: str) -> AbstractContextManager[Path]:
        """Give the bytes as a local file to read: the stored one itself in a folder, else a passing copy."""
        return self._root.local(checked(name))

    def sweep(self, *, older_than_s: float = 24 * 3600) -> int:
        """Delete what killed writers left half-written, and return how many files that were."""
        return self._root.sweep(older_than_s)


def checked(name: str) -> str:
    """Return the name if it can be one of ours.

    Raises:
        BadRequest: it is empty, absolute, too long, climbs out, or has other characters in it.
    """
    if len(name) > MAX_NAME_CHARS or not all(PART.fullmatch(part) for part in name.split("/")):
        raise BadRequest("name", f"{name[:80]!r} cannot be a name on storage")
    return name
