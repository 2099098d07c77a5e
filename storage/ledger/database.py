"""The DuckDB file: opened by one process, migrated before it serves, written by one thread at a time.

DuckDB lets one process write, and while it does no other can even read; so the web process alone opens the
file. This is the only module that calls `duckdb.connect`.
"""

import logging
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar, cast

import duckdb
from duckdb import DuckDBPyConnection

from storage import migrate
from storage.errors import LedgerClosed, LedgerHeld, LedgerUnreadable
from storage.slow_queries import Watched

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "memory_limit": "2GB",
}
MAX_TRIES = 6
CLOSE_WITHIN_S = 10.0
_open_here: set[Path] = set()
_open_lock = threading.Lock()


class Ledger:
    """One open ledger; share it between threads, never across a fork.

    Domain functions take the connection that `read` or `write` hands out. Writers belong inside `write` (or
    `run`): it holds the lock that keeps the audit chain in one line.
    """

    def __init__(self, con: DuckDBPyConnection, path: Path) -> None:
        self.path = path
        self._con = con
        self._cursors = 0
        self._cursors_changed = threading.Condition()
        self._write_lock = threading.Lock()
        self._writer: int | None = None
        self._closed = False

    @classmethod
    def open(cls, path: Path, *, steps: tuple[migrate.Migration, ...] | None = None) -> Self:
        """Open the file, making it and its folder if need be, and bring its schema up to date.

        `steps` are the migrations of a file that is not the ledger (the search index).

        Raises:
            LedgerHeld: another process, or this one, has it open; the message names the PID.
            LedgerUnreadable: the file is damaged, or was written by a newer version.
        """
        path = path.absolute()
        path.parent.mkdir(parents=True, exist_ok=True)
        with _open_lock:
            con = connect(path)
            try:
                migrate.bring_up_to_date(con, path, steps)
            except BaseException:
                con.close()
                raise
            _open_here.add(path)
        return cls(con, path)

    def close(self) -> None:
        """Turn newcomers away, wait for what is under way, fold the write-ahead log in, and let the file go."""
        with self._cursors_changed:
            if self._closed:
                return
            self._closed = True
            self._cursors_changed.wait_for(lambda: not self._cursors, CLOSE_WITHIN_S)
        with _open_lock:
            with suppress(duckdb.Error):
                self._con.execute("CHECKPOINT")
            self._con.close()
            _open_here.discard(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def read(self) -> Iterator[DuckDBPyConnection]:
        """Hand out a cursor that sees one moment of the ledger and refuses to write.

        Keep it short: while it is open, the write-ahead log cannot be folded in.
        """
        with self.cursor() as con:
            con.execute("BEGIN TRANSACTION READ ONLY")
            try:
                yield con
            finally:
                _roll_back(con)

    @contextmanager
    def write(self) -> Iterator[DuckDBPyConnection]:
        """Hand out a cursor in a transaction, commit it at the end, roll it back on any error.

        One thread at a time. A statement that failed and was caught inside makes DuckDB's COMMIT say success
        and throw everything away, so this looks first and raises instead.

        Raises:
            duckdb.TransactionException: it clashed with another transaction; `run` tries again.
        """
        me = threading.get_ident()
        if self._writer == me:
            raise RuntimeError("a write is open on this thread already; pass its connection on instead")
        with self._write_lock, self.cursor() as con:
            self._writer = me
            con.execute("BEGIN TRANSACTION")
            try:
                yield con
                con.execute("SELECT 1").fetchall()
                con.execute("COMMIT")
            except BaseException:
                _roll_back(con)
                raise
            finally:
                self._writer = None

    def run(self, work: Callable[Concatenate[DuckDBPyConnection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `work(con, …)` in a write transaction and return its answer, trying again after a clash."""
        for left in reversed(range(MAX_TRIES)):
            try:
                with self.write() as con:
                    return work(con, *args, **kwargs)
            except duckdb.TransactionException:
                if not left:
                    raise
                time.sleep(random.uniform(0.005, 0.05))  # noqa: S311
        raise AssertionError("unreachable")

    def wal_bytes(self) -> int:
        """Return the size of the write-ahead log; it grows when something keeps a read open."""
        try:
            return Path(f"{self.path}.wal").stat().st_size
        except FileNotFoundError:
            return 0

    @contextmanager
    def cursor(self) -> Iterator[DuckDBPyConnection]:
        """Hand out a cursor with no transaction around it, for upkeep that takes none; closed at the end.

        Raises:
            LedgerClosed: the process is stopping.
        """
        with self._cursors_changed:
            if self._closed:
                raise LedgerClosed(str(self.path))
            con = self._con.cursor()
            self._cursors += 1
        try:
            yield cast(DuckDBPyConnection, Watched(con))
        finally:
            con.close()
            with self._cursors_changed:
                self._cursors -= 1
                self._cursors_changed.notify_all()


def connect(path: Path) -> DuckDBPyConnection:
    """Open a DuckDB file with the settings that every one of ours has.

    Raises:
        LedgerHeld: another process, or a `Ledger` of this one, has it open.
        LedgerUnreadable: it is no DuckDB file, or a damaged one.
    """
    if path.absolute() in _open_here:
        raise LedgerHeld(str(path), f"this process (PID {os.getpid()})")
    try:
        con = duckdb.connect(str(path), config=CONFIG)
    except duckdb.IOException as error:
        if holder := re.search(r"lock is held in (.+) \(PID (\d+)\)", str(error)):
            raise LedgerHeld(str(path), f"process {holder[2]} ({holder[1]})") from error
        raise LedgerUnreadable(str(path), _first_line(error)) from error
    except duckdb.Error as error:
        raise LedgerUnreadable(str(path), _first_line(error)) from error
    con.execute("SET GLOBAL TimeZone='UTC'")  # in `config` it fails, and a plain SET does not reach cursors
    return con


def _roll_back(con: DuckDBPyConnection) -> None:
    with suppress(duckdb.TransactionException):  # a COMMIT that failed has ended the transaction already
        con.execute("ROLLBACK")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300]
