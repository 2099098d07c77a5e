"""Score transcripts: word errors, lost sentences, languages and word times."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.speech_kinds import SpeechRecording, Utterance
from benchmarks.speech_material import words_in

LOST_SHARE = 1 / 3
"""A sentence of whose words less than this were heard is lost."""

Timed = tuple[str, float, float]  # a word, where it begins, where it ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """Words said beside words heard: the errors, and which (said, heard) are the same word, by number."""

    errors: int
    same: tuple[tuple[int, int], ...]


def aligned(said: Sequence[str], heard: Sequence[str]) -> Alignment:
    """Return the alignment with the fewest substitutions, insertions and deletions."""
    codes = {word: number for number, word in enumerate({*said, *heard})}
    heard_codes = np.array([codes[word] for word in heard], dtype=np.int32)
    steps = np.arange(len(heard) + 1)
    row = steps.copy()
    ways = np.zeros((len(said) + 1, len(heard) + 1), dtype=np.uint8)  # 0 both go on, 1 said alone, 2 heard alone
    ways[0, 1:] = 2
    for count, word in enumerate(said, 1):
        both = row[:-1] + (heard_codes != codes[word])
        best = np.empty_like(row)
        best[0] = count
        best[1:] = np.minimum(both, row[1:] + 1)
        best = np.minimum.accumulate(best - steps) + steps
        ways[count, 1:] = np.where(best[1:] == both, 0, np.where(best[1:] == row[1:] + 1, 1, 2))
        ways[count, 0] = 1
        row = best
    return Alignment(errors=int(row[-1]), same=tuple(_same(ways, said, heard)))


def _same(ways: NDArray[np.uint8], said: Sequence[str], heard: Sequence[str]) -> list[tuple[int, int]]:
    """Go back along the way of fewest errors and return the words that are the same."""
    found: list[tuple[int, int]] = []
    left, right = len(said), len(heard)
    while left or right:
        way = ways[left, right]
        left -= way != 2
        right -= way != 1
        if way == 0 and said[left] == heard[right]:
            found.append((int(left), int(right)))
    return found[::-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How well one recording was heard; times in seconds, of the words that were heard as said."""

    words: int
    errors: int
    heard_words: int
    sentences: int
    sentences_lost: tuple[str, ...]
    languages_right: int
    median_s: float | None
    late_s: float | None
    times: int

    @property
    def percent(self) -> float:
        return 100 * self.errors / max(1, self.words)


def score(
    recording: SpeechRecording,
    *,
    text: str,
    words: Sequence[Timed],
    segments: Sequence[tuple[float, float, str, str]],
    reference: dict[str, list[Timed]],
) -> Score:
    """Return how a recording was heard; `reference` has the words of each clip with their times there."""
    said = [words_in(each.text) for each in recording.said]
    every = [word for sentence in said for word in sentence]
    heard = words_in(text)
    found = aligned(every, heard)
    counts = _counted(found, said)
    lost = [
        one.text for one, count, of in zip(recording.said, counts, said, strict=True) if count < LOST_SHARE * len(of)
    ]
    right = sum(language_over(each, segments) == each.language for each in recording.said)
    errors_s = sorted(_time_errors(recording, words, reference))
    return Score(
        words=len(every),
        errors=found.errors,
        heard_words=len(heard),
        sentences=len(said),
        sentences_lost=tuple(lost),
        languages_right=right,
        median_s=statistics.median(errors_s) if errors_s else None,
        late_s=errors_s[int(0.95 * (len(errors_s) - 1))] if errors_s else None,
        times=len(errors_s),
    )


def _counted(found: Alignment, said: Sequence[Sequence[str]]) -> list[int]:
    """Return how many words of each sentence were heard."""
    sentence_of = [number for number, sentence in enumerate(said) for _ in sentence]
    counts = [0] * len(said)
    for at, _ in found.same:
        counts[sentence_of[at]] += 1
    return counts


def language_over(utterance: Utterance, segments: Sequence[tuple[float, float, str, str]]) -> str:
    """Return the language of most of the text over an utterance, by time; nothing where there is no text."""
    shares: dict[str, float] = {}
    for start_s, end_s, language, text in segments:
        over_s = min(end_s, utterance.end_s) - max(start_s, utterance.start_s)
        if over_s > 0 and text.strip():
            shares[language] = shares.get(language, 0.0) + over_s
    return max(shares, key=lambda language: shares[language]) if shares else ""


def _time_errors(recording: SpeechRecording, words: Sequence[Timed], reference: dict[str, list[Timed]]) -> list[float]:
    """Return how far off the starts of words are that were heard as said."""
    known = [
        (part, each.start_s + (start_s - each.clip_from_s) / each.pace)
        for each in recording.said
        for text, start_s, _ in reference.get(each.clip, [])
        for part in words_in(text)
    ]
    placed = [(part, start_s) for text, start_s, _ in words for part in words_in(text)]
    if not known or not placed:
        return []
    found = aligned([word for word, _ in known], [word for word, _ in placed])
    return [abs(placed[right][1] - known[left][1]) for left, right in found.same]
