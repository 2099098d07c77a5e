"""A stored object that is read lazily, with errors of storage at every step."""

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import BinaryIO, cast


class StoredStream(io.BufferedIOBase):
    """Passes reading and seeking on, inside `mapped`, which turns the backend's errors into ours."""

    def __init__(self, inner: BinaryIO, mapped: Callable[[], AbstractContextManager[None]]) -> None:
        self._inner, self._mapped = inner, mapped

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        with self._mapped():
            return self._inner.read(-1 if size is None else size)

    def readinto(self, buffer: object, /) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        with self._mapped():
            return self._inner.seek(offset, whence)

    def tell(self) -> int:
        return self._inner.tell()

    def close(self) -> None:
        self._inner.close()
        super().close()


def stream(inner: BinaryIO, mapped: Callable[[], AbstractContextManager[None]]) -> BinaryIO:
    """Return the object as a binary file whose errors are mapped."""
    return cast(BinaryIO, StoredStream(inner, mapped))
