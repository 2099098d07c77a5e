"""Readings: the token sequences that a window should be transcribed to, with the frames that each token is about.

Token layout as in Whisper: earlier text, the start, then words with or without timestamps; a sentence cut off by the
window's end is announced by its start time alone.
"""

import random
from dataclasses import dataclass, field

from vocabulary import END, FIRST_TIMESTAMP, FRAMES, ID, NO_SPEECH, NO_TIMESTAMPS, START, token_of

SHORTEST_SPAN = 8
"""Alignment smooths attention over 7 frames, so a shorter span would vanish."""
Span = tuple[int, int, int]
"""Frames [start, end) that a token is about, and the first frame of the silence before them that is also its own."""
NOWHERE: Span = (0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A word in a window: as written, with its encoder frames [start, end); `final` closes its sentence."""

    written: str
    start: int
    end: int
    final: bool


@dataclass(slots=True)
class Reading:
    """A token sequence; for each token the frames it is about, and whether predicting it counts."""

    tokens: list[int] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    counted: list[bool] = field(default_factory=list)

    def add(self, token: int, span: Span = NOWHERE, *, counted: bool = True) -> None:
        """Append one token."""
        self.tokens.append(token)
        self.spans.append(span)
        self.counted.append(counted)


def tokens_of(written: str) -> list[int]:
    """The tokens of a word as written, its punctuation included."""
    word = written.rstrip(".,?")
    return [token_of(word)] + [ID[mark] for mark in written[len(word) :]]


def _opened(prompt: list[int]) -> Reading:
    reading = Reading()
    for token in prompt:
        reading.add(token, counted=False)
    reading.add(START, counted=False)
    return reading


def _add_word(reading: Reading, placed: list[Placed], index: int) -> None:
    word = placed[index]
    first, *marks = tokens_of(word.written)
    reading.add(first, _span(word.start, word.end, lead=0 if index == 0 else None))
    following = placed[index + 1].start if index + 1 < len(placed) else word.end + 40
    for mark in marks:
        reading.add(mark, _span(word.end, min(following, word.end + 150)))


def _span(start: int, end: int, *, lead: int | None = None, shortest: int = SHORTEST_SPAN) -> Span:
    missing = max(0, shortest - (end - start))
    start, end = max(0, start - missing // 2), end + (missing + 1) // 2
    return start, end, start if lead is None else lead


def plain_reading(placed: list[Placed], prompt: list[int]) -> Reading:
    """The reading without timestamps; nothing placed is read as no speech."""
    reading = _opened(prompt)
    reading.add(NO_TIMESTAMPS if placed else NO_SPEECH, counted=not placed)
    reading.tokens[-1] = NO_TIMESTAMPS
    for index in range(len(placed)):
        _add_word(reading, placed, index)
    reading.add(END, _after(placed))
    return reading


def _after(placed: list[Placed]) -> Span:
    return _span(placed[-1].end, placed[-1].end + 25) if placed else NOWHERE


def timed_reading(
    placed: list[Placed], prompt: list[int], offset: int, cut_start: int | None, rng: random.Random
) -> Reading:
    """The reading with timestamps: of `offset` frames before the window, and of a sentence cut off at `cut_start`."""
    reading = _opened(prompt)
    complete = [word for word in placed if cut_start is None or word.start < cut_start]
    opening = True
    for index, word in enumerate(complete):
        if opening:
            start = _first_start(word.start, offset, rng) if index == 0 else word.start
            reading.add(FIRST_TIMESTAMP + offset + start, _span(word.start, word.start, shortest=3))
        _add_word(reading, complete, index)
        opening = word.final
        if word.final or index == len(complete) - 1:
            end = min(word.end, FRAMES - offset)
            reading.add(FIRST_TIMESTAMP + offset + end, _span(word.end, word.end, shortest=3))
    if cut_start is not None:
        start = _first_start(cut_start, offset, rng) if not complete else cut_start
        reading.add(FIRST_TIMESTAMP + offset + start, _span(cut_start, cut_start, shortest=3))
    if not complete and cut_start is None:
        reading.add(FIRST_TIMESTAMP, NOWHERE)
    reading.add(END, _after(complete))
    return reading


def _first_start(start: int, offset: int, rng: random.Random) -> int:
    """Decoding allows at most 1.00 s for the first timestamp of a window, so training must have seen that."""
    if offset:
        return start
    start = min(start, 50)
    return rng.randint(0, start) if rng.random() < 0.1 else start
