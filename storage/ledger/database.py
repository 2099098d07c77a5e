"""The DuckDB file: one process, migrated first, one writing thread.

DuckDB lets one process write, and meanwhile no other can even read, so only the web process opens the file.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar, cast

import duckdb
from duckdb import DuckDBPyConnection

from storage.domain import retries
from storage.domain.errors import LedgerClosed, LedgerInvalid, StorageFull, TranscriberError
from storage.ledger import schema_migrations
from storage.ledger.database_file import DatabaseFile
from storage.ledger.slow_queries import Watched
from storage.ledger.write_cursor import WriteCursor

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)

PING = "SELECT 1"
MAX_RETRIES = 5
HOLD_CHECKPOINTS, RELEASE_CHECKPOINTS = "SET GLOBAL wal_autocheckpoint='1TB'", "RESET GLOBAL wal_autocheckpoint"
TRIAL = ("CREATE OR REPLACE TABLE trial AS SELECT repeat('x', 16384) AS filler", "DROP TABLE IF EXISTS trial")
"""A commit larger than what a full disk may have left at the log's end."""
CLOSE_WITHIN_S = 10.0
REOPEN_WITHIN_S = 5.0
FULL_WORDS = ("No space left on device", "Disk quota exceeded", "File too large")


@dataclass(slots=True, kw_only=True)
class Checkpoints:
    """How many checkpoints this process made, and how long they took."""

    count: int = 0
    total_s: float = 0.0
    last_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class Writes:
    """How many writes committed, and how long they took, waiting included."""

    count: int = 0
    total_s: float = 0.0


