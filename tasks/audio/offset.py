"""Take off the constant offset of a bad sound card, channel by channel.

The offset is the median of the means of short pieces, of the quieter half of them: a voice may lie off zero, a pause
does not. It is kept until a block clearly has another one, because every change of it is a step in the sound.
"""

import numpy as np
from numpy.typing import NDArray

from tasks.audio.channels import Ints
from tasks.audio.decode import SAMPLE_RATE_HZ

BLOCK_S = 10
PIECE = SAMPLE_RATE_HZ // 10
LEAST = 8  # steps of 16 bits: a smaller offset is left alone, and so is a smaller change
MOST_AGREE = 0.8  # share of the quieter pieces that show an offset; rumble swings to both sides
LEAST_PIECES = 20  # a shorter rest has the offset of what came before


class OffsetRemover:
    """Takes the offset off a stream in blocks of ten seconds.

    The size of the incoming blocks changes nothing.

    `largest` is the largest offset of any channel so far, as a share of full scale.
    """

    def __init__(self) -> None:
        self._rest: Ints = np.zeros((0, 0), dtype=np.int16)
        self._offsets: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self.largest = 0.0

    def push(self, block: Ints) -> list[Ints]:
        """Take samples, shape (n, channels), and return the blocks that are complete."""
        done: list[Ints] = []
        if block.shape[1] != self._rest.shape[1]:
            done += self.finish()
            self._rest = np.zeros((0, block.shape[1]), dtype=np.int16)
            self._offsets = np.zeros(block.shape[1], dtype=np.int64)
        samples, size = np.concatenate((self._rest, block)), BLOCK_S * SAMPLE_RATE_HZ
        whole = len(samples) // size * size
        self._rest = samples[whole:]
        return done + [self._without(samples[first : first + size]) for first in range(0, whole, size)]

    def finish(self) -> list[Ints]:
        """Return the rest."""
        rest, self._rest = self._rest, self._rest[:0]
        return [self._without(rest)] if len(rest) else []

    def _without(self, block: Ints) -> Ints:
        if len(block) >= LEAST_PIECES * PIECE:
            self._look(block)
        if not self._offsets.any():
            return block
        self.largest = max(self.largest, float(np.abs(self._offsets).max()) / 32768)
        moved: Ints = (block.astype(np.int32) - self._offsets).clip(-32768, 32767).astype(np.int16)
        return moved

    def _look(self, block: Ints) -> None:
        """Find the offset of each channel, and keep those that clearly changed."""
        count = len(block) // PIECE
        pieces = block[: count * PIECE].reshape(count, PIECE, -1).astype(np.float64)
        quieter = np.argsort(pieces.std(axis=1), axis=0, kind="stable")[: count // 2]
        means = np.take_along_axis(pieces.mean(axis=1), quieter, axis=0)
        offsets = np.rint(np.median(means, axis=0)).astype(np.int64)
        change = np.abs(offsets - self._offsets)
        agree = np.mean(np.abs(means - offsets) <= np.maximum(LEAST, change / 2), axis=0)
        self._offsets = np.where((change > LEAST) & (agree >= MOST_AGREE), offsets, self._offsets)
