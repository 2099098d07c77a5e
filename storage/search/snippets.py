"""Snippets: the moments in matching transcripts, with the text to highlight."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import chain
from sqlite3 import Connection

from storage.search.documents import Shown, unpacked
from storage.search.folding import FOLDING, WORD, Phrase, pairs, unspaced, words
from storage.search.search_file import rows

A_JOB = 3
MAX_CHARS = 240

SAID = """
SELECT job_id, segments FROM docs JOIN said USING (doc) WHERE job_id IN (SELECT value FROM json_each($ids))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The text at `start_s`; `marks` are the ranges [from, to) of `text` to highlight."""

    start_s: float
    speaker: str | None
    text: str
    marks: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """The best moments of one transcript in order, and their total number."""

    shown: tuple[Moment, ...] = ()
    total: int = 0


def moments(
    con: Connection, job_ids: Sequence[str], phrases: Sequence[Phrase], *, speakers: Sequence[str] = ()
) -> dict[str, Moments]:
    """Return the moments of these jobs; without a match, the start of the recording."""
    said = dict(rows(con, SAID, {"ids": json.dumps(list(job_ids))}))
    asked = [f" {' '.join(words(one))}" for one in speakers]
    return {
        job_id: _moments(unpacked(said[job_id]), phrases, asked) if job_id in said else Moments() for job_id in job_ids
    }


def marks(text: str, phrases: Sequence[Phrase]) -> tuple[tuple[int, int], ...]:
    """Return the ranges of a text that these phrases cover, merged where they touch."""
    joined: list[tuple[int, int]] = []
    placed = list(_placed(text))
    for start, end in sorted(chain.from_iterable(_ranges(placed, one) for one in phrases)):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


def _moments(said: Sequence[Shown], phrases: Sequence[Phrase], speakers: Sequence[str]) -> Moments:
    singly = [Phrase(tokens=(token,)) for one in phrases for token in one.tokens]
    for wanted in (phrases, singly):  # a phrase may continue in the next segment: then its words are shown
        hits = {place: count for place, one in enumerate(said) if (count := _hits(one, wanted, speakers))}
        if hits:
            best = nsmallest(A_JOB, hits, key=lambda place: (-hits[place], place))
            return Moments(shown=tuple(_moment(said[place], wanted) for place in sorted(best)), total=len(hits))
    return Moments(shown=tuple(_moment(one, ()) for one in said[:1]))


def _hits(one: Shown, phrases: Sequence[Phrase], speakers: Sequence[str]) -> int:
    """Return how many of the phrases occur in a segment of one of these speakers."""
    tokens = f" {one.tokens} "
    count = sum(phrase.pattern in tokens for phrase in phrases)
    if count and speakers:
        who = f" {' '.join(words(one.speaker or ''))}"
        return count if any(speaker in who for speaker in speakers) else 0
    return count


def _moment(one: Shown, phrases: Sequence[Phrase]) -> Moment:
    text = one.text.strip()
    return _cut(Moment(start_s=one.start_s, speaker=one.speaker, text=text, marks=marks(text, phrases)))


def _placed(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the tokens of a text, each with its range [from, to)."""
    origin = [place for place, char in enumerate(text) for _ in FOLDING[ord(char)]]
    for match in WORD.finditer(text.translate(FOLDING)):
        place = match.start()
        if unspaced(match[0]):
            for nth, pair in enumerate(pairs(match[0])):
                yield pair, origin[place + nth], origin[place + nth + len(pair) - 1] + 1
        else:
            yield match[0], origin[place], origin[match.end() - 1] + 1


def _ranges(placed: Sequence[tuple[str, int, int]], phrase: Phrase) -> Iterator[tuple[int, int]]:
    """Yield the ranges of a phrase."""
    last = len(phrase.tokens) - 1
    for at in range(len(placed) - last):
        found = [token for token, _, _ in placed[at : at + last + 1]]
        if phrase.prefix and found[last].startswith(phrase.tokens[last]):
            found[last] = phrase.tokens[last]
        if tuple(found) == phrase.tokens:
            token, start, end = placed[at + last]
            of_a_pair = unspaced(token) and len(token) > len(phrase.tokens[last])
            yield placed[at][1], start + 1 if of_a_pair else end


def _cut(moment: Moment) -> Moment:
    """Shorten a long text to the surroundings of its first highlight."""
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
