"""Finding transcripts: which ones a query means, best first (Okapi BM25), and the moments in them to show.

Which documents contain a word comes from the index as arrays; AND, OR and NOT are operations on masks of them. Whether
a phrase really stands there, or who says a word, the index's postings cannot tell: those documents are looked at,
best first, until the page is full. See Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from storage.search_index import Token, folded
from storage.search_query import And, Leaf, Node, Not, Or, Query

if TYPE_CHECKING:
    from collections.abc import Callable

K1, B = 1.2, 0.75
LAST_CHAR = "\U0010ffff"
FIRST_LOOK, NEXT_LOOK = 100, 1_000

Mask = NDArray[np.bool_]
Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """One page of what was found: job ids, best first; `total` counts all pages, or those looked at (`more`)."""

    job_ids: tuple[str, ...]
    total: int
    more: bool
    words: tuple["Wanted", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One leaf of the query, folded: what to mark in a snippet."""

    tokens: tuple[Token, ...]
    prefix: bool

    @property
    def pattern(self) -> str:
        """The leaf as it stands in the index's texts, where each word has spaces around it."""
        text = " ".join(one.token for one in self.tokens)
        before = "" if self.tokens[0].unspaced else " "
        after = "" if self.prefix or self.tokens[-1].unspaced else " "
        return f"{before}{text}{after}"

    @property
    def terms(self) -> tuple[tuple[str, bool], ...]:
        """The index's terms that all have to be there, each with whether it is only a beginning."""
        found: list[tuple[str, bool]] = []
        for place, one in enumerate(self.tokens):
            last = place == len(self.tokens) - 1
            if one.unspaced and len(one.token) > 1:
                found += [("".join(pair), False) for pair in pairwise(one.token)]
            else:
                found.append((one.token[:64], one.unspaced or (last and self.prefix)))
        return tuple(dict.fromkeys(found))


def find(con: DuckDBPyConnection, query: Query, *, owner_id: str | None, offset: int = 0, limit: int = 10) -> Hits:
    """Return a page of the transcripts that the query means, of one owner or of all; nothing for an empty query."""
    if query.empty:
        return Hits(job_ids=(), total=0, more=False, words=())
    search = _Search(con, query, owner_id)
    order, total, more = search.page(offset, limit)
    return Hits(job_ids=search.job_ids(order), total=total, more=more, words=search.marked())


ALLOWED = """
SELECT doc, words FROM docs
WHERE ($owner_id IS NULL OR owner_id = $owner_id)
  AND ($since IS NULL OR created_at >= $since) AND ($until IS NULL OR created_at < $until)
  AND ($languages IS NULL OR list_contains($languages::VARCHAR[], language))
  AND ($without_languages IS NULL OR NOT list_contains($without_languages::VARCHAR[], language))
  AND ($names IS NULL OR list_bool_or(list_transform($names::VARCHAR[], lambda one: contains(name_folded, one))))
  AND ($without_names IS NULL OR NOT list_bool_or(
    list_transform($without_names::VARCHAR[], lambda one: contains(name_folded, one))))
  AND ($speakers IS NULL OR doc IN (SELECT doc FROM texts WHERE list_bool_or(
    list_transform($speakers::VARCHAR[], lambda one: contains(' ' || speaker || ' ', one)))))
ORDER BY doc
"""
TERM = "SELECT doc, tf FROM (FROM postings UNION ALL FROM fresh) WHERE term = $term"
PREFIX = """
SELECT doc, sum(tf)::INTEGER AS tf FROM (FROM postings UNION ALL FROM fresh)
WHERE term >= $low AND term < $high GROUP BY doc
"""
SAYS = """
SELECT DISTINCT doc FROM texts WHERE doc IN (SELECT unnest($docs::INTEGER[])) AND contains(said, $pattern)
  AND ($speakers IS NULL OR list_bool_or(
    list_transform($speakers::VARCHAR[], lambda one: contains(' ' || speaker || ' ', one))))
"""
NAMED = """
SELECT doc FROM docs
WHERE doc IN (SELECT unnest($docs::INTEGER[])) AND contains(' ' || name_folded || ' ', $pattern)
"""
JOBS = "SELECT doc, job_id FROM docs WHERE doc IN (SELECT unnest($docs::INTEGER[]))"


