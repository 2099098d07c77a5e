"""Remember the content of files by version, and the results written for them.

A private SQLite file that only saves work: without it, files are read again and results compared again.
"""

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

WAIT_S = 30.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS contents (name BLOB PRIMARY KEY, version TEXT NOT NULL, sha256 TEXT, unreadable TEXT)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS results (target BLOB PRIMARY KEY, made_of TEXT NOT NULL) WITHOUT ROWID;
"""
FIND = """
SELECT contents.name, contents.version, contents.sha256, contents.unreadable
FROM json_each(?) AS wanted JOIN contents ON contents.name = CAST(wanted.value AS BLOB)
"""
KEEP = "INSERT OR REPLACE INTO contents (name, version, sha256, unreadable) VALUES (?, ?, ?, ?)"
RESULTS = """
SELECT results.target, results.made_of FROM json_each(?) AS wanted
JOIN results ON results.target = CAST(wanted.value AS BLOB)
"""
KEEP_RESULT = "INSERT OR REPLACE INTO results (target, made_of) VALUES (?, ?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownContent:
    """The content that a version of a file has, or why it is no recording."""

    name: str
    version: str
    sha256: str | None = None
    unreadable: str | None = None


class ContentIndex:
    """The open file, to be shared by threads and processes."""

    def __init__(self, con: sqlite3.Connection) -> None:
        self._con, self._lock = con, threading.Lock()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or create the file; a damaged one is begun anew."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return cls(_connected(path))
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            for each in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
                with suppress(FileNotFoundError):
                    each.unlink()
            return cls(_connected(path))

    def close(self) -> None:
        self._con.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def contents(self, versions: Sequence[tuple[str, str]]) -> dict[str, KnownContent]:
        """Return what is known of these files, by name, if they are of these versions."""
        wanted, found = dict(versions), {}
        with self._lock:
            rows = self._con.execute(FIND, (_listed(wanted),)).fetchall()
        for raw, version, sha256, unreadable in rows:
            name = decoded(raw)
            if wanted.get(name) == version:
                found[name] = KnownContent(name=name, version=version, sha256=sha256, unreadable=unreadable)
        return found

    def keep(self, contents: Iterable[KnownContent]) -> None:
        """Keep the content of files."""
        rows = [(encoded(each.name), each.version, each.sha256, each.unreadable) for each in contents]
        with self._lock, self._con:
            self._con.executemany(KEEP, rows)

    def results(self, targets: Sequence[str]) -> dict[str, str]:
        """Return what was written to these places, by place."""
        with self._lock:
            rows = self._con.execute(RESULTS, (_listed(targets),)).fetchall()
        return {decoded(target): made_of for target, made_of in rows}

    def keep_result(self, target: str, made_of: str) -> None:
        """Keep what was written to a place."""
        with self._lock, self._con:
            self._con.execute(KEEP_RESULT, (encoded(target), made_of))


def _connected(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives its log the same mode
    con = sqlite3.connect(path, timeout=WAIT_S, check_same_thread=False)
    try:
        con.execute("PRAGMA journal_mode = WAL")
        con.execute("PRAGMA synchronous = NORMAL")
        con.executescript(SCHEMA)
    except sqlite3.Error:
        con.close()
        raise
    return con


def encoded(name: str) -> bytes:
    """Return a name as SQLite takes it, whatever bytes a folder has in it."""
    return json.dumps(name).encode()


def decoded(raw: bytes) -> str:
    name: str = json.loads(raw)
    return name


def _listed(names: Iterable[str]) -> str:
    return json.dumps([encoded(name).decode() for name in names])
