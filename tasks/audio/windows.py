"""Divide a span's speech into windows: utterances, as long as what is said.

A window costs its own length, not 30 s: a second of a 10 s window costs less than half as much to encode as one of a 20
s window, so continuous speech is divided at pauses into windows of about ten seconds. A speaker after a second of
silence gets a window of their own, because the model may not hear a quiet voice next to a loud one.
docs/decisions/0008-utterance-windows.md describes what was tried.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil

import numpy as np

from storage.domain.records import Stretch
from tasks.audio.decode import SAMPLE_RATE_HZ, Ints, Samples

WINDOW_S = 30.0
PAD_S = 0.4  # audio kept around speech; the detector is sometimes late by a syllable
LATE_S = 0.5  # how far around a short silence to search, since the detector reports it late
QUIET_FRAME_S = 0.05
SHORTEST_SPLIT_S = 1.0
APART_S = 1.0  # speech on both sides of a longer silence shares a window only if one side is very short
LONGEST_S = 28.0  # of the 30 s that a model takes at once; the rest is silence after the speech
SHORT_S = 3.0  # a shorter window says little about its language, and its last word may be all of it

# Costs, in units of one window: the window itself, its length (attention costs the square), too little content, a cut
# in continuous speech, and joining across silence.
PART_COST = 2.0  # a cut without a pause; no cost where the silence is APART_S
LENGTH_COST = 0.012  # per square second; with the two above, windows of about ten seconds are cheapest
SHORT_COST = 2.0
JOIN_COST = 2.0  # per second of silence beyond APART_S inside a window

Quietest = Callable[[float, float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Pieces of a span that are decoded together, in seconds from the span's start."""

    pieces: tuple[Stretch, ...]

    @property
    def length_s(self) -> float:
        return sum(piece.end_s - piece.start_s for piece in self.pieces)

    @property
    def start_s(self) -> float:
        return self.pieces[0].start_s

    @property
    def end_s(self) -> float:
        return self.pieces[-1].end_s

    def samples(self, pcm: Samples) -> Samples:
        """Return the pieces' samples, concatenated."""
        cut = [pcm[_sample(piece.start_s) : _sample(piece.end_s)] for piece in self.pieces]
        return cut[0] if len(cut) == 1 else np.concatenate(cut)

    def piece_at(self, window_s: float) -> int:
        """Return the index of the piece that a moment of the window lies in."""
        return min(bisect_right(self._begins(), window_s) - 1, len(self.pieces) - 1)

    def to_span_s(self, window_s: float, piece: int) -> float:
        """Return a moment of the window in seconds from the span's start, inside a piece."""
        found = self.pieces[piece]
        return min(max(found.start_s + window_s - self._begins()[piece], found.start_s), found.end_s)

    def _begins(self) -> list[float]:
        begins = [0.0]
        for piece in self.pieces[:-1]:
            begins.append(begins[-1] + piece.end_s - piece.start_s)
        return begins


def pack(
    speech: Sequence[Stretch], *, duration_s: float, quietest: Quietest, window_s: float = WINDOW_S
) -> list[Window]:
    """Return windows that cover every stretch once, in order.

    A stretch longer than a window is split where it is quietest.
    """
    longest_s = min(window_s, LONGEST_S)
    pieces: list[Stretch] = []
    silences_s: list[float] = []  # before each piece
    for index, piece in enumerate(padded(speech, duration_s, quietest)):
        silence_s = speech[index].start_s - speech[index - 1].end_s if index else 0.0
        parts = split(piece, quietest, longest_s)
        pieces += parts
        silences_s += [silence_s] + [0.0] * (len(parts) - 1)
    bounds = window_bounds([piece.end_s - piece.start_s for piece in pieces], silences_s, longest_s)
    return [Window(pieces=tuple(_joined(pieces[start:end]))) for start, end in pairwise(bounds)]


def window_bounds(lengths_s: Sequence[float], silences_s: Sequence[float], longest_s: float) -> list[int]:
    """Return the cheapest window bounds: each window's first piece, then the number of pieces."""
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(lengths_s) + 1):
        cheapest, length_s, join_cost = (float("inf"), end - 1), 0.0, 0.0
        for start in range(end - 1, -1, -1):
            length_s += lengths_s[start]
            if length_s > longest_s and start < end - 1:
                break
            cut_cost = PART_COST * max(0.0, 1 - silences_s[start] / APART_S) if start else 0.0
            cost = best[start][0] + 1 + cut_cost + join_cost + window_cost(length_s)
            cheapest = min(cheapest, (cost, start))
            join_cost += JOIN_COST * max(0.0, silences_s[start] - APART_S)
        best.append(cheapest)
    bounds = [len(lengths_s)]
    while bounds[-1]:
        bounds.append(best[bounds[-1]][1])
    return bounds[::-1]


def window_cost(length_s: float) -> float:
    """Return the cost of a window's length, in units of one window."""
    return LENGTH_COST * length_s**2 + SHORT_COST * max(0.0, 1 - length_s / SHORT_S)


