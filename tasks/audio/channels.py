"""Mix a recording's channels without losing any, or keep them apart. Pure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.audio.sound_levels import AUDIBLE, FULL_SCALE

Samples = NDArray[np.float32]
Ints = NDArray[np.int16]

OPPOSED = -0.9  # correlation of a channel that would cancel the others in a sum
WEIGHTS = {"FC": 1.0, "FL": 0.7, "FR": 0.7, "LFE": 0.35}
OTHER_WEIGHT = 0.5
SAME = 0.001  # two channels are the same if they differ in less than this fraction of their power


class Mixer:
    """Mixes all channels of a recording into one, without losing any; blocks come in order.

    Channels that were silent so far do not attenuate the others. A channel with inverted phase is inverted before it is
    added, since the sum would be silence.
    """

    def __init__(self, channel_names: Sequence[str] = ()) -> None:
        self._weights = np.array([WEIGHTS.get(name, OTHER_WEIGHT) for name in channel_names], dtype=np.float32)
        self._audible = np.zeros(len(channel_names), dtype=np.bool_)

    def mono(self, block: Ints) -> Samples:
        """Return the block as float32 mono, shape (n,)."""
        channels = block.shape[1]
        sound = as_float(block)
        if channels == 1:
            return np.ascontiguousarray(sound[:, 0])
        if channels != len(self._audible):  # the layout changed midway, or the header was wrong
            self._weights = np.full(channels, OTHER_WEIGHT, dtype=np.float32)
            self._audible = np.zeros(channels, dtype=np.bool_)
        self._audible |= np.abs(sound).max(axis=0, initial=0.0) > AUDIBLE
        audible = np.flatnonzero(self._audible)
        if not len(audible):
            return np.zeros(len(sound), dtype=np.float32)
        mixed = np.zeros(len(sound), dtype=np.float32)
        for channel in audible:
            mixed += sound[:, channel] * (self._weights[channel] * _sign(mixed, sound[:, channel]))
        return np.asarray(mixed / self._weights[audible].sum(), dtype=np.float32)


def _sign(mixed: Samples, channel: Samples) -> np.float32:
    """Return -1 if the channel is the mix so far, inverted."""
    power = float(np.dot(mixed, mixed)) * float(np.dot(channel, channel))
    return np.float32(-1.0 if power > 0 and float(np.dot(mixed, channel)) < OPPOSED * power**0.5 else 1.0)


class ChannelComparison:
    """Finds channels that carry the same sound as an earlier one, over a whole recording."""

    def __init__(self, count: int) -> None:
        self._products = np.zeros((count, count))

    def look(self, block: Ints) -> None:
        """Add the next block, shape (samples, channels)."""
        sound = block.astype(np.float32)
        self._products += sound.T @ sound

    def different(self) -> list[int]:
        """Return the channels without those that repeat an earlier one, upright or inverted."""
        distinct: list[int] = []
        for channel in range(len(self._products)):
            if not any(self._same(channel, other) for other in distinct):
                distinct.append(channel)
        return distinct

    def _same(self, one: int, other: int) -> bool:
        power = float(self._products[one, one] + self._products[other, other])
        return power > 0 and power - 2 * abs(float(self._products[one, other])) < SAME * power


def as_wide(block: Ints, count: int) -> Ints:
    """Return the block with `count` channels, for recordings that change midway.

    Missing channels are silent; surplus channels are averaged into the last one.
    """
    present = block.shape[1]
    if present == count:
        return block
    widened = np.zeros((len(block), count), dtype=np.int16)
    widened[:, : min(present, count)] = block[:, :count]
    if present > count:
        widened[:, -1] = block[:, count - 1 :].mean(axis=1)
    return widened


def as_float(samples: Ints) -> Samples:
    """Return samples as float32 between -1 and 1."""
    return samples.astype(np.float32) / np.float32(FULL_SCALE)


def as_ints(samples: Samples) -> Ints:
    """Return float samples between -1 and 1 as rounded 16-bit integers."""
    rounded: Ints = np.rint(samples * float(FULL_SCALE)).clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    return rounded
