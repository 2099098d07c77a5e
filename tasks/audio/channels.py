"""What becomes of a recording's channels: mixed without losing any, or kept apart. Pure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Ints = NDArray[np.int16]

AUDIBLE = 8 / 32768  # a channel that was never louder than this is silent
OPPOSED = -0.9  # correlation of a channel that would take the others away in a sum
WEIGHTS = {"FC": 1.0, "FL": 0.7, "FR": 0.7, "LFE": 0.35}
OTHER_WEIGHT = 0.5
SAME = 0.001  # share of two channels' power in which they differ, if they carry the same sound


class Mixer:
    """Brings all channels of a recording into one without losing any; blocks come in order.

    Channels that were silent so far do not make the others quieter, and one whose phase is inverted is turned round
    before it is added, since the sum would be silence.
    """

    def __init__(self, channel_names: Sequence[str] = ()) -> None:
        self._weights = np.array([WEIGHTS.get(name, OTHER_WEIGHT) for name in channel_names], dtype=np.float32)
        self._heard = np.zeros(len(channel_names), dtype=np.bool_)

    def mono(self, block: Ints) -> Samples:
        """Return the block as float32 mono, shape (n,)."""
        channels = block.shape[1]
        sound = as_float(block)
        if channels == 1:
            return np.ascontiguousarray(sound[:, 0])
        if channels != len(self._heard):  # it has changed midway, or the header lied
            self._weights = np.full(channels, OTHER_WEIGHT, dtype=np.float32)
            self._heard = np.zeros(channels, dtype=np.bool_)
        self._heard |= np.abs(sound).max(axis=0, initial=0.0) > AUDIBLE
        heard = np.flatnonzero(self._heard)
        if not len(heard):
            return np.zeros(len(sound), dtype=np.float32)
        mixed = np.zeros(len(sound), dtype=np.float32)
        for channel in heard:
            mixed += sound[:, channel] * (self._weights[channel] * _sign(mixed, sound[:, channel]))
        return np.asarray(mixed / self._weights[heard].sum(), dtype=np.float32)


def _sign(mixed: Samples, channel: Samples) -> np.float32:
    """Return -1 where the channel is what is mixed already, upside down."""
    power = float(np.dot(mixed, mixed)) * float(np.dot(channel, channel))
    return np.float32(-1.0 if power > 0 and float(np.dot(mixed, channel)) < OPPOSED * power**0.5 else 1.0)


class Likeness:
    """Finds out, over a whole recording, which channels carry the same sound as an earlier one."""

    def __init__(self, count: int) -> None:
        self._products = np.zeros((count, count))

    def look(self, block: Ints) -> None:
        """Take the next block, shape (samples, channels), into account."""
        sound = block.astype(np.float32)
        self._products += sound.T @ sound

    def different(self) -> list[int]:
        """Return the channels without those that repeat an earlier one, upright or inverted."""
        kept: list[int] = []
        for channel in range(len(self._products)):
            if not any(self._same(channel, other) for other in kept):
                kept.append(channel)
        return kept

    def _same(self, one: int, other: int) -> bool:
        power = float(self._products[one, one] + self._products[other, other])
        return power > 0 and power - 2 * abs(float(self._products[one, other])) < SAME * power


def as_wide(block: Ints, count: int) -> Ints:
    """Return the block with `count` channels, where a recording changes midway: silence for those that are missing.

    Channels that are too many are heard in the last one.
    """
    have = block.shape[1]
    if have == count:
        return block
    found = np.zeros((len(block), count), dtype=np.int16)
    found[:, : min(have, count)] = block[:, :count]
    if have > count:
        found[:, -1] = block[:, count - 1 :].mean(axis=1)
    return found


def as_float(samples: Ints) -> Samples:
    """Return samples as float32 between -1 and 1."""
    return samples.astype(np.float32) / np.float32(32768.0)


def as_ints(samples: Samples) -> Ints:
    """Return float samples between -1 and 1 as whole numbers of 16 bits, rounded."""
    found: Ints = np.rint(samples * 32768.0).clip(-32768, 32767).astype(np.int16)
    return found