def narrower(window: Window, length_s: float, quietest: Quietest) -> list[Window]:
    """Return the window as windows of at most `length_s`, split at its widest silences."""
    if window.length_s <= length_s:
        return [window]
    if len(window.pieces) == 1:
        (piece,) = window.pieces
        middle_s, reach_s = (piece.start_s + piece.end_s) / 2, window.length_s / 6
        at_s = on_grid(quietest(middle_s - reach_s, middle_s + reach_s))
        left, right = [Stretch(start_s=piece.start_s, end_s=at_s)], [Stretch(start_s=at_s, end_s=piece.end_s)]
    else:
        at = _widest_gap(window)
        left, right = list(window.pieces[:at]), list(window.pieces[at:])
    return [
        part
        for half in (Window(pieces=tuple(left)), Window(pieces=tuple(right)))
        for part in narrower(half, length_s, quietest)
    ]


def behind(window: Window, at_s: float) -> Window | None:
    """Return the window after a moment; None if all or nearly nothing is left."""
    at_s = on_grid(at_s)
    pieces = [replace(piece, start_s=max(piece.start_s, at_s)) for piece in window.pieces if piece.end_s > at_s]
    part = Window(pieces=tuple(pieces))
    return part if SHORTEST_SPLIT_S <= part.length_s <= window.length_s - SHORTEST_SPLIT_S else None


def _widest_gap(window: Window) -> int:
    """Return the index of the piece to split before: wide silence, near the middle."""

    def score(at: int) -> float:
        silence_s = window.pieces[at].start_s - window.pieces[at - 1].end_s
        left_s = sum(piece.end_s - piece.start_s for piece in window.pieces[:at])
        return min(silence_s, 1.0) - 2 * abs(left_s / window.length_s - 0.5)

    return max(range(1, len(window.pieces)), key=score)


def padded(speech: Sequence[Stretch], duration_s: float, quietest: Quietest) -> list[Stretch]:
    """Return the stretches with audio kept around them, divided at the quietest moment between.

    The detector reports a short silence up to half a second late, so its middle may lie inside a word.
    """
    if not speech:
        return []
    starts_s, ends_s = [max(0.0, speech[0].start_s - PAD_S)], []
    for before, after in pairwise(speech):
        end_s, start_s = before.end_s + PAD_S, after.start_s - PAD_S
        if end_s > start_s:
            from_s = max(before.end_s - LATE_S, (before.start_s + before.end_s) / 2)
            to_s = min(after.start_s + LATE_S, (after.start_s + after.end_s) / 2)
            end_s = start_s = quietest(from_s, to_s)
        ends_s.append(end_s)
        starts_s.append(start_s)
    ends_s.append(min(duration_s, speech[-1].end_s + PAD_S))
    return [
        Stretch(start_s=on_grid(start_s), end_s=on_grid(end_s)) for start_s, end_s in zip(starts_s, ends_s, strict=True)
    ]


def split(piece: Stretch, quietest: Quietest, window_s: float) -> list[Stretch]:
    """Return the piece as parts that fit a window."""
    parts: list[Stretch] = []
    start_s = piece.start_s
    while piece.end_s - start_s > window_s:
        rest_s = piece.end_s - start_s
        aim_s = rest_s / ceil(rest_s / window_s)
        at_s = on_grid(quietest(start_s + max(SHORTEST_SPLIT_S, aim_s * 0.7), start_s + min(window_s, aim_s * 1.3)))
        parts.append(Stretch(start_s=start_s, end_s=at_s))
        start_s = at_s
    return [*parts, Stretch(start_s=start_s, end_s=piece.end_s)]


def quietest_in(pcm: Samples) -> Quietest:
    """Return a function that finds the quietest moment of `pcm` between two moments."""

    def find(start_s: float, end_s: float) -> float:
        return start_s + quietest_of(pcm[_sample(start_s) : _sample(end_s)])

    return find


def quietest_of(samples: Samples | Ints) -> float:
    """Return the middle of the quietest 50 ms, in seconds from the first sample."""
    frame = int(QUIET_FRAME_S * SAMPLE_RATE_HZ)
    whole = samples if samples.dtype.kind == "i" else np.rint(samples * 32768.0)
    frames = (
        whole[: len(samples) // frame * frame].reshape(-1, frame).astype(np.int64)
    )  # integers, so that every processor agrees
    return (int(np.argmin(np.square(frames).sum(axis=1))) + 0.5) * QUIET_FRAME_S


def _joined(pieces: Sequence[Stretch]) -> list[Stretch]:
    """Join pieces that touch."""
    joined: list[Stretch] = []
    for piece in pieces:
        if joined and piece.start_s <= joined[-1].end_s:
            joined[-1] = Stretch(start_s=joined[-1].start_s, end_s=piece.end_s)
        else:
            joined.append(piece)
    return joined


def on_grid(moment_s: float) -> float:
    """Round down to a hundredth of a second: whole samples and whole feature frames."""
    return int(moment_s * 100 + 1e-6) / 100


def _sample(moment_s: float) -> int:
    return round(moment_s * SAMPLE_RATE_HZ)
