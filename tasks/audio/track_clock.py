"""Keep decoded samples on a track's clock: gaps, drift and clocks that are set anew. Pure.

A gap is filled with silence. Samples that drift away from the clock, because a sound card ran too fast or too slowly,
are stretched or squeezed evenly. A jump that nothing confirms moves the clock.
"""

from collections.abc import Callable
from dataclasses import dataclass

HOLE_S = 0.1  # smaller clock steps are the container's rounding
LONGEST_HOLE_S = 600.0  # a larger gap that nothing confirms is a broken clock, not a pause
LONGEST_LAG_S = 2.0  # samples further ahead of the clock: the clock was set back
DRIFT = 0.06  # the largest difference in speed that is drift rather than gaps
ROUNDING_S = 0.002

Confirms = Callable[[float, float], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A stretch of a track without sound, in seconds from the recording's start."""

    at_s: float
    length_s: float


class TrackClock:
    """Says where decoded frames belong; `confirms` tells whether a large gap is real.

    All times are in seconds: `at_s` by the track's timestamps, `written_s` by the samples so far.
    """

    def __init__(self, begin_s: float, confirms: Confirms) -> None:
        self._begin_s, self._confirms = begin_s, confirms
        self._shift_s = 0.0
        self._lead_s = 0.0  # how far the clock is ahead of the samples
        self._block_lead_s = 0.0  # the same at the start of the block
        self._frame_s = 0.0  # length of the previous frame
        self._anchored = self._drifting = False
        self.corrected_s = 0.0
        self.gaps: list[Gap] = []

    @property
    def moved_s(self) -> float:
        """Return how far the timestamps and a count of the samples are apart, in all."""
        return sum(gap.length_s for gap in self.gaps) + abs(self.corrected_s) + abs(self._shift_s)

    def restart(self, written_s: float) -> None:
        """Continue with another file whose clock starts anew."""
        self._begin_s, self._shift_s, self._lead_s, self._block_lead_s = 0.0, -written_s, 0.0, 0.0

    def silence_before(self, at_s: float, *, frame_s: float, written_s: float, block_s: float) -> float:
        """Return how much silence belongs before a frame."""
        lead_s = at_s - self._begin_s - self._shift_s - written_s
        gap_s = self._gap(lead_s, block_s) if self._anchored else max(0.0, lead_s)
        if gap_s > LONGEST_HOLE_S and not self._confirms(at_s - gap_s, at_s):
            self._shift_s += gap_s
            lead_s, gap_s = lead_s - gap_s, 0.0
        if lead_s < -LONGEST_LAG_S or (not self._anchored and lead_s < -HOLE_S):
            self._shift_s += lead_s
            lead_s = 0.0
        if gap_s and self._anchored:
            self.gaps.append(Gap(at_s=written_s, length_s=gap_s))
        self._lead_s, self._frame_s, self._anchored = lead_s - gap_s, frame_s, True
        return gap_s

    def _gap(self, lead_s: float, block_s: float) -> float:
        """Return how much of the lead is a gap rather than drift."""
        step_s, since_s = lead_s - self._lead_s, lead_s - self._block_lead_s
        if lead_s > HOLE_S and step_s > max(HOLE_S, DRIFT * self._frame_s):
            return min(step_s, lead_s)
        return min(since_s, lead_s) if lead_s > HOLE_S and since_s > HOLE_S + DRIFT * block_s else 0.0

    def correction(self, block_s: float) -> float:
        """Return by how many seconds to stretch the block; below 0 to squeeze."""
        self._drifting = self._drifting or abs(self._lead_s) > HOLE_S
        most_s = DRIFT * block_s
        by_s = max(-most_s, min(most_s, self._lead_s)) if self._drifting and abs(self._lead_s) > ROUNDING_S else 0.0
        self._lead_s -= by_s
        self._block_lead_s = self._lead_s
        self.corrected_s += by_s
        return by_s
