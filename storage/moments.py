"""The moments of found transcripts that answer a query, with the places in their text to mark."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from duckdb import DuckDBPyConnection

from storage.search import Wanted

A_JOB = 3
MAX_CHARS = 240

FITTING = r"""
WITH said AS (
    SELECT job_id, idx, start_s, speaker, text,
        ' ' || regexp_replace(
            replace(replace(replace(translate(lower(strip_accents(text)), 'øłđı', 'oldi'), 'ß', 'ss'), 'æ', 'ae'),
            'œ', 'oe'), '[\p{M}\p{P}\p{S}\p{Z}\p{C}]+', ' ', 'g') || ' ' AS flat,
        ' ' || lower(strip_accents(coalesce(speaker, ''))) || ' ' AS voice
    FROM segments WHERE job_id IN (SELECT unnest($ids::VARCHAR[]))
), fitting AS (
    SELECT job_id, idx, start_s, speaker, text,
        list_sum(list_transform($patterns::VARCHAR[], lambda one: contains(flat, one)::INTEGER)) AS hits
    FROM said
    WHERE $speakers IS NULL OR list_bool_or(list_transform($speakers::VARCHAR[], lambda one: contains(voice, one)))
)
SELECT job_id, start_s, speaker, text, count(*) OVER (PARTITION BY job_id) FROM fitting WHERE hits > 0
QUALIFY row_number() OVER (PARTITION BY job_id ORDER BY hits DESC, idx) <= $a_job
ORDER BY job_id, start_s
"""
BEGINNINGS = """
SELECT job_id, start_s, speaker, text, 0 FROM segments WHERE job_id IN (SELECT unnest($ids::VARCHAR[]))
QUALIFY row_number() OVER (PARTITION BY job_id ORDER BY idx) = 1
"""
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
    found: dict[str, Moments] = {}
    singly = [Wanted(tokens=(token,), prefix=False) for one in words for token in one.tokens]
    voices = [f" {' '.join(_plain(one).split())}" for one in speakers] or None
    for wanted in (words, singly):  # a phrase may go on from one segment to the next: its words are shown then
        left = [job_id for job_id in job_ids if job_id not in found]
        if left and wanted:
            asked = {"ids": left, "patterns": [one.pattern for one in wanted], "speakers": voices, "a_job": A_JOB}
            found |= _collected(con.execute(FITTING, asked).fetchall(), wanted)
    left = [job_id for job_id in job_ids if job_id not in found]
    beginnings = _collected(con.execute(BEGINNINGS, {"ids": left}).fetchall(), ()) if left else {}
    return dict.fromkeys(job_ids, Moments()) | found | beginnings


def _collected(rows: Iterable[tuple[Any, ...]], wanted: Sequence[Wanted]) -> dict[str, Moments]:
    found: dict[str, Moments] = {}
    for job_id, start_s, speaker, text, total in rows:
        there = found.get(job_id, Moments())
        moment = _cut(Moment(start_s=start_s, speaker=speaker, text=text.strip(), marks=marks(text.strip(), wanted)))
        found[job_id] = Moments(shown=(*there.shown, moment), total=total)
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
