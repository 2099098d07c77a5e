"""A private SQLite file with one writer; each reader has its own connection and snapshot."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

from storage.domain.errors import LedgerClosed, StorageFull
from storage.ledger.slow_queries import SEEN

WAIT_S = 30.0
CHECKPOINT_WAIT_S = 1.0
WRITER = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",  # a crash may cost the last transactions, never the file
    "PRAGMA secure_delete = ON",
    "PRAGMA cache_size = -65536",
)
READER = ("PRAGMA mmap_size = 1073741824", "PRAGMA temp_store = MEMORY")
BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def full_text_supported() -> bool:
    """Return whether this Python's SQLite has FTS5."""
    with closing(sqlite3.connect(":memory:")) as con:
        return con.execute("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'").fetchone() is not None


class SearchFile:
    """An open SQLite file, to be shared by threads."""

    def __init__(self, path: Path, writer: sqlite3.Connection) -> None:
        self.path = path
        self._writer = writer
        self._lock = threading.Lock()
        self._closed = threading.Event()

    @classmethod
    def open(cls, path: Path, *, schema: str, version: int) -> Self:
        """Open or create the file, readable by its owner alone.

        Raises:
            sqlite3.DatabaseError: it is damaged, or of another version.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives its log the same mode
        writer = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
        try:
            for pragma in WRITER:
                writer.execute(pragma)
            ((found, tables),) = writer.execute(
                "SELECT user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_user_version"
            ).fetchall()
            if not tables:
                writer.executescript(f"BEGIN; {schema}; PRAGMA user_version = {version}; COMMIT")
            elif found != version:
                raise sqlite3.DatabaseError(f"it is of version {found}, not {version}")
        except BaseException:
            writer.close()
            raise
        return cls(path, writer)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Provide a read-only connection to a snapshot of the file."""
        if self._closed.is_set():
            raise LedgerClosed(str(self.path))
        address = f"{self.path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=WAIT_S, isolation_level=None)) as con:
            for pragma in READER:
                con.execute(pragma)
            con.execute("BEGIN")
            yield con

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Provide the writer in a transaction, which is rolled back on any error.

        Raises:
            LedgerClosed: the process is stopping.
            StorageFull: the disk is full.
        """
        with self._lock:
            if self._closed.is_set():
                raise LedgerClosed(str(self.path))
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException as error:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                if self._closed.is_set() and isinstance(error, sqlite3.OperationalError):
                    raise LedgerClosed(str(self.path)) from error
                if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:  # Python's own errors have none
                    raise StorageFull("the search index", str(error)) from error
                raise

    def checkpoint(self) -> None:
        """Checkpoint the write-ahead log, as far as readers allow within a moment."""
        with self._lock:
            if not self._closed.is_set():
                self._writer.execute(f"PRAGMA busy_timeout = {round(CHECKPOINT_WAIT_S * 1000)}")
                try:
                    self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                finally:
                    self._writer.execute(f"PRAGMA busy_timeout = {round(WAIT_S * 1000)}")

    def close(self) -> None:
        """Interrupt the running statement, and close the file."""
        self._closed.set()
        self._writer.interrupt()
        with self._lock:
            self._writer.close()


def rows(con: sqlite3.Connection, statement: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """Return the rows of a statement, and record it if it was slow."""
    began = time.perf_counter()
    try:
        return con.execute(statement, values or {}).fetchall()
    finally:
        SEEN.note(statement, time.perf_counter() - began)


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether the error means that the file is damaged."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF in BROKEN or code == sqlite3.SQLITE_IOERR_SHORT_READ)
