"""Automatic gain control for speech detection: every voice reaches the detector about equally loud.

Silero carries a state, and misses a voice 40 dB below the one before it. All decisions use integers and gains are
powers of two, so that all processors agree to the last bit. Stored audio is not changed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.audio.decode import Ints, Samples

FRAME = 512  # samples that share one gain and one decision: 32 ms
AHEAD, BEHIND = 4, 8  # frames around one whose loudest sets the gain
FLOOR_BEHIND = 94  # frames (3 s) whose quietest is taken as the room's noise
QUIET_REACH = 2  # frames on either side that a quiet moment is quieter than
LOOK_AHEAD = AHEAD + 1  # frames whose power must be known before a frame is decided
FULL_SCALE = 1 << 15
FINE = 16  # fraction bits of power, so that the last bit of a sample still counts
LOUD = round(FINE * FULL_SCALE**2 * 10**-2.6)  # the loudest frame nearby is brought to between -32 and -26 dB
ROOM = round(FINE * FULL_SCALE**2 * 10**-5.0)  # room noise is never raised above -50 dB
STEPS = np.arange(-4, 11)  # gains, as powers of two: -24 to 60 dB
LEAST = -2  # the lowest gain for a loud room: with less, the voices in it would get too quiet
BOUNDLESS = 1 << 60  # the power before the first sample

Powers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Levelled:
    """Levelled frames (float32 mono), and which of them are quieter than their neighbours."""

    samples: Samples
    quiet: NDArray[np.bool_]


class GainControl:
    """Levels a stream of 16 kHz samples with a fifth of a second's delay.

    The size of the blocks does not change the result.
    """

    def __init__(self) -> None:
        self._samples = np.zeros(0, dtype=np.int64)  # from one frame before the first one without a power
        self._last = np.int64(0)
        self._count = 0
        self._centred = np.zeros(0, dtype=np.int64)  # of the frames that are not decided yet
        self._powers = np.full(FLOOR_BEHIND + 1, BOUNDLESS, dtype=np.int64)  # of the frames before them, and of these

    def push(self, block: Ints) -> Levelled:
        """Return the frames that this block completes."""
        if not len(block):
            return self._decided(0)
        if not self._count:
            self._samples = np.full(FRAME, block[0], dtype=np.int64)
        self._count += len(block)
        self._last = np.int64(block[-1])
        self._measure(np.concatenate((self._samples, block.astype(np.int64))))
        return self._decided(len(self._centred) // FRAME - LOOK_AHEAD)

    def finish(self) -> Levelled:
        """Return the rest, with the last frame padded by the last sample."""
        left = len(self._centred) + max(0, len(self._samples) - FRAME)
        frames = -(-left // FRAME)
        if not frames:
            return self._decided(0)
        more = np.full((frames + LOOK_AHEAD + 1) * FRAME - left, self._last)
        self._measure(np.concatenate((self._samples, more)))
        return self._decided(frames)

    def _measure(self, samples: NDArray[np.int64]) -> None:
        """Subtract the 64 ms mean around every sample, and measure every frame's power."""
        ready = max(0, len(samples) // FRAME - 2)
        self._samples = samples[ready * FRAME :]
        if not ready:
            return
        sums = np.concatenate(([0], np.cumsum(samples[: (ready + 2) * FRAME])))
        means = (sums[2 * FRAME :] - sums[: -2 * FRAME]) // (2 * FRAME)
        centred = samples[FRAME : (ready + 1) * FRAME] - means[: ready * FRAME]
        powers = FINE * np.square(centred.reshape(-1, FRAME)).sum(axis=1) // FRAME
        self._centred = np.concatenate((self._centred, centred))
        self._powers = np.concatenate((self._powers, powers))

    def _decided(self, frames: int) -> Levelled:
        """Return this many frames, and discard what no later frame needs."""
        if frames <= 0:
            return Levelled(samples=np.zeros(0, dtype=np.float32), quiet=np.zeros(0, dtype=np.bool_))
        smooth = self._powers[:-2] + self._powers[1:-1] + self._powers[2:]  # of a frame and its neighbours
        pairs = np.minimum(self._powers[:-1], self._powers[1:])
        lasting = np.maximum(pairs[:-1], pairs[1:])  # a click is loud for a single frame
        lasting[lasting == BOUNDLESS] = 0
        room = _around(smooth, FLOOR_BEHIND, AHEAD, frames).min(axis=1) // 3
        loudest = _around(lasting, BEHIND, AHEAD, frames).max(axis=1)
        beside = _around(smooth, QUIET_REACH, QUIET_REACH, frames).min(axis=1)
        quiet = smooth[FLOOR_BEHIND : FLOOR_BEHIND + frames] <= beside
        sound = self._centred[: frames * FRAME].reshape(-1, FRAME) * _gains(loudest, room)[:, np.newaxis]
        self._centred = self._centred[frames * FRAME :]
        self._powers = self._powers[frames:]
        return Levelled(samples=np.clip(sound, -1.0, 1.0).astype(np.float32).reshape(-1), quiet=quiet)


def _around(powers: Powers, behind: int, ahead: int, frames: int) -> Powers:
    """Return the powers around each undecided frame, `behind` before it to `ahead` after."""
    windows = np.lib.stride_tricks.sliding_window_view(powers[FLOOR_BEHIND - behind :], behind + ahead + 1)
    return windows[:frames]


def _gains(loudest: Powers, room: Powers) -> NDArray[np.float64]:
    """Return for each frame the highest gain that makes nothing too loud."""
    squares = np.ldexp(1.0, 2 * STEPS)[:, np.newaxis]
    fitting = (loudest * squares <= LOUD) & ((room * squares <= ROOM) | (STEPS <= LEAST)[:, np.newaxis])
    gains: NDArray[np.float64] = np.ldexp(1.0 / FULL_SCALE, STEPS[0] + np.maximum(fitting.sum(axis=0) - 1, 0))
    return gains
