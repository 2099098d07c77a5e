"""Bring floating-point samples into full scale, as integers would clip."""

from array import array
from functools import cached_property
from heapq import nlargest
from itertools import pairwise
from typing import Any

from tasks.audio.sound_levels import AUDIBLE

FLOAT_CODECS = {"wavpack", "mp4als"}
LARGEST = 2.0**31  # samples beyond the largest integers are no sound
MOST_CLICKS, CLICK = 10, 10.0  # frames that are so many times as loud as any other


class Scale:
    """The level of a track's floating-point samples, and how they are scaled by it.

    A few frames far above all others are clicks: they are clipped, and lower nothing else.
    """

    def __init__(self) -> None:
        self._peaks = array("d")
        self._invalid = False

    @cached_property
    def peak(self) -> float:
        """The highest sample of all frames but clicks."""
        loudest = nlargest(MOST_CLICKS + 1, self._peaks)
        for louder, usual in pairwise(loudest):
            if usual > AUDIBLE and louder > CLICK * usual:
                return usual
        return loudest[0] if loudest else 0.0

    @cached_property
    def is_needed(self) -> bool:
        """Whether integers would clip the samples, or hold none of them."""
        return self._invalid or max(self._peaks, default=0.0) > 1.0

    def look(self, frame: Any) -> None:
        """Take a frame into account; invalid samples do not count."""
        import numpy as np

        samples = np.abs(frame.to_ndarray())
        valid = samples <= LARGEST  # not so for NaN
        self._invalid = self._invalid or not bool(valid.all())
        self._peaks.append(float(np.max(samples, where=valid, initial=0.0)))

    def applied(self, frame: Any) -> Any:
        """Return the frame scaled, with silence for invalid samples."""
        import numpy as np
        from av import AudioFrame

        samples = frame.to_ndarray()
        scaled = np.where(np.abs(samples) <= LARGEST, samples, 0) / max(1.0, self.peak)
        kept = AudioFrame.from_ndarray(scaled.clip(-1, 1).astype(samples.dtype), frame.format.name, frame.layout.name)
        kept.sample_rate, kept.pts, kept.time_base = frame.sample_rate, frame.pts, frame.time_base
        return kept


def is_float(stream: Any) -> bool:
    """Return whether a stream's samples are stored as floating-point numbers."""
    context = stream.codec_context
    is_stored = context.name.startswith("pcm_f") or context.name in FLOAT_CODECS
    return is_stored and context.format is not None and context.format.name.rstrip("p") in {"flt", "dbl"}
