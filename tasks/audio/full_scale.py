"""Bring floating-point samples into full scale, as integers would clip."""

from typing import Any

FLOAT_CODECS = {"wavpack", "mp4als"}
LARGEST = 2.0**31  # samples beyond the largest integers are no sound


class Scale:
    """The peak of a track's floating-point samples, and how they are scaled by it."""

    def __init__(self) -> None:
        self.peak = 0.0
        self._invalid = False

    @property
    def is_needed(self) -> bool:
        return self.peak > 1.0 or self._invalid

    def look(self, frame: Any) -> None:
        """Take a frame into account; invalid samples do not count."""
        import numpy as np

        samples = np.abs(frame.to_ndarray())
        valid = samples <= LARGEST  # not so for NaN
        self._invalid = self._invalid or not bool(valid.all())
        self.peak = max(self.peak, float(np.max(samples, where=valid, initial=0.0)))

    def applied(self, frame: Any) -> Any:
        """Return the frame scaled, with silence for invalid samples."""
        import numpy as np
        from av import AudioFrame

        samples = frame.to_ndarray()
        samples = np.where(np.abs(samples) <= LARGEST, samples, 0) / max(1.0, self.peak)
        scaled = AudioFrame.from_ndarray(samples.astype(frame.to_ndarray().dtype), frame.format.name, frame.layout.name)
        scaled.sample_rate, scaled.pts, scaled.time_base = frame.sample_rate, frame.pts, frame.time_base
        return scaled


def is_float(stream: Any) -> bool:
    """Return whether a stream's samples are stored as floating-point numbers."""
    context = stream.codec_context
    is_stored = context.name.startswith("pcm_f") or context.name in FLOAT_CODECS
    return is_stored and context.format is not None and context.format.name.rstrip("p") in {"flt", "dbl"}
