"""Search transcripts: matches ranked by Okapi BM25.

FTS5 finds and scores each word or phrase of the query; AND, OR and NOT are operations on the sets of documents. A
phrase counts as often as it occurs itself, however often its words do.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from sqlite3 import Connection
from typing import Any

from storage.search.folding import Phrase, phrase, words
from storage.search.search_file import rows
from storage.search.search_query import And, Leaf, Node, Not, Or, Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """One page of results: job ids, best first; `total` counts all pages."""

    job_ids: tuple[str, ...]
    total: int
    phrases: tuple[Phrase, ...]


def find(
    con: Connection,
    query: Query,
    *,
    owner_id: str | None,
    shared: Sequence[str] = (),
    offset: int = 0,
    limit: int = 10,
) -> Hits:
    """Return a page of matching transcripts, of one owner or all; empty for no query.

    The jobs in `shared` are searched beside the owner's.
    """
    if query.empty:
        return Hits(job_ids=(), total=0, phrases=())
    search = _Search(con, query, owner_id, shared)
    found = search.documents(query.node)
    page = nsmallest(offset + limit, found, key=lambda doc: (-search.scores.get(doc, 0.0), -doc))[offset:]
    return Hits(job_ids=search.job_ids(page), total=len(found), phrases=search.marked())


ALLOWED = "CREATE TEMP TABLE allowed (doc INTEGER PRIMARY KEY)"
VOICED = "CREATE TEMP TABLE voiced (id INTEGER PRIMARY KEY, doc INTEGER NOT NULL)"
ALLOW = """
INSERT INTO allowed SELECT doc FROM docs
WHERE ($owner_id IS NULL OR owner_id = $owner_id OR job_id IN (SELECT value FROM json_each($shared)))
  AND ($since IS NULL OR created_s >= $since) AND ($until IS NULL OR created_s < $until)
  AND ($languages IS NULL OR language IN (SELECT value FROM json_each($languages)))
  AND ($without_languages IS NULL OR language NOT IN (SELECT value FROM json_each($without_languages)))
  AND ($names IS NULL OR EXISTS (SELECT 1 FROM json_each($names) WHERE instr(name_words, value)))
  AND ($without_names IS NULL OR NOT EXISTS (
    SELECT 1 FROM json_each($without_names) WHERE instr(name_words, value)))
"""
ALLOW_VOICES = """
INSERT INTO voiced SELECT id, doc FROM voices
WHERE doc IN (SELECT doc FROM allowed)
  AND EXISTS (SELECT 1 FROM json_each($speakers) WHERE instr(' ' || speaker, ' ' || value))
"""
ALLOW_VOICED = "DELETE FROM allowed WHERE doc NOT IN (SELECT doc FROM voiced)"
ALL = "SELECT doc FROM allowed"
# The plus sign and the CROSS JOIN keep SQLite from running the full-text query once for each document.
FOUND = "SELECT rowid, 0.0 FROM words WHERE words MATCH $match AND +rowid IN (SELECT doc FROM allowed)"
SCORED = """
SELECT rowid, -bm25(words, 1.0, 3.0) FROM words WHERE words MATCH $match AND +rowid IN (SELECT doc FROM allowed)
"""
FOUND_SPOKEN = """
SELECT voiced.doc, 0.0 FROM spoken CROSS JOIN voiced ON voiced.id = spoken.rowid WHERE spoken MATCH $match
"""
SCORED_SPOKEN = """
SELECT voiced.doc, -bm25(spoken) FROM spoken CROSS JOIN voiced ON voiced.id = spoken.rowid WHERE spoken MATCH $match
"""
JOBS = "SELECT doc, job_id FROM docs WHERE doc IN (SELECT value FROM json_each($docs))"


@dataclass(slots=True)
class _Search:
    """One query on one snapshot of the index."""

    con: Connection
    query: Query
    owner_id: str | None
    shared: Sequence[str]
    scores: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows(self.con, ALLOWED)
        rows(self.con, ALLOW, self._filters())
        if self.query.speakers:
            rows(self.con, VOICED)
            rows(self.con, ALLOW_VOICES, {"speakers": _folded(self.query.speakers)})
            rows(self.con, ALLOW_VOICED)

    def documents(self, node: Node | None, *, scored: bool = True) -> set[int]:
        """Return the documents that match this part, and score them."""
        match node:
            case Leaf() if (looked_for := phrase(node.text, prefix=node.prefix)) is not None:
                return self._found(looked_for, scored=scored)
            case None | Leaf():  # only punctuation: it matches everywhere
                return {doc for (doc,) in rows(self.con, ALL)}
            case Not(part):
                return self.documents(None) - self.documents(part, scored=False)
            case And(parts):
                return set.intersection(*(self.documents(part, scored=scored) for part in parts))
            case Or(parts):
                return set.union(*(self.documents(part, scored=scored) for part in parts))

    def job_ids(self, docs: list[int]) -> tuple[str, ...]:
        found = dict(rows(self.con, JOBS, {"docs": json.dumps(docs)}))
        return tuple(found[doc] for doc in docs)

    def marked(self) -> tuple[Phrase, ...]:
        """Return the phrases that snippets highlight: those that are not negated."""
        found = (phrase(leaf.text, prefix=leaf.prefix) for leaf in _leaves(self.query.node))
        return tuple(one for one in dict.fromkeys(found) if one)

    def _filters(self) -> dict[str, Any]:
        query = self.query
        return {
            "owner_id": self.owner_id,
            "shared": json.dumps(list(self.shared)),
            "since": query.since.timestamp() if query.since else None,
            "until": query.until.timestamp() if query.until else None,
            "languages": _listed([one.lower() for one in query.languages]),
            "without_languages": _listed([one.lower() for one in query.without_languages]),
            "names": _folded(query.names),
            "without_names": _folded(query.without_names),
        }

    def _found(self, looked_for: Phrase, *, scored: bool) -> set[int]:
        """Return the documents with a phrase, said by a wanted speaker if there is one."""
        statements = (FOUND_SPOKEN, SCORED_SPOKEN) if self.query.speakers else (FOUND, SCORED)
        found = rows(self.con, statements[scored], {"match": looked_for.match})
        if scored:
            for doc, score in found:
                self.scores[doc] = self.scores.get(doc, 0.0) + score
        return {doc for doc, _ in found}


def _folded(values: Iterable[str]) -> str | None:
    """Return the normalised words of filters as JSON."""
    return _listed([" ".join(words(value)) for value in values])


def _listed(values: list[str]) -> str | None:
    return json.dumps(values, ensure_ascii=False) if values else None


def _leaves(node: Node | None) -> Iterable[Leaf]:
    """Yield the leaves of a query that are not negated."""
    match node:
        case Leaf():
            yield node
        case And(parts) | Or(parts):
            for part in parts:
                yield from _leaves(part)
        case Not() | None:
            return