class Ledger:
    """An open ledger; share it between threads, never across a fork.

    Domain functions take the connection that `read` or `write` provides. Writers belong inside `write` (or `run`),
    which holds the lock that keeps the audit chain linear; small unaudited writes of readers go through `note`.
    """

    def __init__(self, file: DatabaseFile) -> None:
        self.path = file.path
        self.checkpoints = Checkpoints()
        self.writes = Writes()
        self.changes = 0
        """Grows before and after each commit, and so is odd during one; equal even counts mean that nothing changed."""
        self.account_changes = 0
        """The same, of commits that may have changed accounts or API keys."""
        self._file = file
        self._cursors = 0
        self._cursors_wait = False
        self._cursors_changed = threading.Condition()
        self._write_lock = threading.Lock()
        self._writer: int | None = None
        self._closed = False
        self._checkpoints_held = False
        self._invalid: str | None = None
        self._commits_fail = False

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the file, creating it if necessary, and migrate its schema.

        Raises:
            LedgerHeld: another process, or this one, has it open; the message names the PID.
            LedgerUnreadable: the file is damaged, or was written by a newer version.
        """
        file = DatabaseFile.open(path)
        try:
            with file.cursor() as con:
                schema_migrations.bring_up_to_date(con, file.path)
        except BaseException:
            file.close()
            raise
        return cls(file)

    def close(self) -> None:
        """Refuse new callers, wait for running ones, checkpoint the write-ahead log, and close."""
        with self._cursors_changed:
            if self._closed:
                return
            self._closed = True
            self._cursors_changed.wait_for(lambda: not self._cursors, CLOSE_WITHIN_S)
        with suppress(duckdb.Error):
            self._checkpoint()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def read(self) -> Iterator[DuckDBPyConnection]:
        """Provide a read-only cursor on a snapshot of the ledger.

        Keep it short: while it is open, the write-ahead log cannot be checkpointed.
        """
        with self.cursor() as con:
            con.execute("BEGIN TRANSACTION READ ONLY")
            try:
                yield con
            finally:
                _roll_back(con)

    @contextmanager
    def write(self) -> Iterator[DuckDBPyConnection]:
        """Provide a cursor in a transaction: commit at the end, roll back on any error.

        Only one thread writes at a time. A transaction that changed nothing is not committed. If a statement failed and
        the error was caught inside, DuckDB's COMMIT reports success and discards everything, so this checks first and
        raises instead.

        Raises:
            duckdb.TransactionException: it conflicted with another transaction; `run` retries.
            StorageFull: the disk is full; nothing is written.
        """
        me = threading.get_ident()
        if self._writer == me:
            raise RuntimeError("a write is open on this thread already; pass its connection on instead")
        began = time.perf_counter()
        with self._write_lock, self._opened() as con:
            self._writer = me
            con.execute("BEGIN TRANSACTION")
            writing = WriteCursor(con)
            try:
                yield cast(DuckDBPyConnection, writing)
                if writing.unsure:
                    con.execute(PING).fetchall()
                if writing.has_changed():
                    self._commit(con, on_accounts=writing.on_accounts)
                    self.writes.count += 1
                    self.writes.total_s += time.perf_counter() - began
                else:
                    con.execute("ROLLBACK")
            except BaseException:
                _roll_back(con)
                raise
            finally:
                self._writer = None

    def _commit(self, con: DuckDBPyConnection, *, on_accounts: bool) -> None:
        self.changes += 1
        self.account_changes += on_accounts
        try:
            con.execute("COMMIT")
        finally:
            self.changes += 1
            self.account_changes += on_accounts
        self._commits_fail = False

    def run(self, work: Callable[Concatenate[DuckDBPyConnection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `work(con, …)` in a write transaction and return its result; retries conflicts."""

        def once() -> T:
            with self.write() as con:
                return work(con, *args, **kwargs)

        return retries.call(
            once,
            may_pass=lambda error: isinstance(error, duckdb.TransactionException),
            pauses_s=(random.uniform(0.005, 0.05) for _ in range(MAX_RETRIES)),  # noqa: S311
        )

    def note(self, work: Callable[Concatenate[DuckDBPyConnection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `work(con, …)` on its own cursor, for a small unaudited write.

        Every statement commits by itself: it does not wait for writers, and is kept if the caller fails.
        """
        with self.cursor() as con:
            return work(con, *args, **kwargs)

    def check(self) -> None:
        """Run a statement, as a health check; after a failed commit, commit something.

        Raises:
            StorageFull, LedgerInvalid: nothing can be committed.
        """
        with self.read() as con:
            con.execute(PING).fetchall()
        if self._commits_fail:
            for statement in TRIAL:
                with self.write() as con:
                    con.execute(statement).fetchall()

    def wal_bytes(self) -> int:
        """Return the size of the write-ahead log; it grows while a read stays open."""
        return self._file.wal_bytes()

    def checkpoint(self, *, readers_within_s: float = 0.0) -> bool:
        """Checkpoint the write-ahead log; return False if that must wait.

        It waits for others that read, and while the file is copied.

        A checkpoint that meets a full disk costs the open file, see `cursor`.

        With `readers_within_s`, new readers wait that long at most for the running ones to end. Readers that begin one
        after another would otherwise never leave a moment without one.
        """
        with self._write_lock:
            if self._checkpoints_held:
                return False
            try:
                with self._new_cursors_wait(readers_within_s), self._errors_mapped():
                    self._checkpoint()
            except duckdb.TransactionException:
                return False
        return True

    @contextmanager
    def without_checkpoints(self) -> Iterator[int]:
        """Hold checkpoints off; provides the committed bytes of the log.

        So nothing but new rows changes the files meanwhile.
        """
        with self._write_lock, self.cursor() as con:
            self._checkpoints_held = True
            con.execute(HOLD_CHECKPOINTS).fetchall()
            committed = self.wal_bytes()
        try:
            yield committed
        finally:
            self._checkpoints_held = False
            with suppress(LedgerClosed), self.cursor() as con:
                con.execute(RELEASE_CHECKPOINTS).fetchall()

    def _checkpoint(self) -> None:
        began = time.perf_counter()
        with self._file.cursor() as con:
            con.execute("CHECKPOINT").fetchall()
        took_s = time.perf_counter() - began
        self.checkpoints.count += 1
        self.checkpoints.total_s += took_s
        self.checkpoints.last_s = took_s

    @contextmanager
    def _new_cursors_wait(self, within_s: float) -> Iterator[None]:
        with self._cursors_changed:
            self._cursors_wait = within_s > 0
            self._cursors_changed.wait_for(lambda: not self._cursors, within_s)
        try:
            yield
        finally:
            with self._cursors_changed:
                self._cursors_wait = False
                self._cursors_changed.notify_all()

    @contextmanager
    def cursor(self) -> Iterator[DuckDBPyConnection]:
        """Provide a cursor without a transaction, for maintenance, which times its statements; as `_opened`."""
        with self._opened() as con:
            yield cast(DuckDBPyConnection, Watched(con))

    @contextmanager
    def _opened(self) -> Iterator[DuckDBPyConnection]:
        """Provide a cursor without a transaction, closed at the end.

        DuckDB gives an open file up after a checkpoint that failed. The next cursor opens it again then.

        Raises:
            LedgerClosed: the process is stopping.
            LedgerInvalid: the file could not be opened again yet.
            StorageFull: the disk is full.
        """
        with self._cursors_changed:
            self._cursors_changed.wait_for(lambda: not self._cursors_wait)
            if self._closed:
                raise LedgerClosed(str(self.path))
            if self._invalid:
                self._reopen(self._invalid)
            self._cursors += 1
        try:
            with self._errors_mapped(), self._file.cursor() as con:
                yield con
        finally:
            with self._cursors_changed:
                self._cursors -= 1
                self._cursors_changed.notify_all()

    @contextmanager
    def _errors_mapped(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            reason = str(error).strip().splitlines()[0][:300]
            is_full = any(words in str(error) for words in FULL_WORDS)
            if isinstance(error, duckdb.FatalException):
                logger.error("the ledger has to be opened again: %s", reason)
                self._invalid = reason
            elif not is_full:
                raise
            self._commits_fail = True
            if is_full:
                raise StorageFull("the ledger", reason) from error
            raise LedgerInvalid(str(self.path), reason) from error

    def _reopen(self, reason: str) -> None:
        """Open the file again, once all cursors are closed; the caller holds the lock."""
        self._cursors_wait = True
        try:
            if not self._cursors_changed.wait_for(lambda: not self._cursors, REOPEN_WITHIN_S):
                raise LedgerInvalid(str(self.path), reason)
            self._file.close()
            try:
                self._file = DatabaseFile.open(self.path)
            except TranscriberError as error:
                raise LedgerInvalid(str(self.path), str(error)) from error
            self._invalid = None
            logger.warning("the ledger is open again")
        finally:
            self._cursors_wait = False
            self._cursors_changed.notify_all()


def _roll_back(con: DuckDBPyConnection) -> None:
    with suppress(duckdb.TransactionException, duckdb.FatalException):  # a failed COMMIT has already ended it
        con.execute("ROLLBACK")
