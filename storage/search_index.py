"""The search index: which words stand in which transcript, in a DuckDB file of its own beside the ledger.

It holds nothing that the ledger does not have, so it is thrown away and built again when it is missing, damaged or of
another version. It is fed by pulling: `sync` compares what the ledger says of its transcripts with what was indexed.
Words are lower-cased and bare of accents; scripts that are written without spaces are indexed by pairs of characters.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection

from storage.errors import LedgerClosed, LedgerUnreadable, NotReady
from storage.ledger import Ledger
from storage.migrate import Migration

logger = logging.getLogger(__name__)

VERSION = 1
BATCH_TRANSCRIPTS = 200
FOLD_FRESH_ROWS = 2_000_000
NAME_WEIGHT = 3
MEMORY = "SET GLOBAL memory_limit = '1GB'"

SCHEMA = r"""
-- Words of a text as they are indexed. A run of a script without spaces is one of them, cut into pairs later.
CREATE MACRO words_of(text) AS regexp_extract_all(
    replace(replace(replace(translate(lower(strip_accents(text)), 'øłđı', 'oldi'), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'),
    '[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー]+'
    '|[^\p{M}\p{P}\p{S}\p{Z}\p{C}\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]+|[|]');
CREATE MACRO is_unspaced(word) AS
    regexp_matches(word, '^[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー]');
CREATE TABLE docs (
    doc INTEGER NOT NULL,
    job_id VARCHAR NOT NULL,
    stored_as VARCHAR NOT NULL,
    owner_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    name_folded VARCHAR NOT NULL,
    language VARCHAR NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    words INTEGER NOT NULL
);
-- What each speaker says in one transcript, folded, each word between spaces; `|` where somebody else comes between.
-- Uncompressed, so that a few of them are read without all the others: 20 ms for 100, not 120.
CREATE TABLE texts (
    doc INTEGER NOT NULL, speaker VARCHAR NOT NULL, said VARCHAR NOT NULL USING COMPRESSION 'uncompressed'
);
-- `postings` is sorted by term; `fresh` is what came since, and is folded in when it has become large.
CREATE TABLE postings (term VARCHAR NOT NULL, doc INTEGER NOT NULL, tf INTEGER NOT NULL);
CREATE TABLE fresh (term VARCHAR NOT NULL, doc INTEGER NOT NULL, tf INTEGER NOT NULL);
"""
STEPS = (Migration(version=VERSION, name="search", sql=SCHEMA),)

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
WHERE j.deleted_at IS NULL AND t.job_id IN (SELECT unnest($ids))
"""
SAID = """
WITH told AS (
    SELECT job_id, idx, coalesce(speaker, '') AS speaker, text,
        idx - lag(idx) OVER (PARTITION BY job_id, coalesce(speaker, '') ORDER BY idx) = 1 AS goes_on
    FROM segments WHERE job_id IN (SELECT unnest($ids))
)
SELECT job_id, speaker, string_agg(if(goes_on, text, '| ' || text), ' ' ORDER BY idx) FROM told GROUP BY job_id, speaker
"""

FORGET = (
    "DELETE FROM postings WHERE doc IN (SELECT doc FROM docs WHERE job_id IN (SELECT unnest($ids)))",
    "DELETE FROM fresh WHERE doc IN (SELECT doc FROM docs WHERE job_id IN (SELECT unnest($ids)))",
    "DELETE FROM texts WHERE doc IN (SELECT doc FROM docs WHERE job_id IN (SELECT unnest($ids)))",
    "DELETE FROM docs WHERE job_id IN (SELECT unnest($ids))",
)
LAST_DOC = "SELECT coalesce(max(doc), -1) FROM docs"
FOLDED = """
SELECT list_transform(words_of(text), lambda word: {'token': word, 'unspaced': is_unspaced(word)})
FROM (SELECT unnest($texts::VARCHAR[]) AS text)
"""
ADD_TEXTS = """
INSERT INTO texts (doc, speaker, said)
SELECT doc, array_to_string(words_of(speaker), ' '), ' ' || array_to_string(words_of(said), ' ') || ' '
FROM (SELECT unnest($docs::INTEGER[]) AS doc, unnest($speakers::VARCHAR[]) AS speaker,
    unnest($said::VARCHAR[]) AS said)
"""
ADD_FRESH = """
INSERT INTO fresh (term, doc, tf)
WITH runs AS (
    SELECT doc, unnest(string_split(trim(said), ' ')) AS term, 1 AS weight FROM texts WHERE doc >= $first
    UNION ALL
    SELECT doc, unnest(string_split(name_folded, ' ')), $name_weight FROM docs WHERE doc >= $first
), counted AS (
    SELECT term, doc, sum(weight) AS tf FROM runs WHERE term NOT IN ('', '|') GROUP BY term, doc
), marked AS (
    SELECT term, doc, tf, is_unspaced(term) AS unspaced
    FROM counted
), pairs AS (
    SELECT unnest(list_transform(range(1, length(term) + 1), lambda place: term[place:place + 1])) AS term, doc, tf
    FROM marked WHERE unspaced
)
SELECT left(term, 64), doc, tf FROM marked WHERE NOT unspaced
UNION ALL SELECT term, doc, sum(tf) FROM pairs GROUP BY term, doc
ORDER BY ALL
"""
ADD_DOCS = """
INSERT INTO docs (doc, job_id, stored_as, owner_id, name, name_folded, language, created_at, words)
SELECT doc, job_id, stored_as, owner_id, name, array_to_string(words_of(name), ' '), language, created_at, 0
FROM (SELECT unnest($docs::INTEGER[]) AS doc, unnest($job_ids::VARCHAR[]) AS job_id,
    unnest($stored_as::VARCHAR[]) AS stored_as, unnest($owner_ids::VARCHAR[]) AS owner_id,
    unnest($names::VARCHAR[]) AS name, unnest($languages::VARCHAR[]) AS language,
    unnest($created_at::TIMESTAMPTZ[]) AS created_at)
"""
COUNT_WORDS = """
UPDATE docs SET words = counted.words FROM (
    SELECT doc, sum(tf) AS words FROM fresh WHERE doc >= $first GROUP BY doc
) AS counted WHERE docs.doc = counted.doc AND docs.doc >= $first
"""
FRESH_ROWS = "SELECT (SELECT count(*) FROM fresh), (SELECT count(*) FROM postings)"
FOLD_IN = (
    "CREATE TABLE folded AS SELECT term, doc, tf FROM (FROM postings UNION ALL FROM fresh) ORDER BY term, doc",
    "DROP TABLE postings",
    "ALTER TABLE folded RENAME TO postings",
    "DELETE FROM fresh",
)


@dataclass(frozen=True, slots=True)
class Token:
    """One folded word of a query; `unspaced` if its script has no spaces between words."""

    token: str
    unspaced: bool


def folded(con: DuckDBPyConnection, texts: Sequence[str]) -> list[tuple[Token, ...]]:
    """Return the words of each text as the index has them."""
    rows = con.execute(FOLDED, {"texts": list(texts)}).fetchall() if texts else []
    return [tuple(Token(one["token"], one["unspaced"]) for one in row[0]) for row in rows]


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
        try:
            opened = Ledger.open(self.path, steps=STEPS)
        except (LedgerUnreadable, duckdb.Error) as error:
            logger.warning("the search index cannot be read and is built again: %s", error)
            self._remove()
            opened = Ledger.open(self.path, steps=STEPS)
        with opened.cursor() as con:
            con.execute(MEMORY)
        return opened

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
            file.run(_forget, gone)
        changed = sorted((job_id for job_id, facts in wanted.items() if there.get(job_id) != facts), reverse=True)
        self.status = IndexStatus(indexed=len(wanted) - len(changed), behind=len(changed), known=True)
        for start in range(0, len(changed), BATCH_TRANSCRIPTS):
            if self._closed:
                return start
            some = changed[start : start + BATCH_TRANSCRIPTS]
            with ledger.read() as con:
                batch = _read(con, some)
            file.run(_take_in, batch, some)
            status = self.status
            self.status = replace(status, indexed=status.indexed + len(some), behind=status.behind - len(some))
        self._fold_in(file)
        return len(gone) + len(changed)

    def _fold_in(self, file: Ledger) -> None:
        with file.read() as con:
            fresh, sorted_rows = con.execute(FRESH_ROWS).fetchall()[0]
        if fresh > FOLD_FRESH_ROWS or fresh > max(200_000, sorted_rows // 4):
            file.run(_fold_in)


@dataclass(frozen=True, slots=True)
class _Batch:
    heads: list[tuple[Any, ...]]
    said: list[tuple[str, str, str]]


def _read(con: DuckDBPyConnection, job_ids: list[str]) -> _Batch:
    heads = con.execute(HEADS, {"ids": job_ids}).fetchall()
    return _Batch(heads, con.execute(SAID, {"ids": job_ids}).fetchall())


def _forget(con: DuckDBPyConnection, job_ids: list[str]) -> None:
    for statement in FORGET:
        con.execute(statement, {"ids": job_ids})


def _take_in(con: DuckDBPyConnection, batch: _Batch, job_ids: list[str]) -> None:
    """Replace what the index has of these jobs; what has gone from the ledger meanwhile goes here, too."""
    first = 1 + con.execute(LAST_DOC).fetchall()[0][0]
    _forget(con, job_ids)
    if not batch.heads:
        return
    docs = {head[0]: first + place for place, head in enumerate(batch.heads)}
    fields = ("job_ids", "stored_as", "owner_ids", "names", "languages", "created_at")
    columns = {field: [head[place] for head in batch.heads] for place, field in enumerate(fields)}
    con.execute(ADD_DOCS, {"docs": list(docs.values()), **columns})
    said = [(docs[job_id], speaker, text) for job_id, speaker, text in batch.said if job_id in docs]
    if said:
        numbers, speakers, texts = (list(column) for column in zip(*said, strict=True))
        con.execute(ADD_TEXTS, {"docs": numbers, "speakers": speakers, "said": texts})
    con.execute(ADD_FRESH, {"first": first, "name_weight": NAME_WEIGHT})
    con.execute(COUNT_WORDS, {"first": first})


def _fold_in(con: DuckDBPyConnection) -> None:
    for statement in FOLD_IN:
        con.execute(statement)
