"""Tables of the search index, with two full-text indexes (SQLite FTS5).

`words` has a row for each document: its whole text, and its name. `spoken` has one for each speaker in a document, for
queries with `speaker:`. A phrase never continues in another speaker's turn: `TURN` separates them, which no query can
contain. FTS5 reads the text of a deleted row from the other tables, so they are deleted last.
"""

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from sqlite3 import Connection
from typing import NamedTuple

from storage.search.folding import tokens, words

VERSION = 5
TURN = " ¶ "

SCHEMA = """
CREATE TABLE docs (
    doc INTEGER PRIMARY KEY,
    job_id TEXT NOT NULL UNIQUE,
    stored_as TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    name TEXT NOT NULL,
    language TEXT NOT NULL,
    created_s REAL NOT NULL,
    name_words TEXT NOT NULL,
    name_tokens TEXT NOT NULL
);
CREATE INDEX docs_of_owner ON docs (owner_id);
-- The segments in order, to show: compressed JSON.
CREATE TABLE said (doc INTEGER PRIMARY KEY, segments BLOB NOT NULL);
-- The indexed text of each speaker; an empty name stands for all unnamed speakers.
CREATE TABLE voices (id INTEGER PRIMARY KEY, doc INTEGER NOT NULL, speaker TEXT NOT NULL, text TEXT NOT NULL);
CREATE INDEX voices_of_doc ON voices (doc, speaker);
CREATE VIEW documents AS SELECT doc, name_tokens AS name,
    (SELECT group_concat(text, ' ¶ ') FROM voices WHERE voices.doc = docs.doc) AS text FROM docs;
CREATE VIEW speakers AS SELECT id, text FROM voices WHERE speaker <> '';
CREATE VIRTUAL TABLE words USING fts5 (
    text, name, content = 'documents', content_rowid = 'doc', tokenize = 'ascii', prefix = '1 2 3');
CREATE VIRTUAL TABLE spoken USING fts5 (
    text, content = 'speakers', content_rowid = 'id', tokenize = 'ascii', prefix = '1 2 3');
INSERT INTO words (words, rank) VALUES ('hashsize', 16777216);
INSERT INTO spoken (spoken, rank) VALUES ('hashsize', 16777216);
-- The fingerprint of the ledger at the last complete sync, and the number of changes since the last merge.
CREATE TABLE state (ledger TEXT, changed INTEGER NOT NULL);
INSERT INTO state VALUES (NULL, 0);
"""

FORGET = (
    "DELETE FROM words WHERE rowid = $doc",
    "DELETE FROM spoken WHERE rowid IN (SELECT id FROM voices WHERE doc = $doc AND speaker <> '')",
    "DELETE FROM voices WHERE doc = $doc",
    "DELETE FROM said WHERE doc = $doc",
    "DELETE FROM docs WHERE doc = $doc",
)
DOC = "SELECT doc FROM docs WHERE job_id = $job_id"
ADD_DOC = """
INSERT INTO docs (job_id, stored_as, owner_id, name, language, created_s, name_words, name_tokens)
VALUES ($job_id, $stored_as, $owner_id, $name, $language, $created_s, $name_words, $name_tokens) RETURNING doc
"""
ADD_SAID = "INSERT INTO said (doc, segments) VALUES ($doc, $segments)"
ADD_VOICE = "INSERT INTO voices (doc, speaker, text) VALUES ($doc, $speaker, $text)"
ADD_WORDS = "INSERT INTO words (rowid, text, name) SELECT doc, text, name FROM documents WHERE doc = $doc"
ADD_SPOKEN = """
INSERT INTO spoken (rowid, text) SELECT id, text FROM speakers WHERE id IN (SELECT id FROM voices WHERE doc = $doc)
"""
CHANGED = "UPDATE state SET changed = changed + $count"
MERGE = (
    "INSERT INTO words (words) VALUES ('optimize')",
    "INSERT INTO spoken (spoken) VALUES ('optimize')",
    "UPDATE state SET changed = 0",
)


class Said(NamedTuple):
    """One segment of the ledger."""

    job_id: str
    idx: int
    start_s: float
    speaker: str | None
    text: str


class Shown(NamedTuple):
    """One stored segment, with its tokens."""

    start_s: float
    speaker: str | None
    text: str
    tokens: str


@dataclass(frozen=True, slots=True)
class Head:
    """The metadata of one transcript."""

    job_id: str
    stored_as: str
    owner_id: str
    name: str
    language: str
    created_at: datetime


def forget(con: Connection, job_ids: Sequence[str]) -> None:
    """Delete these jobs from the index."""
    for job_id in job_ids:
        for (doc,) in con.execute(DOC, {"job_id": job_id}).fetchall():
            for statement in FORGET:
                con.execute(statement, {"doc": doc})
    con.execute(CHANGED, {"count": len(job_ids)})


def take_in(con: Connection, heads: Iterable[Head], said: Iterable[Said], job_ids: Sequence[str]) -> None:
    """Index these jobs again; those that are no longer in the ledger are deleted.

    `said` is sorted by job and segment.
    """
    forget(con, job_ids)
    segments = {job_id: list(some) for job_id, some in groupby(said, key=lambda one: one.job_id)}
    for head in heads:
        _add(con, head, segments.get(head.job_id, []))


def unpacked(segments: bytes) -> list[Shown]:
    """Return the stored segments."""
    return [Shown(*one) for one in json.loads(zlib.decompress(segments))]


def merge(con: Connection) -> None:
    """Merge each index into one segment, which removes deleted words from the file."""
    for statement in MERGE:
        con.execute(statement)


def _add(con: Connection, head: Head, said: Sequence[Said]) -> None:
    name = words(head.name)
    values = {field: getattr(head, field) for field in ("job_id", "stored_as", "owner_id", "name", "language")}
    values |= {"created_s": head.created_at.timestamp()}
    values |= {"name_words": " ".join(name), "name_tokens": " ".join(tokens(name))}
    ((doc,),) = con.execute(ADD_DOC, values).fetchall()
    shown = [Shown(one.start_s, one.speaker, one.text, " ".join(tokens(words(one.text)))) for one in said]
    packed = zlib.compress(json.dumps(shown, ensure_ascii=False).encode(), 1)
    con.execute(ADD_SAID, {"doc": doc, "segments": packed})
    for speaker, text in _voices(shown).items():
        con.execute(ADD_VOICE, {"doc": doc, "speaker": speaker, "text": text})
    con.execute(ADD_WORDS, {"doc": doc})
    con.execute(ADD_SPOKEN, {"doc": doc})


def _voices(shown: Iterable[Shown]) -> dict[str, str]:
    """Return the text of each speaker, turn by turn."""
    turns: dict[str, list[str]] = {}
    for speaker, turn in groupby(shown, key=lambda one: one.speaker or ""):
        turns.setdefault(" ".join(words(speaker)), []).append(" ".join(one.tokens for one in turn))
    return {speaker: TURN.join(some) for speaker, some in turns.items()}
