"""Finding transcripts: which ones a query means, best first (Okapi BM25), and the moments in them to show.

Which documents contain a word comes from the index as arrays; AND, OR and NOT are operations on masks of them. A phrase
is where the places of its words follow each other, and who says it is whose turn the place is in: no text is read. A
phrase counts as often as it stands there itself, however often its words do.
See Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009.
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from storage.search_query import And, Leaf, Node, Not, Or, Query
from storage.search_words import PLACE_BITS, Token, folded

if TYPE_CHECKING:
    from collections.abc import Callable

K1, B = 1.2, 0.75
LAST_CHAR = "\U0010ffff"

Mask = NDArray[np.bool_]
Keys = NDArray[np.int64]
Step = tuple[str, bool, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """One page of what was found: job ids, best first; `total` counts all pages."""

    job_ids: tuple[str, ...]
    total: int
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
    def steps(self) -> tuple[Step, ...]:
        """The index's terms that have to be there: each with whether it is only a beginning, and at which places."""
        found: dict[tuple[str, bool], list[int]] = {}
        at = 0
        for place, one in enumerate(self.tokens):
            last = place == len(self.tokens) - 1
            if one.unspaced and len(one.token) > 1:
                for nth, pair in enumerate(pairwise(one.token)):
                    found.setdefault(("".join(pair), False), []).append(at + nth)
            else:
                found.setdefault((one.token[:64], one.unspaced or (last and self.prefix)), []).append(at)
            at += len(one.token) + 1 if one.unspaced else 1
        return tuple((term, beginning, tuple(places)) for (term, beginning), places in found.items())


def find(con: DuckDBPyConnection, query: Query, *, owner_id: str | None, offset: int = 0, limit: int = 10) -> Hits:
    """Return a page of the transcripts that the query means, of one owner or of all; nothing for an empty query."""
    if query.empty:
        return Hits(job_ids=(), total=0, words=())
    search = _Search(con, query, owner_id)
    order = search.order()
    return Hits(job_ids=search.job_ids(order[offset : offset + limit]), total=len(order), words=search.marked())


ALLOWED = """
SELECT doc, words FROM docs
WHERE ($owner_id IS NULL OR owner_id = $owner_id)
  AND ($since IS NULL OR created_at >= $since) AND ($until IS NULL OR created_at < $until)
  AND ($languages IS NULL OR list_contains($languages::VARCHAR[], language))
  AND ($without_languages IS NULL OR NOT list_contains($without_languages::VARCHAR[], language))
  AND ($names IS NULL OR list_bool_or(list_transform($names::VARCHAR[], lambda one: contains(name_folded, one))))
  AND ($without_names IS NULL OR NOT list_bool_or(
    list_transform($without_names::VARCHAR[], lambda one: contains(name_folded, one))))
ORDER BY doc
"""
TURNS = """
SELECT low, high FROM turns WHERE speaker IN (
    SELECT speaker FROM (SELECT DISTINCT speaker FROM turns)
    WHERE list_bool_or(list_transform($speakers::VARCHAR[], lambda one: contains(' ' || speaker || ' ', one))))
"""
COUNTS = """
SELECT (key >> 24)::INTEGER AS doc, count(*)::INTEGER AS tf FROM (FROM places UNION ALL FROM fresh)
WHERE term >= $low AND term < $high GROUP BY 1
"""
COUNTS_OF_ONE = """
SELECT (key >> 24)::INTEGER AS doc, count(*)::INTEGER AS tf FROM (FROM places UNION ALL FROM fresh)
WHERE term = $term GROUP BY 1
"""
KEYS = "SELECT key FROM (FROM places UNION ALL FROM fresh) WHERE term >= $low AND term < $high"
KEYS_OF_ONE = "SELECT key FROM (FROM places UNION ALL FROM fresh) WHERE term = $term"
KEYS_AMONG = """
SELECT key FROM (FROM places UNION ALL FROM fresh) WHERE term = $term AND key IN (SELECT key FROM sought)
"""
KEYS_OF_PAIR = "SELECT key FROM pairs WHERE term = $term"
COMMON = "SELECT term FROM common"
ALL_DOCS = "SELECT count(*) FROM docs"
JOBS = "SELECT doc, job_id FROM docs WHERE doc IN (SELECT unnest($docs::INTEGER[]))"


