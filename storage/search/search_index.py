"""The search index: an SQLite file with the words of all transcripts.

It contains nothing that the ledger does not have, so it is deleted and rebuilt if it is missing, damaged or of another
version. `sync` updates it by comparing the ledger's transcripts with the indexed ones.
"""

import logging
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from storage.domain.errors import LedgerClosed, NotReady
from storage.ledger.database import Ledger
from storage.search import documents
from storage.search.documents import SCHEMA, VERSION, Head, Said
from storage.search.search_file import SearchFile, is_damage, rows

logger = logging.getLogger(__name__)

BATCH_TRANSCRIPTS = 50
FETCHED_ROWS = 2048
MERGE_CHANGED = 1000

LEDGER_PRINT = """
SELECT count(*) || ' ' || coalesce(bit_xor(hash(t.job_id, t.stored_as, j.owner_id, j.name, t.language)), 0)
FROM transcripts AS t JOIN jobs AS j ON j.id = t.job_id WHERE j.deleted_at IS NULL AND j.owner_id <> 'canary'
"""
LEDGER_HAS = """
SELECT t.job_id, t.stored_as, j.owner_id, j.name, t.language FROM transcripts AS t JOIN jobs AS j ON j.id = t.job_id
WHERE j.deleted_at IS NULL AND j.owner_id <> 'canary'
"""
INDEX_HAS = "SELECT job_id, stored_as, owner_id, name, language FROM docs"
INDEX_STATE = "SELECT ledger, changed, (SELECT count(*) FROM docs) FROM state"
UP_TO_DATE = "UPDATE state SET ledger = $ledger"

HEADS = """
SELECT t.job_id, t.stored_as, j.owner_id, j.name, t.language, j.created_at
FROM transcripts AS t JOIN jobs AS j ON j.id = t.job_id
WHERE j.deleted_at IS NULL AND j.owner_id <> 'canary' AND t.job_id IN (SELECT unnest($ids)) ORDER BY t.job_id
"""
# The bounds let DuckDB skip the rest of the table, and read a 20th of it.
SAID = """
SELECT job_id, idx, start_s, speaker, text FROM segments
WHERE job_id BETWEEN $low AND $high AND job_id IN (SELECT unnest($ids)) ORDER BY job_id, idx
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexStatus:
    """The index's progress: indexed transcripts, and those that are missing or outdated."""

    indexed: int = 0
    behind: int = 0
    known: bool = False

    @property
    def share(self) -> float:
        whole = self.indexed + self.behind
        return self.indexed / whole if whole else 1.0


