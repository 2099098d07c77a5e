"""Tell repeated speech from a decoder's loop, by the sound. Pure.

A phrase that is repeated in the text is compared, occurrence by occurrence, with the sound at its times: spectra of
the same words are alike after dynamic time warping (Sakoe and Chiba, 1978), those of different words are not.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from storage.domain.records import Stretch, Word
from tasks.audio.decode import SAMPLE_RATE_HZ, Samples

LONGEST_PHRASE = 24  # words
LEAST_LETTERS = 6  # of a phrase: "no, no" sounds like much else
FRAME, HOP = 400, 320  # samples: 25 ms every 20 ms
BANDS = 20
LOWEST_HZ, HIGHEST_HZ = 150.0, 5000.0
FLOOR = 0.03  # of the mean energy: quieter than this is silence
SLOPE_FRAMES = 2
LEAST_CHANGE = 1.0  # of the logarithms of a frame's bands: speech has about 10
WARP = 0.08  # of their length: the largest difference in place of what is compared
ALIKE = 0.3  # mean cosine distance: at most 0.18 for the same words in noise or faster, at least 0.35 for others
LENGTHS = 1.6  # two occurrences differ in length by less than this factor
SHORTEST_S = 0.3

Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A phrase of `length` words that a text repeats `times` times from word `first` on."""

    first: int
    length: int
    times: int

    @property
    def end(self) -> int:
        """The index behind its last word."""
        return self.first + self.length * self.times


def runs(words: Sequence[Word]) -> list[Run]:
    """Return the phrases that a text repeats at once, in order; shorter phrases come first."""
    spoken = [re.sub(r"\W+", "", word.text.lower()) for word in words]
    found: list[Run] = []
    at = 0
    while at < len(spoken):
        run = _run_at(spoken, at)
        if run is not None:
            found.append(run)
        at = at + 1 if run is None else run.end
    return found


def _run_at(spoken: Sequence[str], first: int) -> Run | None:
    for length in range(1, min(LONGEST_PHRASE, (len(spoken) - first) // 2) + 1):
        phrase = spoken[first : first + length]
        times = 1
        while spoken[first + times * length : first + (times + 1) * length] == phrase:
            times += 1
        if times > 1 and sum(map(len, phrase)) >= LEAST_LETTERS:
            return Run(first=first, length=length, times=times)
    return None


def only_said(words: Sequence[Word], pcm: Samples) -> bool:
    """Return whether the words repeat phrases, and the sound repeats all of them."""
    found = runs(words)
    return bool(found) and all(_sound_repeats(words, run, pcm) for run in found)


def repeated_in_sound(words: Sequence[Word], pcm: Samples) -> list[Stretch]:
    """Return where words repeat a phrase, and so does the sound (float32, 16 kHz)."""
    return [
        Stretch(start_s=words[run.first].start_s, end_s=words[run.end - 1].end_s)
        for run in runs(words)
        if _sound_repeats(words, run, pcm)
    ]


def _sound_repeats(words: Sequence[Word], run: Run, pcm: Samples) -> bool:
    """Return whether every occurrence of a phrase sounds like the one before it."""
    occurrences = [words[at : at + run.length] for at in range(run.first, run.end, run.length)]
    times = [(each[0].start_s, each[-1].end_s) for each in occurrences]
    lengths = [end_s - start_s for start_s, end_s in times]
    if min(lengths) < SHORTEST_S or max(lengths) > LENGTHS * min(lengths):
        return False
    shapes = [spectra(pcm[int(start_s * SAMPLE_RATE_HZ) : int(end_s * SAMPLE_RATE_HZ)]) for start_s, end_s in times]
    return all(distance(one, other) < ALIKE for one, other in pairwise(shapes))


def spectra(sound: Samples) -> Matrix:
    """Return log spectra in bands and their slopes, one row of unit length a frame."""
    if len(sound) < FRAME + 2 * SLOPE_FRAMES * HOP:
        return np.zeros((0, 2 * BANDS), dtype=np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(sound, FRAME)[::HOP] * np.hanning(FRAME).astype(np.float32)
    power = np.abs(np.fft.rfft(frames, 512)) ** 2
    edges = np.geomspace(LOWEST_HZ, HIGHEST_HZ, BANDS + 1) * 512 / SAMPLE_RATE_HZ
    bands = [power[:, int(low) : max(int(low) + 1, int(high))].sum(axis=1) for low, high in pairwise(edges)]
    energy = np.stack(bands, axis=1)
    logs = np.log(energy + FLOOR * energy.mean() + 1e-12)
    logs -= logs.mean(axis=0)
    slopes = np.zeros_like(logs)
    slopes[SLOPE_FRAMES:-SLOPE_FRAMES] = logs[2 * SLOPE_FRAMES :] - logs[: -2 * SLOPE_FRAMES]
    shape = np.concatenate([logs, slopes], axis=1)
    sizes = np.linalg.norm(shape, axis=1, keepdims=True)
    return np.asarray(shape / np.maximum(sizes, LEAST_CHANGE), dtype=np.float32)  # nothing is like steady sound


def distance(one: Matrix, other: Matrix) -> float:
    """Return the cosine distance of two sounds, warped in time; 2 without sound."""
    if not len(one) or not len(other):
        return 2.0
    costs = 1.0 - one @ other.T
    total = np.full((len(one) + 1, len(other) + 1), np.inf)
    total[0, 0] = 0.0
    for row in range(len(one)):
        place = row * len(other) / len(one)
        reach = WARP * len(other) + 1
        for column in range(max(0, int(place - reach)), min(len(other), int(place + reach) + 1)):
            diagonal = total[row, column] + 2 * costs[row, column]
            straight = min(total[row, column + 1], total[row + 1, column]) + costs[row, column]
            total[row + 1, column + 1] = min(diagonal, straight)
    return float(total[-1, -1] / (len(one) + len(other)))