@dataclass(slots=True)
class _Search:
    """One query on one moment of the index."""

    con: DuckDBPyConnection
    query: Query
    owner_id: str | None
    docs: Keys = field(init=False)
    allowed: Mask = field(init=False)
    narrowed: bool = field(init=False)  # whether so few documents are allowed that leaving the others out saves time
    norms: NDArray[np.float32] = field(init=False)
    scores: NDArray[np.float32] = field(init=False)
    wanted: dict[Leaf, Wanted | None] = field(init=False)
    turns: tuple[Keys, Keys] | None = field(init=False)

    def __post_init__(self) -> None:
        rows = self.con.execute(ALLOWED, self._filters()).fetchnumpy()
        self.docs = np.asarray(rows["doc"], dtype=np.int64)
        size = int(self.docs[-1]) + 1 if len(self.docs) else 0
        self.allowed = np.zeros(size, dtype=np.bool_)
        self.allowed[self.docs] = True
        words = np.asarray(rows["words"], dtype=np.float32)
        self.norms = np.ones(size, dtype=np.float32)
        self.norms[self.docs] = K1 * (1 - B + B * words / max(1.0, float(words.mean()) if len(words) else 1.0))
        self.scores = np.zeros(size, dtype=np.float32)
        self.turns = self._turns()
        ((all_docs,),) = self.con.execute(ALL_DOCS).fetchall()
        self.narrowed = 2 * np.count_nonzero(self.allowed) < all_docs
        leaves = list(dict.fromkeys(_leaves(self.query.node)))
        tokens = folded(self.con, [leaf.text for leaf in leaves])
        self.wanted = {
            leaf: Wanted(tokens=found, prefix=leaf.prefix) if found else None
            for leaf, found in zip(leaves, tokens, strict=True)
        }

    def order(self) -> list[int]:
        """Return the documents that the query means, best first."""
        found = np.flatnonzero(self._mask(self.query.node) & self.allowed)
        return [int(doc) for doc in found[np.lexsort((-found, -self.scores[found]))]]

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
        }

    def _folded(self, values: Iterable[str], *, spaced: bool = False) -> list[str] | None:
        found = [" ".join(one.token for one in tokens) for tokens in folded(self.con, list(values))]
        return [f" {one}" if spaced else one for one in found] or None

    def _turns(self) -> tuple[Keys, Keys] | None:
        """Return from which key to before which the wanted speakers speak; documents without them are left out."""
        speakers = self._folded(self.query.speakers, spaced=True)
        if speakers is None:
            return None
        rows = self.con.execute(TURNS, {"speakers": speakers}).fetchnumpy()
        order = np.argsort(rows["low"], kind="stable")
        low, high = rows["low"][order], rows["high"][order]
        self.allowed &= self._docs_of(low)
        return low, high

    def _mask(self, node: Node | None, *, scored: bool = True) -> Mask:
        """Return which documents the part finds; score them on the way."""
        match node:
            case None:
                return self.allowed
            case Not(part):
                return ~self._mask(part, scored=False)
            case And(parts) | Or(parts):
                meet = np.logical_and if isinstance(node, And) else np.logical_or
                return _met(meet, [self._mask(part, scored=scored) for part in parts])
            case Leaf():
                wanted = self.wanted[node]
                if wanted is None:  # nothing but punctuation: it holds everywhere
                    return self.allowed
                if len(wanted.steps) == 1 and self.turns is None and wanted.steps[0][2] == (0,):
                    return self._anywhere(wanted, scored=scored)
                return self._in_order(wanted, scored=scored)

    def _anywhere(self, wanted: Wanted, *, scored: bool) -> Mask:
        """Return where a single term stands."""
        ((term, beginning, _),) = wanted.steps
        rows = self._rows(COUNTS if beginning else COUNTS_OF_ONE, term)
        here = rows["doc"] < len(self.allowed)
        tf = np.zeros(len(self.allowed), dtype=np.float32)
        tf[rows["doc"][here]] = rows["tf"][here]
        if scored:
            self._score(tf)
        return tf > 0

    def _in_order(self, wanted: Wanted, *, scored: bool) -> Mask:
        """Return where the terms stand one behind the other, and are said by somebody who was asked for."""
        common = {term for (term,) in self.con.execute(COMMON).fetchall()}
        found: Keys | None = None
        for statement, term, places in _reads(wanted.steps, common):
            if found is not None and term in common and len(places) == 1:
                found = self._among(found + places[0], term) - places[0]
            else:
                keys = self._keys(statement, term)
                for place in places:
                    found = keys - place if found is None else _in_both(found, keys - place)
            if found is None or not len(found):
                return np.zeros_like(self.allowed)
        if found is None:
            return self.allowed
        tf = self._counted(found)
        if scored:
            self._score(tf)
        return tf > 0

    def _counted(self, found: Keys) -> NDArray[np.float32]:
        """Return how often each document has what stands there and is said by somebody who was asked for."""
        size = len(self.allowed)
        if self.turns is None:
            return np.bincount(found >> PLACE_BITS, minlength=size)[:size].astype(np.float32)
        low, high = self.turns
        times = np.searchsorted(found, high) - np.searchsorted(found, low)
        return np.bincount(low >> PLACE_BITS, weights=times, minlength=size)[:size].astype(np.float32)

    def _keys(self, statement: str, term: str) -> Keys:
        """Return where a term stands, in order: in the documents that are allowed, and perhaps in others."""
        keys: Keys = self._rows(statement, term)["key"]
        if self.narrowed:
            known = keys < (len(self.allowed) << PLACE_BITS)
            known[known] = self.allowed[keys[known] >> PLACE_BITS]
            keys = keys[known]
        return np.sort(keys, kind="stable") if (keys[1:] < keys[:-1]).any() else keys

    def _among(self, keys: Keys, term: str) -> Keys:
        """Return at which of these a common word stands: DuckDB looks without handing millions of places over."""
        self.con.register("sought", {"key": keys})
        found: Keys = np.sort(self._rows(KEYS_AMONG, term)["key"])
        self.con.unregister("sought")
        return found

    def _rows(self, statement: str, term: str) -> dict[str, Any]:
        asked = {"term": term} if "$term" in statement else {"low": term, "high": term + LAST_CHAR}
        return self.con.execute(statement, asked).fetchnumpy()

    def _docs_of(self, keys: Keys) -> Mask:
        mask = np.zeros_like(self.allowed)
        docs = keys >> PLACE_BITS
        mask[docs[docs < len(mask)]] = True
        return mask

    def _score(self, tf: NDArray[np.float32]) -> None:
        """Count a term into the scores of the documents that are allowed."""
        here = np.flatnonzero((tf > 0) & self.allowed)
        rarity = np.log1p((len(self.docs) - len(here) + 0.5) / (len(here) + 0.5))
        self.scores[here] += np.float32(rarity) * tf[here] * (K1 + 1) / (tf[here] + self.norms[here])


