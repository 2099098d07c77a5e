"""Level the voices in a window before it is encoded; stored audio is not changed.

Whisper's features drop everything 80 dB below the loudest moment of a window, so a quiet voice next to a loud one is
lost and the decoder ends early (https://github.com/SYSTRAN/faster-whisper/issues/254).
docs/decisions/0008-utterance-windows.md describes what was tried.
"""

import numpy as np
from numpy.typing import NDArray

from tasks.audio.decode import SAMPLE_RATE_HZ, Samples

FRAME_S = 0.05
HOLD_S = 0.6  # a level is that of the loudest frame within this distance
SMOOTH_S = 0.4
RANGE_DB = 8.0  # voices at most this far below the loudest one are not amplified
MOST_LIFT_DB = 50.0
TARGET = 0.05  # mean absolute amplitude of the loudest speech in the window; full scale is 1
QUIETEST = 1e-5  # mean absolute amplitude below which audio has no voice
OUTLIER = 8.0  # a sample above this many times its frame's median is a click


def one_level(sound: Samples) -> Samples:
    """Return the audio with quiet voices amplified to the loud ones, at a usual level.

    `sound` and the result are float32 mono at 16 kHz, within -1 and 1. The gain changes slowly from frame to frame, so
    that the sounds inside a word keep their proportions.
    """
    frame = int(FRAME_S * SAMPLE_RATE_HZ)
    if len(sound) < frame:
        return sound
    levels = held_levels(sound, frame)
    loudest = float(levels.max())
    if loudest < QUIETEST:
        return sound
    lift_db = np.clip(20 * np.log10(loudest / np.maximum(levels, QUIETEST)) - RANGE_DB, 0.0, MOST_LIFT_DB)
    gains_db = _smoothed(lift_db, round(SMOOTH_S / FRAME_S))
    gains = (TARGET / loudest) * 10 ** (gains_db / 20)
    centres = (np.arange(len(levels)) + 0.5) * frame
    gain = np.interp(np.arange(len(sound)), centres, gains).astype(np.float32)
    found: Samples = np.clip(sound * gain, -1.0, 1.0)
    return found


def held_levels(sound: Samples, frame: int) -> NDArray[np.float64]:
    """Return the level around each frame: the highest mean amplitude within `HOLD_S`, without clicks."""
    frames = np.abs(sound[: len(sound) // frame * frame].reshape(-1, frame))
    most = OUTLIER * np.median(frames, axis=1, keepdims=True)
    levels = np.minimum(frames, most).mean(axis=1)
    reach = round(HOLD_S / FRAME_S)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(levels, reach), 2 * reach + 1)
    return np.asarray(around.max(axis=1), dtype=np.float64)


def _smoothed(values: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Return the moving average over `reach` frames on each side; ends are held."""
    width = 2 * reach + 1
    return np.convolve(np.pad(values, reach, mode="edge"), np.full(width, 1 / width), mode="valid")
