"""The open DuckDB file: only cursors run statements, and they are closed.

A result that is not read to its end keeps its connection's transaction open, and the write-ahead log with it. So nobody
can reach the connection that lives as long as the file. This is the only module that calls `duckdb.connect`.
"""

import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import duckdb
from duckdb import DuckDBPyConnection

from storage.domain.errors import LedgerHeld, LedgerUnreadable

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "memory_limit": "2GB",
}
_open_here: set[Path] = set()
_open_lock = threading.Lock()


class DatabaseFile:
    """An open DuckDB file, which this process opens once."""

    def __init__(self, con: DuckDBPyConnection, path: Path) -> None:
        self.path = path
        self.__con = con

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the file with our settings, creating it if necessary.

        Raises:
            LedgerHeld: another process, or this one, has it open; the message names the PID.
            LedgerUnreadable: it is not a DuckDB file, or a damaged one.
        """
        path = path.absolute()
        path.parent.mkdir(parents=True, exist_ok=True)
        with _open_lock:
            if path in _open_here:
                raise LedgerHeld(str(path), f"this process (PID {os.getpid()})")
            file = cls(_connect(path), path)
            _open_here.add(path)
        try:
            with file.cursor() as con:  # in `config` it fails, and a plain SET does not reach cursors
                con.execute("SET GLOBAL TimeZone='UTC'").fetchall()
        except BaseException:
            file.close()
            raise
        return file

    @contextmanager
    def cursor(self) -> Iterator[DuckDBPyConnection]:
        """Provide a cursor; closing it ends its transaction and drops what was not read."""
        con = self.__con.cursor()
        try:
            yield con
        finally:
            con.close()

    def wal_bytes(self) -> int:
        """Return the size of the write-ahead log."""
        try:
            return Path(f"{self.path}.wal").stat().st_size
        except FileNotFoundError:
            return 0

    def close(self) -> None:
        with _open_lock:
            self.__con.close()
            _open_here.discard(self.path)


@contextmanager
def connect(path: Path) -> Iterator[DuckDBPyConnection]:
    """Open a file while the block runs, and provide a cursor; raises like `DatabaseFile.open`."""
    file = DatabaseFile.open(path)
    try:
        with file.cursor() as con:
            yield con
    finally:
        file.close()


@contextmanager
def scratch(config: Mapping[str, str]) -> Iterator[DuckDBPyConnection]:
    """Provide a database in memory, which ends with the block."""
    with duckdb.connect(config={**CONFIG, **config}) as con:
        con.execute("SET GLOBAL TimeZone='UTC'").fetchall()
        yield con


def refuse_if_held(path: Path) -> None:
    """Raise `LedgerHeld` if a process has the file open; it may be damaged."""
    if path.exists():
        with suppress(LedgerUnreadable), connect(path):
            pass


def _connect(path: Path) -> DuckDBPyConnection:
    try:
        return duckdb.connect(str(path), config=CONFIG)
    except duckdb.IOException as error:
        if holder := re.search(r"lock is held in (.+) \(PID (\d+)\)", str(error)):
            raise LedgerHeld(str(path), f"process {holder[2]} ({holder[1]})") from error
        raise LedgerUnreadable(str(path), _first_line(error)) from error
    except duckdb.Error as error:
        raise LedgerUnreadable(str(path), _first_line(error)) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300]