def _reads(steps: Iterable[Step], common: Set[str]) -> list[tuple[str, str, tuple[int, ...]]]:
    """Return which statement to ask for which terms, with their places in the phrase; what is rare comes first.

    Common words that follow each other are asked for as pairs, which stand in far fewer places.
    """
    at = {place: term for term, beginning, places in steps for place in places if not beginning and term in common}
    pairs: dict[str, list[int]] = {}
    for place, term in at.items():
        if place + 1 in at:
            pairs.setdefault(f"{term} {at[place + 1]}", []).append(place)
    paired = {place + nth for places in pairs.values() for place in places for nth in (0, 1)}
    reads = [(KEYS_OF_PAIR, pair, tuple(places)) for pair, places in pairs.items()]
    for term, beginning, places in steps:
        if left := tuple(place for place in places if place not in paired):
            reads.append((KEYS if beginning else KEYS_OF_ONE, term, left))
    return sorted(reads, key=lambda read: (read[1] in common, -len(read[1])))  # long words are rare


def _in_both(some: Keys, others: Keys) -> Keys:
    """Return the keys that are in both; both are sorted, and no key is twice in one of them."""
    few, many = sorted((some, others), key=len)
    if len(few) * 16 < len(many):
        places = np.minimum(np.searchsorted(many, few), len(many) - 1)
        both: Keys = few[many[places] == few]
    else:
        merged = np.sort(np.concatenate((few, many)), kind="stable")  # it merges what is sorted already
        both = merged[1:][merged[1:] == merged[:-1]]
    return both


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
