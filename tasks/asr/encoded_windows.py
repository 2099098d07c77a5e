"""The encoder's states of windows, made one length to be decoded together."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.audio.decode import Samples

MOST_POSITIONS = 1500  # in 30 s
SILENT_STATES = 25  # the encoder's last states, half a second, are of that silence; padding is made from them


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """The encoder's states of a window, shape (1, positions, width), and its audio length."""

    states: NDArray[np.float32]
    length_s: float

    @property
    def frames(self) -> int:
        """How many frames of features the audio has."""
        return ceil(self.length_s * 100 - 1e-6)

    def states_of(self, positions: int) -> NDArray[np.float32]:
        """Return the states, padded to this many positions with their own silence."""
        missing = positions - self.states.shape[1]
        if missing <= 0:
            return self.states
        silence = self.states[:, -SILENT_STATES:]
        padding = [silence] * ceil(missing / silence.shape[1])
        return np.concatenate([self.states, *padding], axis=1)[:, :positions]


def padded_features(features: Samples, frames: int) -> Samples:
    """Return the features padded with silence to this many frames."""
    missing = frames - features.shape[1]
    return np.pad(features, ((0, 0), (0, missing)), constant_values=features.min()) if missing else features


def together(windows: Sequence[Encoded], *, more: int = 0) -> Any:
    """Return the states of several windows as one batch, padded by `more` positions."""
    import ctranslate2

    longest = max(window.states.shape[1] for window in windows)
    positions = max(longest, min(longest + more, MOST_POSITIONS))
    return ctranslate2.StorageView.from_array(np.concatenate([window.states_of(positions) for window in windows]))
