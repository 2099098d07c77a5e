"""The files of one batch run and their states, on disk.

So memory stays flat, whatever their number.
"""

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from storage.files.content_index import decoded, encoded

SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE files (name BLOB PRIMARY KEY, relative BLOB NOT NULL, said BLOB NOT NULL, became TEXT NOT NULL,
    job_id TEXT, key TEXT, reason TEXT NOT NULL, state TEXT NOT NULL, is_open INTEGER NOT NULL);
CREATE INDEX files_by_job ON files (job_id);
CREATE INDEX files_open ON files (is_open) WHERE is_open;
CREATE TABLE targets (target BLOB PRIMARY KEY, name BLOB NOT NULL) WITHOUT ROWID;
"""
PUT = """
INSERT INTO files (name, relative, said, became, job_id, key, reason, state, is_open) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET relative = excluded.relative, said = excluded.said, became = excluded.became,
    job_id = excluded.job_id, key = excluded.key, reason = excluded.reason, state = excluded.state,
    is_open = excluded.is_open
"""
COLUMNS = "name, relative, said, became, job_id, key, reason, state, is_open"
OF_JOB = "SELECT name FROM files WHERE job_id = ? AND name <> ? LIMIT 1"
HAS = "SELECT 1 FROM files WHERE name = ?"
OPEN = f"SELECT {COLUMNS} FROM files WHERE is_open AND rowid > ? ORDER BY rowid LIMIT ?"  # noqa: S608 - constants
ALL = f"SELECT {COLUMNS} FROM files ORDER BY reason = '', rowid LIMIT ? OFFSET ?"  # noqa: S608 - constants
REJECTED = f"SELECT {COLUMNS} FROM files WHERE reason <> '' AND rowid > ? ORDER BY rowid LIMIT ?"  # noqa: S608
GET = f"SELECT {COLUMNS} FROM files WHERE name = ?"  # noqa: S608 - constants
STATES = "SELECT state, count(*) FROM files WHERE job_id IS NOT NULL GROUP BY state"
BECAME = "SELECT became, count(*) FROM files GROUP BY became"
ROW_ID = "SELECT rowid FROM files WHERE name = ?"
CLAIM = "INSERT OR IGNORE INTO targets (target, name) VALUES (?, ?)"
CLAIMED = "SELECT name FROM targets WHERE target = ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """A file of a batch, its job and state.

    `said` is what a manifest says of it, as JSON.
    An open one is not at its end: its job goes on, or its results are to be written.
    """

    name: str
    relative: str
    became: str
    said: str = "{}"
    job_id: str | None = None
    key: str | None = None
    reason: str = ""
    state: str = ""
    is_open: bool = False


class BatchTable:
    """The rows of a run in a temporary file; used from any thread."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="transcriber-")
        self._con = sqlite3.connect(Path(self._folder.name, "batch.sqlite3"), check_same_thread=False)
        self._con.executescript(SCHEMA)
        self._lock = threading.RLock()

    def close(self) -> None:
        self._con.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def put(self, row: BatchRow) -> None:
        """Insert a row, or replace the one of the same name."""
        values = (encoded(row.name), encoded(row.relative), encoded(row.said), row.became, row.job_id, row.key)
        with self._lock:
            self._con.execute(PUT, (*values, row.reason, row.state, row.is_open))

    def same_content(self, name: str, job_id: str) -> str | None:
        """Return another file of this run with the same job."""
        with self._lock:
            found = self._con.execute(OF_JOB, (job_id, encoded(name))).fetchone()
        return decoded(found[0]) if found else None

    def get(self, name: str) -> BatchRow | None:
        with self._lock:
            found = self._con.execute(GET, (encoded(name),)).fetchone()
        return _row(found) if found else None

    def has(self, name: str) -> bool:
        with self._lock:
            return self._con.execute(HAS, (encoded(name),)).fetchone() is not None

    def open_rows(self, together: int) -> Iterator[list[BatchRow]]:
        """Yield the open rows in lists; rows may be put meanwhile."""
        return self._lists(OPEN, together)

    def rejected(self, together: int = 500) -> Iterator[list[BatchRow]]:
        """Yield the rows that have a reason in lists."""
        return self._lists(REJECTED, together)

    def _lists(self, sql: str, together: int) -> Iterator[list[BatchRow]]:
        after = 0
        while True:
            with self._lock:
                rows = [_row(each) for each in self._con.execute(sql, (after, together))]
                if not rows:
                    return
                ((after,),) = self._con.execute(ROW_ID, (encoded(rows[-1].name),)).fetchall()
            yield rows

    def rows(self, limit: int, after: int = 0) -> list[BatchRow]:
        """Return some rows after the first ones, those with a reason first."""
        with self._lock:
            return [_row(each) for each in self._con.execute(ALL, (limit, after))]

    def outcomes(self) -> dict[str, int]:
        """Return how many files became what."""
        with self._lock:
            return dict(self._con.execute(BECAME).fetchall())

    def states(self) -> dict[str, int]:
        """Return how many files with a job are in which state."""
        with self._lock:
            return dict(self._con.execute(STATES).fetchall())

    def claim(self, target: str, name: str) -> str | None:
        """Claim a place for a file's result; return the file that has it already."""
        with self._lock:
            self._con.execute(CLAIM, (encoded(target), encoded(name)))
            ((owner,),) = self._con.execute(CLAIMED, (encoded(target),)).fetchall()
        return None if decoded(owner) == name else decoded(owner)


def _row(values: tuple[bytes, bytes, bytes, str, str | None, str | None, str, str, int]) -> BatchRow:
    name, relative, said, became, job_id, key, reason, state, is_open = values
    return BatchRow(
        name=decoded(name),
        relative=decoded(relative),
        said=decoded(said),
        became=became,
        job_id=job_id,
        key=key,
        reason=reason,
        state=state,
        is_open=bool(is_open),
    )
