"""A recording's waveform, small enough for a page: the loudest sample of each 100 ms, as one byte."""

import numpy as np

from tasks.decode import SAMPLE_RATE_HZ, Samples

PEAK_S = 0.1
_SAMPLES = round(PEAK_S * SAMPLE_RATE_HZ)


class Peaks:
    """Collects peaks from blocks of any length; ten hours are 360,000 bytes."""

    def __init__(self) -> None:
        self._done = bytearray()
        self._rest = np.zeros(0, dtype=np.float32)

    def add(self, block: Samples) -> None:
        """Take the next samples, float32 mono at 16 kHz."""
        held = np.concatenate([self._rest, np.abs(block)])
        whole = len(held) // _SAMPLES * _SAMPLES
        self._done += _bytes(np.max(held[:whole].reshape(-1, _SAMPLES), axis=1, initial=0.0))
        self._rest = held[whole:]

    def data(self) -> bytes:
        """Return a byte for each 100 ms so far, 255 for full scale; the last one may stand for less."""
        rest = _bytes(np.max(self._rest, keepdims=True)) if len(self._rest) else b""
        return bytes(self._done) + rest


def _bytes(peaks: Samples) -> bytes:
    return np.rint(np.clip(peaks, 0.0, 1.0) * 255).astype(np.uint8).tobytes()
