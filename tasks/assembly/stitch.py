"""Stitch spans into one transcript on the recording's clock, with every word once.

Spans that were cut in silence are moved to their place. Where two spans overlap because nobody paused, both contain the
words at the seam: the transcript switches from one to the other at a word that both have.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf

from storage.domain.records import Plan, Segment, Span, SpanResult, Stretch, Word
from tasks.asr.confidence import longest_s_of
from tasks.asr.word_timing import SAME_WORD_S, bare

TURN_PAUSE_S = 0.5  # at a speaker's pause of this length, another speaker's words may come between
COMMON_S = 0.4  # how much more must be recognised to switch between words that only one side has
OFF_MIDDLE = 0.05  # how much more must be recognised per second that a switch lies off the middle of the overlap


def stitch(plan: Plan, results: Sequence[SpanResult]) -> tuple[Segment, ...]:
    """Return the recording's segments in order; `results` holds one result per span.

    Channels that were transcribed separately are stitched separately; then their segments take turns, each with its
    speaker.
    """
    channels = sorted({span.channel for span in plan.spans if span.channel is not None})
    if not channels:
        return stitched(plan, results)
    turns: list[Segment] = []
    for channel in channels:
        pairs = [(span, result) for span, result in zip(plan.spans, results, strict=False) if span.channel == channel]
        spans, channel_results = zip(*pairs, strict=True)
        turns += named_turns(stitched(replace(plan, spans=spans), channel_results), channel)
    return tuple(sorted(turns, key=lambda turn: turn.start_s))


def named_turns(segments: Sequence[Segment], channel: int) -> list[Segment]:
    """Return a channel's segments split at pauses, with the channel as their speaker."""
    return [replace(turn, speaker=speaker_of(channel)) for segment in segments for turn in turns_of(segment)]


def speaker_of(channel: int) -> str:
    """Return the speaker name of a channel."""
    return f"Channel {channel + 1}"


def turns_of(segment: Segment) -> list[Segment]:
    """Return the segment split at pauses, so that another speaker's words can go between."""
    words = segment.words
    ends = [at for at in range(1, len(words)) if words[at].start_s - words[at - 1].end_s >= TURN_PAUSE_S]
    parts = [words[start:end] for start, end in pairwise((0, *ends, len(words)))] if ends else []
    return [
        replace(
            segment,
            start_s=part[0].start_s,
            end_s=part[-1].end_s,
            text="".join(word.text for word in part).strip(),
            words=part,
        )
        for part in parts
    ] or [segment]


def stitched(plan: Plan, results: Sequence[SpanResult]) -> tuple[Segment, ...]:
    """Return the segments of one stream in order."""
    stitching = Stitching(duration_s=plan.duration_s)
    pairs = zip(plan.spans, results, (*plan.spans[1:], None), strict=False)
    return tuple(segment for span, result, after in pairs for segment in stitching.add(span, result, after))


class Stitching:
    """Stitches the spans of one stream one after the other, as their results arrive.

    `until_s` is how far the text is final: later text starts at or after it. (Infinity: nothing follows.)
    """

    def __init__(self, *, duration_s: float = inf) -> None:
        self._duration_s = duration_s
        self._last: Span | None = None
        self._open: list[Segment] = []  # segments that reach into the next span, which also contains them
        self._latest_s = 0.0  # end of the last final word
        self.until_s = 0.0

    def add(self, span: Span, result: SpanResult, after: Span | None) -> list[Segment]:
        """Add the next span's result, and return the segments that are now final.

        `after` is the span that follows it.
        """
        left, new_segments = self._open, [moved(segment, span.start_s) for segment in result.segments]
        if self._last is not None and self._last.end_s > span.start_s:
            left, new_segments = joined(left, new_segments, Stretch(start_s=span.start_s, end_s=self._last.end_s))
        segments = [*left, *new_segments]
        border_s = inf if after is None else after.start_s
        overlapped = border_s < span.end_s
        open_at = next((at for at, each in enumerate(segments) if overlapped and each.end_s > border_s), len(segments))
        self._last, self._open = span, segments[open_at:]
        self.until_s = min((segment.start_s for segment in self._open), default=border_s)
        settled = on_clock(segments[:open_at], self._duration_s, behind_s=self._latest_s)
        self._latest_s = settled[-1].end_s if settled else self._latest_s
        return settled