class SearchIndex:
    """The index file: opened on first use, deleted if damaged."""

    def __init__(
        self, path: Path, *, batch_transcripts: int = BATCH_TRANSCRIPTS, merge_changed: int = MERGE_CHANGED
    ) -> None:
        self.batch_transcripts, self.merge_changed = batch_transcripts, merge_changed
        self.stem = path.stem
        self.path = path.with_name(f"{path.stem}-v{VERSION}{path.suffix}")
        self.status = IndexStatus()
        self._file: SearchFile | None = None
        self._opening = threading.Lock()
        self._syncing = threading.Lock()
        self._closed = False

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Provide a connection to a snapshot of the index.

        Raises:
            NotReady: it turned out to be missing or damaged, and is being rebuilt.
        """
        file = self._opened()
        try:
            with file.read() as con:
                yield con
        except sqlite3.DatabaseError as error:
            if not self._is_lost(error):
                raise
            self._throw_away(file, error)
            raise NotReady("the search index, which was damaged and is being built again,") from error

    def sync(self, ledger: Ledger) -> int:
        """Index what has changed in the ledger, and return the number of transcripts.

        What was indexed before a crash stays; the rest follows at the next call.
        """
        with self._syncing:
            file = self._opened()
            try:
                return self._sync(ledger, file)
            except sqlite3.DatabaseError as error:
                if not self._is_lost(error):
                    raise
                self._throw_away(file, error)
                return self._sync(ledger, self._opened())

    def wal_bytes(self) -> int:
        """Return the size of the index's write-ahead log, which each `sync` checkpoints."""
        try:
            return Path(f"{self.path}-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def close(self) -> None:
        """Close the file; a running `sync` stops after its batch."""
        self._closed = True
        with self._opening:
            if self._file:
                self._file.close()
                self._file = None

    def _opened(self) -> SearchFile:
        with self._opening:
            if self._closed:
                raise LedgerClosed(str(self.path))
            if self._file is None:
                self._file = self._open()
            return self._file

    def _open(self) -> SearchFile:
        self._remove_other_versions()
        try:
            return SearchFile.open(self.path, schema=SCHEMA, version=VERSION)
        except sqlite3.DatabaseError as error:
            logger.warning("the search index cannot be read and is built again: %s", error)
            self._remove()
            return SearchFile.open(self.path, schema=SCHEMA, version=VERSION)

    def _remove_other_versions(self) -> None:
        """Delete index files of other versions: they are large, and contain transcripts."""
        for path in self.path.parent.glob(f"{self.stem}-v*"):
            if path.is_dir():
                shutil.rmtree(path)
            elif not path.name.startswith(self.path.name):
                path.unlink(missing_ok=True)

    def _is_lost(self, error: sqlite3.Error) -> bool:
        return is_damage(error) or not self.path.exists()

    def _throw_away(self, file: SearchFile, error: Exception) -> None:
        with self._opening:
            if self._file is not file:  # another thread has replaced it
                return
            logger.warning("the search index is damaged and is built again: %s", error)
            file.close()
            self._file = None
            self.status = IndexStatus()
            self._remove()

    def _remove(self) -> None:
        for ending in ("", "-wal", "-shm"):
            Path(f"{self.path}{ending}").unlink(missing_ok=True)

    def _sync(self, ledger: Ledger, file: SearchFile) -> int:
        with ledger.read() as con, file.read() as ours:
            ((now,),) = con.execute(LEDGER_PRINT).fetchall()
            ((before, _, indexed),) = rows(ours, INDEX_STATE)
            if now == before:
                self.status = IndexStatus(indexed=indexed, known=True)
                return 0
            wanted = {row[0]: row[1:] for row in con.execute(LEDGER_HAS).fetchall()}
            there = {row[0]: row[1:] for row in rows(ours, INDEX_HAS)}
        gone = [job_id for job_id in there if job_id not in wanted]
        if gone:
            with file.write() as ours:
                documents.forget(ours, gone)
        changed = sorted((job_id for job_id, facts in wanted.items() if there.get(job_id) != facts), reverse=True)
        self.status = IndexStatus(indexed=len(wanted) - len(changed), behind=len(changed), known=True)
        for start in range(0, len(changed), self.batch_transcripts):
            if self._closed:
                return start
            some = changed[start : start + self.batch_transcripts]
            heads, said = _read(ledger, some)
            with file.write() as ours:
                documents.take_in(ours, heads, said, some)
            status = self.status
            self.status = replace(status, indexed=status.indexed + len(some), behind=status.behind - len(some))
        with file.write() as ours:
            ours.execute(UP_TO_DATE, {"ledger": now})
            ((_, changes, indexed),) = rows(ours, INDEX_STATE)
            if changes > max(self.merge_changed, indexed // 4) and not self._closed:
                documents.merge(ours)
        file.checkpoint()
        return len(gone) + len(changed)


def _read(ledger: Ledger, job_ids: list[str]) -> tuple[list[Head], list[Said]]:
    """Return the metadata and the ordered segments of some transcripts."""
    asked = {"ids": job_ids, "low": min(job_ids), "high": max(job_ids)}
    with ledger.read() as con:
        heads = [Head(*row) for row in con.execute(HEADS, {"ids": job_ids}).fetchall()]
        found = con.execute(SAID, asked)
        said: list[Said] = []
        while some := found.fetchmany(FETCHED_ROWS):  # fetching all at once would block other threads
            said += [Said(*row) for row in some]
    return heads, said
