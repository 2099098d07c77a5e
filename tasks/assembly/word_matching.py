"""Match the words of two long texts in order, with rare runs as anchors."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

ANCHOR_WORDS = 3
MOST_PAIRS = 4_000_000
"""Of words that are compared between two anchors; texts that differ over more have nothing in common there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A run of words that both texts have, and where it begins in each."""

    old: int
    new: int
    size: int


def matches(old: Sequence[str], new: Sequence[str]) -> list[Match]:
    """Return the runs that both texts have, in order and without overlap."""
    found: list[Match] = []
    for match in _between_anchors(old, new):
        last = found[-1] if found else None
        if last and (last.old + last.size, last.new + last.size) == (match.old, match.new):
            found[-1] = Match(old=last.old, new=last.new, size=last.size + match.size)
        else:
            found.append(match)
    return found


def _between_anchors(old: Sequence[str], new: Sequence[str]) -> Iterator[Match]:
    ends = [(0, 0), *_anchors(old, new), (len(old), len(new))]
    for (old_start, new_start), (old_end, new_end) in pairwise(ends):
        if (old_end - old_start) * (new_end - new_start) > MOST_PAIRS:
            continue
        matcher = SequenceMatcher(None, old[old_start:old_end], new[new_start:new_end], autojunk=False)
        for block in matcher.get_matching_blocks():
            if block.size:
                yield Match(old=old_start + block.a, new=new_start + block.b, size=block.size)


def _anchors(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Return where runs of words begin that each text has once, in order."""
    places = _once(old), _once(new)
    pairs = sorted((at, places[1][run]) for run, at in places[0].items() if run in places[1])
    return _longest_rising(pairs)


def _once(words: Sequence[str]) -> dict[tuple[str, ...], int]:
    runs = [tuple(words[at : at + ANCHOR_WORDS]) for at in range(len(words) - ANCHOR_WORDS + 1)]
    counted = Counter(runs)
    return {run: at for at, run in enumerate(runs) if counted[run] == 1}


def _longest_rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest part of the pairs whose second numbers rise (patience sorting)."""
    tops: list[int] = []  # the lowest last second number of a rising part, by its length
    holders: list[int] = []  # the pair that has it
    before: list[int] = []
    for index, (_, second) in enumerate(pairs):
        length = bisect_left(tops, second)
        before.append(holders[length - 1] if length else -1)
        tops[length : length + 1] = [second]
        holders[length : length + 1] = [index]
    chain, at = [], holders[-1] if holders else -1
    while at >= 0:
        chain.append(pairs[at])
        at = before[at]
    return chain[::-1]
