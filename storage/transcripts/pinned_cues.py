"""Subtitles that a person set: which words each shows, also after edits."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from math import isfinite

from storage.domain.errors import BadRequest
from storage.domain.records import PinnedCue, Segment

MOST_CUES = 200_000
SHORTEST_S = 0.001
SAME_S = 0.0005  # times are rounded to milliseconds on their way


class Pins:
    """Finds the pinned cue that shows a word."""

    def __init__(self, cues: Sequence[PinnedCue]) -> None:
        self._cues: defaultdict[str | None, list[PinnedCue]] = defaultdict(list)
        for cue in sorted(cues, key=lambda one: one.from_s):
            self._cues[cue.speaker].append(cue)

    def of(self, word_start_s: float, speaker: str | None) -> PinnedCue | None:
        """Return the cue for this speaker's word that begins then, or None."""
        cues = self._cues.get(speaker)
        if not cues:
            return None
        at = bisect_right(cues, word_start_s + SAME_S, key=lambda one: one.from_s) - 1
        return cues[at] if at >= 0 and word_start_s < cues[at].until_s - SAME_S else None


def check(cues: Sequence[PinnedCue], *, duration_s: float) -> None:
    """Check that cues are in order, do not overlap, and lie in the recording.

    Raises:
        BadRequest: they do not.
    """
    if len(cues) > MOST_CUES:
        raise BadRequest("cues", f"more than {MOST_CUES}")
    for place, cue in enumerate(cues):
        times = (cue.start_s, cue.end_s, cue.from_s, cue.until_s)
        if not all(map(isfinite, times)) or not 0 <= cue.start_s <= cue.end_s - SHORTEST_S + 1e-9 <= duration_s:
            raise BadRequest(f"cues[{place}]", "start_s and end_s are seconds of the recording, one after the other")
        if not 0 <= cue.from_s < cue.until_s:
            raise BadRequest(f"cues[{place}]", "from_s is before until_s")
    for place, (cue, following) in enumerate(pairwise(cues), start=1):
        if following.start_s < cue.end_s - SAME_S:
            raise BadRequest(f"cues[{place}]", "it appears before the one in front of it disappears")
    last: dict[str | None, float] = {}
    for place, cue in enumerate(cues):
        if cue.from_s < last.get(cue.speaker, 0.0) - SAME_S:
            raise BadRequest(f"cues[{place}]", "it shows words that the one in front of it shows")
        last[cue.speaker] = cue.until_s


def settled(cues: Sequence[PinnedCue], segments: Sequence[Segment]) -> tuple[PinnedCue, ...]:
    """Return the cues that still show words, with the speaker whose words they are now."""
    return tuple(_settled(cues, segments)) if cues else ()


def _settled(cues: Sequence[PinnedCue], segments: Sequence[Segment]) -> Iterator[PinnedCue]:
    words = sorted(
        ((at_s, segment.speaker) for segment in segments for at_s in _starts_s(segment)), key=lambda word: word[0]
    )
    starts_s = [at_s for at_s, _ in words]
    for cue in cues:
        first, last = (bisect_right(starts_s, at_s - SAME_S) for at_s in (cue.from_s, cue.until_s))
        speakers = Counter(speaker for _, speaker in words[first:last])
        if not speakers:
            continue
        yield cue if cue.speaker in speakers else replace(cue, speaker=speakers.most_common(1)[0][0])


def _starts_s(segment: Segment) -> list[float]:
    return [word.start_s for word in segment.words if word.text.strip()] or [segment.start_s]
