"""Compute a recording's waveform for display: the peak of each 100 ms as one byte."""

import numpy as np

from tasks.audio.decode import SAMPLE_RATE_HZ, Samples

PEAK_S = 0.1
_SAMPLES = round(PEAK_S * SAMPLE_RATE_HZ)


class Peaks:
    """Collects peaks from blocks of any length; ten hours take 360,000 bytes."""

    def __init__(self) -> None:
        self._done = [np.zeros(0, dtype=np.float32)]
        self._rest = np.zeros(0, dtype=np.float32)

    def add(self, block: Samples) -> None:
        """Add the next samples, float32 mono at 16 kHz."""
        pending = np.concatenate([self._rest, np.minimum(np.abs(block), 1.0)])
        whole = len(pending) // _SAMPLES * _SAMPLES
        self._done.append(np.max(pending[:whole].reshape(-1, _SAMPLES), axis=1, initial=0.0))
        self._rest = pending[whole:]

    def data(self) -> bytes:
        """Return a byte per 100 ms, 255 for the loudest, however quiet it is."""
        rest = [np.max(self._rest, keepdims=True)] if len(self._rest) else []
        peaks = np.concatenate([*self._done, *rest])
        loudest = np.fmax.reduce(peaks, initial=0.0) or 1.0
        return np.rint(peaks / loudest * 255).astype(np.uint8).tobytes()
