"""Put the spans of a recording together on its clock, every word once.

Spans that were cut in silence are simply moved to their place. Where two overlap, because nobody paused, both heard
the words at the seam: a word that both have is where one hands over to the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf

from storage.records import Heard, Plan, Segment, Span, Stretch, Word
from tasks.doubt import longest_s_of
from tasks.words import bare

TURN_PAUSE_S = 0.5  # where a speaker pauses for so long, the other one's words may come between
SAME_WORD_S = 0.5  # the two sides time the same word no further apart than this
COMMON_S = 0.4  # how much more must be heard where the sides hand over between words that only one of them has
OFF_MIDDLE = 0.05  # how much more must be heard, for each second that a hand-over is off the middle of the overlap


def speech_of(span: Span) -> tuple[Stretch, ...]:
    """Return the speech in a span, in seconds from the span's start."""
    return tuple(
        Stretch(start_s=round(stretch.start_s - span.start_s, 3), end_s=round(stretch.end_s - span.start_s, 3))
        for stretch in span.speech
    )


def stitch(plan: Plan, heards: Sequence[Heard]) -> tuple[Segment, ...]:
    """Return the recording's segments in order; `heards` belong to the plan's spans, one each.

    Channels that were heard apart are stitched apart; then their segments take turns, each under its speaker's name.
    """
    apart = sorted({span.channel for span in plan.spans if span.channel is not None})
    if not apart:
        return stitched(plan, heards)
    turns: list[Segment] = []
    for channel in apart:
        pairs = [(span, heard) for span, heard in zip(plan.spans, heards, strict=False) if span.channel == channel]
        spans, own = zip(*pairs, strict=True)
        turns += named_turns(stitched(replace(plan, spans=spans), own), channel)
    return tuple(sorted(turns, key=lambda turn: turn.start_s))


def named_turns(segments: Sequence[Segment], channel: int) -> list[Segment]:
    """Return a channel's segments in parts between which another speaker may come, under its name."""
    return [replace(turn, speaker=speaker_of(channel)) for segment in segments for turn in turns_of(segment)]


def speaker_of(channel: int) -> str:
    """Return the name under which a channel's words stand."""
    return f"Channel {channel + 1}"


def turns_of(segment: Segment) -> list[Segment]:
    """Return the segment in parts without a pause in them, so that what another speaker says can go between."""
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


def stitched(plan: Plan, heards: Sequence[Heard]) -> tuple[Segment, ...]:
    """Return the segments of one stream of sound in order."""
    stitching = Stitching(duration_s=plan.duration_s)
    pairs = zip(plan.spans, heards, (*plan.spans[1:], None), strict=False)
    return tuple(segment for span, heard, after in pairs for segment in stitching.add(span, heard, after))


class Stitching:
    """Puts the spans of one stream of sound together, one after the other as they have been heard.

    `until_s` is how far the text is settled: what comes later begins there or behind it. (Infinity: nothing comes.)
    """

    def __init__(self, *, duration_s: float = inf) -> None:
        self._duration_s = duration_s
        self._last: Span | None = None
        self._open: list[Segment] = []  # what reaches into the next span, which heard it too
        self._latest_s = 0.0  # end of the last word that is settled
        self.until_s = 0.0

    def add(self, span: Span, heard: Heard, after: Span | None) -> list[Segment]:
        """Take what was heard in the next span and return what is settled by it; `after` is the span behind it."""
        left, placed = self._open, [moved(segment, span.start_s) for segment in heard.segments]
        if self._last is not None and self._last.end_s > span.start_s:
            left, placed = joined(left, placed, Stretch(start_s=span.start_s, end_s=self._last.end_s))
        together = [*left, *placed]
        border_s = inf if after is None else after.start_s
        overlapped = border_s < span.end_s
        open_at = next((at for at, each in enumerate(together) if overlapped and each.end_s > border_s), len(together))
        self._last, self._open = span, together[open_at:]
        self.until_s = min((segment.start_s for segment in self._open), default=border_s)
        settled = on_clock(together[:open_at], self._duration_s, behind_s=self._latest_s)
        self._latest_s = settled[-1].end_s if settled else self._latest_s
        return settled


def moved(segment: Segment, offset_s: float) -> Segment:
    """Return the segment `offset_s` later."""
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
    """How many words of the left side and from which word of the right side on are taken."""

    left: int
    right: int


def joined(left: Sequence[Segment], right: Sequence[Segment], overlap: Stretch) -> tuple[list[Segment], list[Segment]]:
    """Return both sides without what they have in common."""
    left_words = [word for segment in left for word in segment.words]
    right_words = [word for segment in right for word in segment.words]
    at = hand_over(left_words, right_words, overlap)
    return taken(left, 0, at.left), taken(right, at.right, len(right_words))