def moved(segment: Segment, offset_s: float) -> Segment:
    """Return the segment moved by `offset_s`."""
    return replace(
        segment,
        start_s=round(segment.start_s + offset_s, 3),
        end_s=round(segment.end_s + offset_s, 3),
        words=tuple(
            replace(word, start_s=round(word.start_s + offset_s, 3), end_s=round(word.end_s + offset_s, 3))
            for word in segment.words
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """Where the text switches sides: words kept on the left, first word on the right."""

    left: int
    right: int


def joined(left: Sequence[Segment], right: Sequence[Segment], overlap: Stretch) -> tuple[list[Segment], list[Segment]]:
    """Return both sides without their common words."""
    left_words = [word for segment in left for word in segment.words]
    right_words = [word for segment in right for word in segment.words]
    at = hand_over(left_words, right_words, overlap)
    return taken(left, 0, at.left), taken(right, at.right, len(right_words))


def hand_over(left: Sequence[Word], right: Sequence[Word], overlap: Stretch) -> HandOver:
    """Return where the text switches from the left side to the right.

    It is after a word that both sides have, or between words. The best place leaves most of the overlap recognised with
    confidence; of equal places, the one nearest its middle. A switch between words that only one side has must be
    clearly better, since the two sides may time the same word differently.
    """
    before = next((index for index, word in enumerate(left) if word.end_s > overlap.start_s), len(left))
    behind = next((index for index, word in enumerate(right) if word.start_s >= overlap.end_s), len(right))
    left, right = left[before:], right[:behind]  # a side may hold hours; only these words matter here
    middle_s = (overlap.start_s + overlap.end_s) / 2
    times_s = [centre(word) for word in (*left, *right) if overlap.start_s < centre(word) < overlap.end_s]
    between_words = {_apart(left, right, at_s): at_s for at_s in (overlap.start_s, middle_s, *times_s, overlap.end_s)}
    common = {HandOver(left=a + 1, right=b + 1): centre(left[a]) for a, b in in_common(left, right, overlap)}
    places = between_words | common

    def score(at: HandOver) -> float:
        left_kept = left[: at.left]
        until_s = max((min(word.end_s, overlap.end_s) for word in left_kept), default=overlap.start_s)
        rest = Stretch(start_s=until_s, end_s=overlap.end_s)
        recognised_s = surely_heard_s(left_kept, overlap) + surely_heard_s(right[at.right :], rest)
        return recognised_s + COMMON_S * (at in common) - OFF_MIDDLE * abs(places[at] - middle_s)

    best = max(places, key=score)
    return replace(best, left=before + best.left)


def _apart(left: Sequence[Word], right: Sequence[Word], at_s: float) -> HandOver:
    ends = sum(1 for word in left if centre(word) < at_s)
    begins = sum(1 for word in right if centre(word) < at_s)
    return HandOver(left=ends, right=begins)


def surely_heard_s(words: Sequence[Word], within: Stretch) -> float:
    """Return how much of a stretch words cover, in seconds weighted by probability."""
    return sum(
        word.probability * min(longest_s_of(word), min(word.end_s, within.end_s) - max(word.start_s, within.start_s))
        for word in words
        if word.end_s > within.start_s and word.start_s < within.end_s
    )


def in_common(left: Sequence[Word], right: Sequence[Word], overlap: Stretch) -> list[tuple[int, int]]:
    """Return the overlap's common words at about the same time, as index pairs."""
    common: list[tuple[int, int]] = []
    after = 0
    stop = next((index for index, word in enumerate(right) if word.start_s >= overlap.end_s), len(right))
    for index, word in enumerate(left):
        if word.end_s <= overlap.start_s:
            continue
        matches = [
            at
            for at in range(after, stop)
            if abs(right[at].start_s - word.start_s) <= SAME_WORD_S and bare(right[at]) == bare(word)
        ]
        if matches:
            nearest = min(matches, key=lambda at: abs(right[at].start_s - word.start_s))
            common.append((index, nearest))
            after = nearest + 1
    return common


def taken(segments: Sequence[Segment], first: int, behind: int) -> list[Segment]:
    """Return the segments with words `first` up to `behind`, counted over all of them."""
    result: list[Segment] = []
    seen = 0
    for segment in segments:
        low, high = max(0, first - seen), max(0, behind - seen)
        seen += len(segment.words)
        words = segment.words[low:high]
        if len(words) == len(segment.words):
            result.append(segment)
        elif words:
            text = "".join(word.text for word in words).strip()
            result.append(replace(segment, words=words, text=text, start_s=words[0].start_s, end_s=words[-1].end_s))
    return result


def on_clock(segments: Sequence[Segment], duration_s: float, *, behind_s: float = 0.0) -> list[Segment]:
    """Return the segments with word times in order, after `behind_s` and inside the recording."""
    latest_s = behind_s
    result: list[Segment] = []
    for segment in segments:
        words: list[Word] = []
        for word in segment.words:
            start_s = min(max(word.start_s, latest_s), duration_s)
            words.append(replace(word, start_s=start_s, end_s=min(max(word.end_s, start_s), duration_s)))
            latest_s = words[-1].end_s
        if words:
            result.append(replace(segment, words=tuple(words), start_s=words[0].start_s, end_s=words[-1].end_s))
        elif segment.text:
            start_s = min(max(segment.start_s, latest_s), duration_s)
            latest_s = min(max(segment.end_s, start_s), duration_s)
            result.append(replace(segment, start_s=start_s, end_s=latest_s))
    return result


def centre(word: Word) -> float:
    return (word.start_s + word.end_s) / 2
