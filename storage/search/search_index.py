"""The search index: which words stand in which transcript, in a DuckDB file of its own beside the ledger.

It holds nothing that the ledger does not have, so it is thrown away and built again when it is missing, damaged or of
another version. It is fed by pulling: `sync` compares what the ledger says of its transcripts with what was indexed.
Words are lower-cased and bare of accents; scripts that are written without spaces are indexed by pairs of characters.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from storage import search_words
from storage.errors import LedgerClosed, LedgerUnreadable, NotReady
from storage.ledger import Ledger
from storage.search_words import STEPS, VERSION, Batch

logger = logging.getLogger(__name__)

BATCH_TRANSCRIPTS = 200
FOLD_FRESH_ROWS = 2_000_000
MEMORY = "SET GLOBAL memory_limit = '1GB'"

LEDGER_PRINT = """
SELECT count(*), coalesce(bit_xor(hash(t.job_id, t.stored_as, j.owner_id, j.name, t.language)), 0)
FROM transcripts AS t JOIN jobs AS j ON j.id = t.job_id WHERE j.deleted_at IS NULL
"""
INDEX_PRINT = "SELECT count(*), coalesce(bit_xor(hash(job_id, stored_as, owner_id, name, language)), 0) FROM docs"
LEDGER_HAS = """
SELECT t.job_id, t.stored_as, j.owner_id, j.name, t.language FROM transcripts AS t JOIN jobs AS j ON j.id = t.job_id
WHERE j.deleted_at IS NULL
"""
INDEX_HAS = "SELECT job_id, stored_as, owner_id, name, language FROM docs"

HEADS = """
SELECT t.job_id, t.stored_as, j.owner_id, j.name, t.language, j.created_at
FROM transcripts AS t JOIN jobs AS j ON j.id = t.job_id
WHERE j.deleted_at IS NULL AND t.job_id IN (SELECT unnest($ids)) ORDER BY t.job_id
"""
# The bounds are for DuckDB: with them it leaves out what lies elsewhere in the table, and reads a 20th of it.
SAID = """
SELECT job_id, idx, start_s, speaker, text FROM segments
WHERE job_id BETWEEN $low AND $high AND job_id IN (SELECT unnest($ids))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexStatus:
    """How far the index is: transcripts in it, and transcripts that it still lacks or has as they were before."""

    indexed: int = 0
    behind: int = 0
    known: bool = False

    @property
    def share(self) -> float:
        whole = self.indexed + self.behind
        return self.indexed / whole if whole else 1.0


class SearchIndex:
    """The index's file: opened at first use, thrown away when it is damaged, fed by one `sync` at a time."""

    def __init__(self, path: Path) -> None:
        self.stem = path.stem
        self.path = path.with_name(f"{path.stem}-v{VERSION}{path.suffix}")
        self.status = IndexStatus()
        self._file: Ledger | None = None
        self._opening = threading.Lock()
        self._syncing = threading.Lock()
        self._closed = False

    @contextmanager
    def read(self) -> Iterator[DuckDBPyConnection]:
        """Hand out a cursor that sees one moment of the index.

        Raises:
            NotReady: it turned out to be damaged, and is being built again.
        """
        try:
            with self._opened().read() as con:
                yield con
        except (duckdb.IOException, duckdb.FatalException, duckdb.InternalException) as error:
            self._throw_away(error)
            raise NotReady("the search index, which was damaged and is being built again,") from error

    def sync(self, ledger: Ledger) -> int:
        """Take in what has changed in the ledger since, and return how many transcripts that were.

        What was taken in before a crash stays; the rest follows the next time.
        """
        with self._syncing:
            try:
                return self._sync(ledger)
            except (duckdb.IOException, duckdb.FatalException, duckdb.InternalException) as error:
                self._throw_away(error)
                return self._sync(ledger)

    def close(self) -> None:
        """Let the file go; a `sync` that is under way stops after its batch."""
        self._closed = True
        with self._opening:
            if self._file:
                self._file.close()
                self._file = None

    def _opened(self) -> Ledger:
        with self._opening:
            if self._closed:
                raise LedgerClosed(str(self.path))
            if self._file is None:
                self._file = self._open()
            return self._file

    def _open(self) -> Ledger:
        self._remove_other_versions()
        try:
            opened = Ledger.open(self.path, steps=STEPS)
        except (LedgerUnreadable, duckdb.Error) as error:
            logger.warning("the search index cannot be read and is built again: %s", error)
            self._remove()
            opened = Ledger.open(self.path, steps=STEPS)
        with opened.cursor() as con:
            con.execute(MEMORY)
        return opened

    def _remove_other_versions(self) -> None:
        """Delete what an older or newer version of the platform made: it is large, and full of what people said."""
        for path in self.path.parent.glob(f"{self.stem}-v*"):
            if not path.name.startswith(self.path.name):
                path.unlink(missing_ok=True)

    def _throw_away(self, error: Exception) -> None:
        logger.warning("the search index is damaged and is built again: %s", error)
        with self._opening:
            if self._file:
                with suppress(duckdb.Error):
                    self._file.close()
            self._file = None
            self.status = IndexStatus()
            self._remove()

    def _remove(self) -> None:
        for path in (self.path, Path(f"{self.path}.wal")):
            path.unlink(missing_ok=True)

    def _sync(self, ledger: Ledger) -> int:
        file = self._opened()
        with ledger.read() as con, file.read() as ours:
            if con.execute(LEDGER_PRINT).fetchall() == (same := ours.execute(INDEX_PRINT).fetchall()):
                self.status = IndexStatus(indexed=same[0][0], known=True)
                return 0
            wanted = {row[0]: row[1:] for row in con.execute(LEDGER_HAS).fetchall()}
            there = {row[0]: row[1:] for row in ours.execute(INDEX_HAS).fetchall()}
        gone = [job_id for job_id in there if job_id not in wanted]
        if gone:
            file.run(search_words.forget, gone)
        changed = sorted((job_id for job_id, facts in wanted.items() if there.get(job_id) != facts), reverse=True)
        self.status = IndexStatus(indexed=len(wanted) - len(changed), behind=len(changed), known=True)
        for start in range(0, len(changed), BATCH_TRANSCRIPTS):
            if self._closed:
                return start
            some = changed[start : start + BATCH_TRANSCRIPTS]
            with ledger.read() as con:
                batch = _read(con, some)
            file.run(search_words.take_in, batch, some)
            status = self.status
            self.status = replace(status, indexed=status.indexed + len(some), behind=status.behind - len(some))
        self._fold_in(file)
        return len(gone) + len(changed)

    def _fold_in(self, file: Ledger) -> None:
        with file.read() as con:
            fresh, sorted_rows = search_words.fresh_rows(con)
        if fresh > FOLD_FRESH_ROWS or fresh > max(200_000, sorted_rows // 4):
            file.run(search_words.fold_in)


def _read(con: DuckDBPyConnection, job_ids: list[str]) -> Batch:
    heads = con.execute(HEADS, {"ids": job_ids}).fetchall()
    asked = {"ids": job_ids, "low": min(job_ids), "high": max(job_ids)}
    return Batch(heads, con.execute(SAID, asked).fetchnumpy())