def hand_over(left: Sequence[Word], right: Sequence[Word], overlap: Stretch) -> HandOver:
    """Return where the left side ends and the right one begins: after a word that both heard, or between words.

    Of all places the one that leaves most of the overlap heard, and surely; of alike ones that in its middle. Between
    words that one side alone heard there must be clearly more, since the sides may time the same word differently.
    """
    before = next((index for index, word in enumerate(left) if word.end_s > overlap.start_s), len(left))
    behind = next((index for index, word in enumerate(right) if word.start_s >= overlap.end_s), len(right))
    left, right = left[before:], right[:behind]  # of hours, only the words that matter here
    middle_s = (overlap.start_s + overlap.end_s) / 2
    times_s = [centre(word) for word in (*left, *right) if overlap.start_s < centre(word) < overlap.end_s]
    apart = {_apart(left, right, at_s): at_s for at_s in (overlap.start_s, middle_s, *times_s, overlap.end_s)}
    common = {HandOver(left=a + 1, right=b + 1): centre(left[a]) for a, b in in_common(left, right, overlap)}
    places = apart | common

    def worth(at: HandOver) -> float:
        kept = left[: at.left]
        until_s = max((min(word.end_s, overlap.end_s) for word in kept), default=overlap.start_s)
        rest = Stretch(start_s=until_s, end_s=overlap.end_s)
        heard_s = surely_heard_s(kept, overlap) + surely_heard_s(right[at.right :], rest)
        return heard_s + COMMON_S * (at in common) - OFF_MIDDLE * abs(places[at] - middle_s)

    best = max(places, key=worth)
    return replace(best, left=before + best.left)


def _apart(left: Sequence[Word], right: Sequence[Word], at_s: float) -> HandOver:
    ends = sum(1 for word in left if centre(word) < at_s)
    begins = sum(1 for word in right if centre(word) < at_s)
    return HandOver(left=ends, right=begins)


def surely_heard_s(words: Sequence[Word], within: Stretch) -> float:
    """Return how much of a stretch words take, in seconds, each counted as far as it is probable."""
    return sum(
        word.probability * min(longest_s_of(word), min(word.end_s, within.end_s) - max(word.start_s, within.start_s))
        for word in words
        if word.end_s > within.start_s and word.start_s < within.end_s
    )


def in_common(left: Sequence[Word], right: Sequence[Word], overlap: Stretch) -> list[tuple[int, int]]:
    """Return the words of the overlap that both sides heard at about the same time, by their numbers, in order."""
    found: list[tuple[int, int]] = []
    after = 0
    head = next((index for index, word in enumerate(right) if word.start_s >= overlap.end_s), len(right))
    for index, word in enumerate(left):
        if word.end_s <= overlap.start_s:
            continue
        same = [
            at
            for at in range(after, head)
            if abs(right[at].start_s - word.start_s) <= SAME_WORD_S and bare(right[at]) == bare(word)
        ]
        if same:
            nearest = min(same, key=lambda at: abs(right[at].start_s - word.start_s))
            found.append((index, nearest))
            after = nearest + 1
    return found


def taken(segments: Sequence[Segment], first: int, behind: int) -> list[Segment]:
    """Return the segments with the words from number `first` up to `behind`, counted over all of them."""
    kept: list[Segment] = []
    seen = 0
    for segment in segments:
        low, high = max(0, first - seen), max(0, behind - seen)
        seen += len(segment.words)
        words = segment.words[low:high]
        if len(words) == len(segment.words):
            kept.append(segment)
        elif words:
            text = "".join(word.text for word in words).strip()
            kept.append(replace(segment, words=words, text=text, start_s=words[0].start_s, end_s=words[-1].end_s))
    return kept


def on_clock(segments: Sequence[Segment], duration_s: float, *, behind_s: float = 0.0) -> list[Segment]:
    """Return segments whose words follow one another, lie behind the moment and inside the recording."""
    latest_s = behind_s
    found: list[Segment] = []
    for segment in segments:
        words: list[Word] = []
        for word in segment.words:
            start_s = min(max(word.start_s, latest_s), duration_s)
            words.append(replace(word, start_s=start_s, end_s=min(max(word.end_s, start_s), duration_s)))
            latest_s = words[-1].end_s
        if words:
            found.append(replace(segment, words=tuple(words), start_s=words[0].start_s, end_s=words[-1].end_s))
        elif segment.text:
            start_s = min(max(segment.start_s, latest_s), duration_s)
            latest_s = min(max(segment.end_s, start_s), duration_s)
            found.append(replace(segment, start_s=start_s, end_s=latest_s))
    return found


def centre(word: Word) -> float:
    return (word.start_s + word.end_s) / 2