@dataclass(slots=True)
class _Search:
    """One query on one moment of the index."""

    con: DuckDBPyConnection
    query: Query
    owner_id: str | None
    speakers: list[str] | None = None
    docs: Ints = field(init=False)
    allowed: Mask = field(init=False)
    norms: NDArray[np.float32] = field(init=False)
    scores: NDArray[np.float32] = field(init=False)
    wanted: dict[Leaf, Wanted | None] = field(init=False)
    masks: dict[Leaf, Mask] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.speakers = self._folded(self.query.speakers, spaced=True)
        rows = self.con.execute(ALLOWED, self._filters()).fetchnumpy()
        self.docs = np.asarray(rows["doc"], dtype=np.int32)
        size = int(self.docs[-1]) + 1 if len(self.docs) else 0
        self.allowed = np.zeros(size, dtype=np.bool_)
        self.allowed[self.docs] = True
        words = np.asarray(rows["words"], dtype=np.float32)
        self.norms = np.ones(size, dtype=np.float32)
        self.norms[self.docs] = K1 * (1 - B + B * words / max(1.0, float(words.mean()) if len(words) else 1.0))
        self.scores = np.zeros(size, dtype=np.float32)
        leaves = list(dict.fromkeys(_leaves(self.query.node)))
        tokens = folded(self.con, [leaf.text for leaf in leaves])
        self.wanted = {
            leaf: Wanted(tokens=found, prefix=leaf.prefix) if found else None
            for leaf, found in zip(leaves, tokens, strict=True)
        }

    def page(self, offset: int, limit: int) -> tuple[list[int], int, bool]:
        """Return the documents of one page, how many there are, and whether there may be more than counted."""
        certain, possible = self._bounds(self.query.node)
        possible &= self.allowed
        found = np.flatnonzero(possible).astype(np.int32)
        order = found[np.lexsort((-found, -self.scores[found]))]
        if not (possible & ~certain).any():
            return [int(doc) for doc in order[offset : offset + limit]], len(order), False
        sure: list[int] = []
        at = 0
        while at < len(order) and len(sure) <= offset + limit:
            some = order[at : at + (NEXT_LOOK if at else FIRST_LOOK)]
            really = self._really(self.query.node, some)
            sure += [int(doc) for doc in some if really[doc]]
            at += len(some)
        return sure[offset : offset + limit], len(sure), at < len(order)

    def job_ids(self, docs: Sequence[int]) -> tuple[str, ...]:
        found = dict(self.con.execute(JOBS, {"docs": list(docs)}).fetchall()) if docs else {}
        return tuple(found[doc] for doc in docs)

    def marked(self) -> tuple[Wanted, ...]:
        """Return what a snippet shows: the leaves that are not denied."""
        return tuple(wanted for leaf in _leaves(self.query.node, denied=False) if (wanted := self.wanted.get(leaf)))

    def _filters(self) -> dict[str, Any]:
        query = self.query
        return {
            "owner_id": self.owner_id,
            "since": query.since,
            "until": query.until,
            "languages": [one.lower() for one in query.languages] or None,
            "without_languages": [one.lower() for one in query.without_languages] or None,
            "names": self._folded(query.names),
            "without_names": self._folded(query.without_names),
            "speakers": self.speakers,
        }

    def _folded(self, values: Iterable[str], *, spaced: bool = False) -> list[str] | None:
        found = [" ".join(one.token for one in tokens) for tokens in folded(self.con, list(values))]
        return [f" {one}" if spaced else one for one in found] or None

    def _bounds(self, node: Node | None, *, scored: bool = True) -> tuple[Mask, Mask]:
        """Return what the part finds for certain, and what it may find; score the documents on the way."""
        match node:
            case None:
                return self.allowed, self.allowed.copy()
            case Not(part):
                certain, possible = self._bounds(part, scored=False)
                return ~possible, ~certain
            case And(parts) | Or(parts):
                meet = np.logical_and if isinstance(node, And) else np.logical_or
                both = [self._bounds(part, scored=scored) for part in parts]
                return _met(meet, [one[0] for one in both]), _met(meet, [one[1] for one in both])
            case Leaf():
                return self._leaf(node, scored=scored)

    def _leaf(self, leaf: Leaf, *, scored: bool) -> tuple[Mask, Mask]:
        wanted = self.wanted[leaf]
        if wanted is None:  # nothing but punctuation: it holds everywhere
            return self.allowed, self.allowed.copy()
        mask = self.allowed.copy()
        for term, beginning in wanted.terms:
            mask &= self._term(term, beginning=beginning, scored=scored)
        simple = len(wanted.terms) == 1 and len(wanted.tokens) == 1 and self.speakers is None
        return (mask if simple else np.zeros_like(mask)), mask

    def _term(self, term: str, *, beginning: bool, scored: bool) -> Mask:
        """Return where a term stands, and count it into the scores."""
        if beginning:
            rows = self.con.execute(PREFIX, {"low": term, "high": term + LAST_CHAR}).fetchnumpy()
        else:
            rows = self.con.execute(TERM, {"term": term}).fetchnumpy()
        docs, tf = np.asarray(rows["doc"], dtype=np.int32), np.asarray(rows["tf"], dtype=np.float32)
        here = docs < len(self.allowed)
        docs, tf = docs[here], tf[here]
        here = self.allowed[docs]
        docs, tf = docs[here], tf[here]
        mask = np.zeros_like(self.allowed)
        mask[docs] = True
        if scored and len(docs):
            rarity = np.log1p((len(self.docs) - len(docs) + 0.5) / (len(docs) + 0.5))
            np.add.at(self.scores, docs, np.float32(rarity) * tf * (K1 + 1) / (tf + self.norms[docs]))
        return mask

    def _really(self, node: Node | None, some: Ints) -> Mask:
        """Return which of some documents the part finds, having looked at what they say."""
        match node:
            case None:
                return self.allowed
            case Not(part):
                return ~self._really(part, some)
            case And(parts) | Or(parts):
                meet = np.logical_and if isinstance(node, And) else np.logical_or
                return _met(meet, [self._really(part, some) for part in parts])
            case Leaf():
                wanted = self.wanted[node]
                return self.allowed if wanted is None else self._says(wanted, some)

    def _says(self, wanted: Wanted, some: Ints) -> Mask:
        asked = {"docs": some.tolist(), "pattern": wanted.pattern}
        rows = self.con.execute(SAYS, asked | {"speakers": self.speakers}).fetchnumpy()
        mask = np.zeros_like(self.allowed)
        mask[rows["doc"]] = True
        if self.speakers is None:
            mask[self.con.execute(NAMED, asked).fetchnumpy()["doc"]] = True
        return mask


def _met(meet: "Callable[[Mask, Mask], Mask]", masks: list[Mask]) -> Mask:
    first, *rest = masks
    for mask in rest:
        first = meet(first, mask)
    return first


def _leaves(node: Node | None, *, denied: bool = True) -> Iterable[Leaf]:
    """Yield the leaves of a query, with or without those that must not be there."""
    match node:
        case Leaf():
            yield node
        case Not(part):
            if denied:
                yield from _leaves(part, denied=denied)
        case And(parts) | Or(parts):
            for part in parts:
                yield from _leaves(part, denied=denied)
