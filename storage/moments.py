"""The moments of found transcripts that answer a query, with the places in their text to mark."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest

from duckdb import DuckDBPyConnection

from storage.search import Wanted

A_JOB = 3
MAX_CHARS = 240

DOCS = "SELECT job_id, doc FROM docs WHERE job_id IN (SELECT unnest($ids::VARCHAR[]))"
# Most segments hold none of the words: those are left out before the words are taken apart, which takes longer.
FITTING = """
WITH near AS MATERIALIZED (
    SELECT doc, idx, text FROM said
    WHERE doc IN (SELECT unnest($docs::INTEGER[]))
      AND list_bool_or(list_transform($words::VARCHAR[], lambda one: contains(flat(text), one)))
      AND ($speakers IS NULL OR list_bool_or(
        list_transform($speakers::VARCHAR[], lambda one: contains(' ' || flat(coalesce(speaker, '')) || ' ', one))))
), split AS MATERIALIZED (
    SELECT doc, idx, ' ' || array_to_string(words_of(text), ' ') || ' ' AS plain FROM near
), fitting AS MATERIALIZED (
    SELECT doc, idx, list_sum(list_transform($patterns::VARCHAR[], lambda one: contains(plain, one)::INTEGER)) AS hits
    FROM split
)
SELECT doc, idx, hits FROM fitting WHERE hits > 0
"""
SHOWN = """
SELECT doc, start_s, speaker, text FROM said
WHERE doc IN (SELECT unnest($docs::INTEGER[]))
  AND (doc, idx) IN (SELECT (unnest($docs::INTEGER[]), unnest($places::INTEGER[])))
ORDER BY doc, idx
"""
FIRST = "SELECT doc, min(idx) FROM said WHERE doc IN (SELECT unnest($docs::INTEGER[])) GROUP BY doc"
# Scripts without spaces between words, as the index's `is_unspaced` has them.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005\u3007\u3021-\u3029\u3041-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0002fa1f"
)
WORD = re.compile(rf"[{UNSPACED}]+|[^\W_{UNSPACED}]+")


LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ı": "i", "ß": "ss", "æ": "ae", "œ": "oe"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What was said at `start_s`; `marks` are the stretches [from, to) of `text` that answer the query."""

    start_s: float
    speaker: str | None
    text: str
    marks: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """The best moments of one transcript in order, and how many there are in all."""

    shown: tuple[Moment, ...] = ()
    total: int = 0


def moments(
    con: DuckDBPyConnection, job_ids: Sequence[str], words: Sequence[Wanted], *, speakers: Sequence[str] = ()
) -> dict[str, Moments]:
    """Return the moments of these jobs; where nothing in the text answers, how the recording begins."""
    docs = dict(con.execute(DOCS, {"ids": list(job_ids)}).fetchall())
    found: dict[int, Moments] = {}
    singly = [Wanted(tokens=(token,), prefix=False) for one in words for token in one.tokens]
    for wanted in (words, singly):  # a phrase may go on from one segment to the next: its words are shown then
        left = [doc for doc in docs.values() if doc not in found]
        if left and wanted:
            found |= _shown(con, _fitting(con, left, wanted, speakers), wanted)
    left = [doc for doc in docs.values() if doc not in found]
    if left:
        first = con.execute(FIRST, {"docs": left}).fetchall()
        found |= _shown(con, {doc: ([idx], 0) for doc, idx in first}, ())
    return {job_id: found.get(docs.get(job_id, -1), Moments()) for job_id in job_ids}


def _fitting(
    con: DuckDBPyConnection, docs: Sequence[int], wanted: Sequence[Wanted], speakers: Sequence[str]
) -> dict[int, tuple[list[int], int]]:
    """Return the best segments of each document, and how many fit in all."""
    asked = {
        "docs": docs,
        "words": [one.tokens[0].token for one in wanted],
        "patterns": [one.pattern for one in wanted],
        "speakers": [f" {' '.join(_plain(one).split())}" for one in speakers] or None,
    }
    fitting: dict[int, list[tuple[int, int]]] = {}
    for doc, idx, hits in con.execute(FITTING, asked).fetchall():
        fitting.setdefault(doc, []).append((-hits, idx))
    return {doc: ([idx for _, idx in nsmallest(A_JOB, some)], len(some)) for doc, some in fitting.items()}


def _shown(
    con: DuckDBPyConnection, best: Mapping[int, tuple[list[int], int]], wanted: Sequence[Wanted]
) -> dict[int, Moments]:
    """Return these segments of documents with their marks."""
    places = [(doc, idx) for doc, (some, _) in best.items() for idx in some]
    found = {doc: Moments(total=total) for doc, (_, total) in best.items()}
    asked = {"docs": [doc for doc, _ in places], "places": [idx for _, idx in places]}
    for doc, start_s, speaker, text in con.execute(SHOWN, asked).fetchall() if places else ():
        moment = _cut(Moment(start_s=start_s, speaker=speaker, text=text.strip(), marks=marks(text.strip(), wanted)))
        found[doc] = replace(found[doc], shown=(*found[doc].shown, moment))
    return found


def marks(text: str, wanted: Sequence[Wanted]) -> tuple[tuple[int, int], ...]:
    """Return the stretches of a text that these words cover, joined where they meet."""
    flat, origin = _flattened(text)
    stretches = []
    for one in wanted:
        pattern = one.pattern
        inner = len(pattern) - len(pattern.lstrip(" ")), len(pattern.rstrip(" "))
        place = flat.find(pattern)
        while place >= 0:
            last = place + inner[1] - 1
            while one.prefix and flat[last + 1 : last + 2].strip():
                last += 1
            stretches.append((origin[place + inner[0]], origin[last] + 1))
            place = flat.find(pattern, place + 1)
    joined: list[tuple[int, int]] = []
    for start, end in sorted(stretches):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


def _plain(text: str) -> str:
    """Return the text in lower case without accents, as the index folds it."""
    apart = unicodedata.normalize("NFD", text).lower()
    return "".join(char for char in apart if not unicodedata.category(char).startswith("M")).translate(LETTERS)


def _flattened(text: str) -> tuple[str, list[int]]:
    """Return the folded words with a space around each, and for each character its place in the text."""
    folded: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        for part in char.lower() if char.isascii() else _plain(char):
            folded.append(part)
            places.append(place)
    flat, origin = [" "], [0]
    for match in WORD.finditer("".join(folded)):
        flat += [*match[0], " "]
        origin += [*places[match.start() : match.end()], places[match.end() - 1]]
    return "".join(flat), origin


def _cut(moment: Moment) -> Moment:
    """Cut a long text down to the surroundings of its first mark."""
    if len(moment.text) <= MAX_CHARS:
        return moment
    first = moment.marks[0][0] if moment.marks else 0
    start = max(0, min(first - MAX_CHARS // 3, len(moment.text) - MAX_CHARS))
    start = moment.text.find(" ", start, start + 20) + 1 or start if start else 0
    end = min(len(moment.text), start + MAX_CHARS)
    before, after = "…" if start else "", "…" if end < len(moment.text) else ""
    moved = len(before) - start
    kept = tuple((a + moved, min(b, end) + moved) for a, b in moment.marks if a >= start and a < end)
    return Moment(
        start_s=moment.start_s,
        speaker=moment.speaker,
        text=f"{before}{moment.text[start:end]}{after}",
        marks=kept,
    )
