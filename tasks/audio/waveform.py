"""Compute a recording's waveforms for display: a byte for each 100 or 10 ms."""

import numpy as np

from tasks.audio.decode import SAMPLE_RATE_HZ, Samples

PEAK_S, FINE_PEAK_S = 0.1, 0.01


class Peaks:
    """Collects peaks from blocks of any length.

    Ten hours take 360,000 bytes, fine ones ten times that.
    """

    def __init__(self, peak_s: float = PEAK_S) -> None:
        self._samples = round(peak_s * SAMPLE_RATE_HZ)
        self._done = [np.zeros(0, dtype=np.float32)]
        self._rest = np.zeros(0, dtype=np.float32)

    def add(self, block: Samples) -> None:
        """Add the next samples, float32 mono at 16 kHz."""
        pending = np.concatenate([self._rest, np.minimum(np.abs(block), 1.0)])
        whole = len(pending) // self._samples * self._samples
        self._done.append(np.max(pending[:whole].reshape(-1, self._samples), axis=1, initial=0.0))
        self._rest = pending[whole:]

    def data(self) -> bytes:
        """Return a byte per peak, 255 for the loudest, however quiet it is."""
        rest = [np.max(self._rest, keepdims=True)] if len(self._rest) else []
        peaks = np.concatenate([*self._done, *rest])
        loudest = np.fmax.reduce(peaks, initial=0.0) or 1.0
        return np.rint(peaks / loudest * 255).astype(np.uint8).tobytes()
