"""Keeps the files that a batch has sent on disk, so that memory stays flat."""

import pickle
import threading
from collections.abc import Iterator
from tempfile import TemporaryFile

from flows.batch.settled_files import FileState
from flows.batch.source_files import BatchFile


class SentFiles:
    """Files with their states before they were read, and their jobs; used from any thread."""

    def __init__(self) -> None:
        self._spool = TemporaryFile(prefix="transcriber-")  # noqa: SIM115 - `close` closes it
        self._lock = threading.Lock()

    def close(self) -> None:
        self._spool.close()

    def add(self, file: BatchFile, state: FileState | None, part: str | None) -> None:
        """Keep a file; `part` is the job of what was there until then."""
        kept = pickle.dumps((file, state, part))
        with self._lock:
            self._spool.write(kept)

    def changed(self) -> Iterator[tuple[BatchFile, str | None]]:
        """Yield the files that other programs have changed since, and their parts."""
        self._spool.seek(0)
        while self._spool.peek(1):
            file, state, part = pickle.load(self._spool)  # noqa: S301 - what `add` wrote
            if file.state != state:
                yield file, part
