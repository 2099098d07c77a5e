"""Read a recording of any length from disk, with voices at one level.

The segmentation model normalises each window of ten seconds, and misses voices far below that level. So each moment is
amplified or attenuated by the loudest one within half a second, smoothly, without raising room noise to speech.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.audio.decode import SAMPLE_RATE_HZ, Samples
from tasks.audio.sound_levels import FULL_SCALE

FRAME = SAMPLE_RATE_HZ // 10
REACH, SMOOTH = 4, 3  # frames on either side
ROOM_REACH = 30
LEVEL, ROOM = 0.06, 0.003  # root mean square of speech and, at most, of the room
MOST_GAIN = 300.0
BLOCK = 600 * FRAME
TINY = 1e-6


class EvenSound:
    """16-bit samples in a file (16 kHz mono), read in parts as levelled float32."""

    def __init__(self, path: Path) -> None:
        self._samples = np.memmap(path, dtype="<i2", mode="r")
        self._gains = gains(_levels(self._samples))

    def __len__(self) -> int:
        return len(self._samples)

    def read(self, first: int, behind: int) -> Samples:
        """Return the samples between two indices."""
        sound = self._samples[first:behind].astype(np.float32) / FULL_SCALE
        centres = np.arange(len(self._gains)) * FRAME + FRAME / 2
        lifted = sound * np.interp(np.arange(first, first + len(sound)), centres, self._gains)
        return np.clip(lifted, -1, 1).astype(np.float32)


def _levels(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return the root mean square of every tenth of a second."""
    levels = []
    for first in range(0, len(samples), BLOCK):
        block = samples[first : first + BLOCK].astype(np.float64) / FULL_SCALE
        whole = np.pad(block, (0, -len(block) % FRAME)).reshape(-1, FRAME)
        levels.append(np.sqrt((whole**2).mean(axis=1)))
    return np.concatenate(levels)


def gains(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the gain for every tenth of a second."""
    loudest = np.log(_around(levels, REACH).max(axis=1) + TINY)
    even = np.exp(_around(loudest, SMOOTH).mean(axis=1))
    room = _around(levels, ROOM_REACH).min(axis=1) + TINY
    gains_found: NDArray[np.float64] = np.minimum(np.minimum(LEVEL / even, MOST_GAIN), np.maximum(1.0, ROOM / room))
    return gains_found


def _around(values: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    padded = np.pad(values, reach, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
