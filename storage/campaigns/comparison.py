"""Compares two transcripts of one recording by their words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp

from rapidfuzz.distance import Levenshtein

from storage.domain.records import Segment, Transcript
from storage.transcripts.word_alignment import TOKEN, key_of, text_of_unit, units_of


def words_of(transcript: Transcript) -> list[str]:
    """Return the words without case and punctuation; scripts without spaces count by character."""
    return [key for token in TOKEN.findall(transcript.text) if any(map(str.isalnum, key := key_of(token)))]


def word_errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Return the number of words that are inserted, deleted or substituted."""
    return int(Levenshtein.distance(said, heard))


def confidence(segments: Sequence[Segment]) -> float | None:
    """Return the mean probability of the segments, by seconds; None without any."""
    told = [(one.end_s - one.start_s, exp(one.avg_logprob)) for one in segments]
    whole_s = sum(length_s for length_s, _ in told)
    return sum(length_s * each for length_s, each in told) / whole_s if whole_s > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How a new transcript differs from the current one.

    `said_words` and the errors of both are None unless a person corrected the current transcript.
    """

    old_words: int
    changed_words: int
    change: float
    old_confidence: float | None
    new_confidence: float | None
    said_words: int | None = None
    old_errors: int | None = None
    new_errors: int | None = None


def compare(
    current: Transcript, new: Transcript, *, corrected: bool = False, engines: Transcript | None = None
) -> Comparison:
    """Compare two transcripts by their words.

    If a person `corrected` the current one, it counts as what was said. `engines` is the one that was corrected, if it
    is known.
    """
    old_words, new_words = words_of(current), words_of(new)
    changed = word_errors(old_words, new_words)
    return Comparison(
        old_words=len(old_words),
        changed_words=changed,
        change=changed / max(1, len(old_words)),
        old_confidence=confidence((engines or current).segments),
        new_confidence=confidence(new.segments),
        said_words=len(old_words) if corrected else None,
        old_errors=word_errors(old_words, words_of(engines)) if corrected and engines else None,
        new_errors=changed if corrected else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WordChange:
    """Words that differ, from a moment on.

    One side is empty where words are new or gone.
    """

    start_s: float
    before: str
    after: str


def word_changes(before: Transcript, after: Transcript) -> list[WordChange]:
    """Return where the words differ, by time; case and punctuation do not count."""
    old, new = list(_timed(before)), list(_timed(after))
    found = []
    for was, now in _differing([key for *_, key in old], [key for *_, key in new]):
        start_s = (old[was] or new[now])[0][0]
        texts = ("".join(text for _, text, _ in words).strip() for words in (old[was], new[now]))
        found.append(WordChange(start_s=start_s, before=next(texts), after=next(texts)))
    return found


def _differing(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[slice, slice]]:
    """Yield the stretches that differ; substituted and inserted words beside each other are one."""
    was, now = slice(0, 0), slice(0, 0)
    for op in Levenshtein.opcodes(old, new):
        if op.tag == "equal":
            continue
        if (op.src_start, op.dest_start) == (was.stop, now.stop):
            was, now = slice(was.start, op.src_end), slice(now.start, op.dest_end)
            continue
        if was.start < was.stop or now.start < now.stop:
            yield was, now
        was, now = slice(op.src_start, op.src_end), slice(op.dest_start, op.dest_end)
    if was.start < was.stop or now.start < now.stop:
        yield was, now


def _timed(transcript: Transcript) -> Iterator[tuple[float, str, str]]:
    """Yield the words with their time and what they are compared by."""
    for segment in transcript.segments:
        timed = [(unit[0].start_s, text_of_unit(unit)) for unit in units_of(segment.words)]
        for start_s, text in timed or [(segment.start_s, token) for token in TOKEN.findall(f" {segment.text.strip()}")]:
            if any(map(str.isalnum, key := key_of(text))):
                yield start_s, text, key
