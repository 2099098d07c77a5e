"""Write ZIP files entry by entry, so that they can be streamed."""

import io
import zipfile
from datetime import datetime
from typing import IO, Any

from storage.domain.clock import utc_now

READABLE_BY_ALL = 0o644 << 16


class ZipStream:
    """A ZIP file in progress; `take` returns the bytes written since the last call."""

    def __init__(self, *, dated: datetime | None = None) -> None:
        self._date = (dated or utc_now()).timetuple()[:6]
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w")

    def add(self, name: str, body: bytes | str) -> None:
        """Add a whole file; text is written as UTF-8."""
        self._zip.writestr(self._entry(name), body)

    def open(self, name: str) -> IO[bytes]:
        """Begin a file that is written in pieces; close it before the next one."""
        return self._zip.open(self._entry(name), "w")

    def take(self) -> bytes:
        return self._sink.take()

    def close(self) -> bytes:
        """Write the ZIP's directory, and return the remaining bytes."""
        self._zip.close()
        return self._sink.take()

    def _entry(self, name: str) -> zipfile.ZipInfo:
        entry = zipfile.ZipInfo(name, self._date)
        entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, READABLE_BY_ALL
        return entry


class _Sink(io.RawIOBase):
    """A write-only stream for the ZIP, which discards what was taken from it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken
