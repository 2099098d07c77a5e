"""The cursor of a write transaction, which knows whether its statements changed anything.

A transaction that changed nothing needs no commit, and a commit drops whatever was kept of the ledger. DuckDB does not
say which of them a transaction is, but it returns how many rows a statement changed. Whatever is not surely a read
counts as a change.
"""

import re
from typing import Any, cast

from duckdb import DuckDBPyConnection

from storage.ledger.slow_queries import Watched

READ = re.compile(r"\s*(?:SELECT|FROM|WITH)\b", re.IGNORECASE)
COUNTED = re.compile(r"\s*(?:INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)
"""Without RETURNING, these return one row: the number of rows that they changed."""
WRITING = re.compile(r";|\b(?:INSERT|UPDATE|DELETE|MERGE|RETURNING|nextval)\b", re.IGNORECASE)
RETURNING = re.compile(r"\bRETURNING\b", re.IGNORECASE)
ACCOUNTS = re.compile(r"\b(?:users|api_keys)\b", re.IGNORECASE)


class WriteCursor(Watched):
    """A cursor of a write transaction.

    `unsure` says that a statement may have failed, `on_accounts` that one may have written accounts or API keys.
    """

    __slots__ = ("_changed", "_counts", "_open", "on_accounts", "unsure")

    def __init__(self, con: DuckDBPyConnection) -> None:
        super().__init__(con)
        self._changed = self._open = self._counts = self.unsure = self.on_accounts = False

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> DuckDBPyConnection:
        """Execute a statement, after looking at what the one before returned."""
        self._look()
        try:
            super().execute(query, *args, **kwargs)
        except BaseException:
            self.unsure = True
            raise
        text = str(query)
        self.on_accounts = self.on_accounts or (ACCOUNTS.search(text) is not None and not _is_read(text))
        if not self._changed:
            self._expect(text)
        return cast(DuckDBPyConnection, self)

    def executemany(self, query: Any, *args: Any, **kwargs: Any) -> DuckDBPyConnection:
        """Execute a statement for several rows, which counts as a change."""
        self._changed = self.unsure = self.on_accounts = True
        return super().executemany(query, *args, **kwargs)

    def _expect(self, text: str) -> None:
        """Note what the result of a statement will say."""
        if COUNTED.match(text) and ";" not in text:
            self._open, self._counts = True, not RETURNING.search(text)
        else:
            self._changed = not _is_read(text)

    def fetchone(self) -> Any:
        """Return the next row of the result."""
        row = self._read(self._con.fetchone)
        self._see(row)
        return row

    def fetchall(self) -> Any:
        """Return the rows of the result."""
        rows = self._read(self._con.fetchall)
        self._see(rows[0] if rows else None)
        return rows

    def has_changed(self) -> bool:
        """Return whether a statement changed anything."""
        self._look()
        return self._changed

    def _look(self) -> None:
        if self._open:
            self.fetchone()

    def _read(self, read: Any) -> Any:
        try:
            return read()
        except BaseException:
            self.unsure = True
            raise

    def _see(self, row: Any) -> None:
        """Take note of the first row of an open result."""
        if self._open:
            self._open = False
            self._changed = row is not None and not (self._counts and not row[0])

    def __getattr__(self, name: str) -> Any:
        if name != "description":
            self._changed = self.unsure = self.on_accounts = True
        return super().__getattr__(name)


def _is_read(text: str) -> bool:
    """Return whether a statement surely writes nothing."""
    return READ.match(text) is not None and WRITING.search(text) is None
