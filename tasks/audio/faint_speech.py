"""Find what may be speech where the detector found none.

This is a second opinion beside `tasks.audio.vad`, with other means: levels in twelve bands from 300 to 3,400 Hz above
the noise of the room. A voice changes its loudness and its spectrum 2 to 8 times a second. Noise, knocks and wind keep
their spectrum; tones, hum and music keep their fine structure for a tenth of a second, which a voice does not. The
thresholds are from docs/decisions/0012-a-second-opinion-on-speech.md.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from storage.domain.records import Stretch
from tasks.audio.channels import Ints
from tasks.audio.decode import SAMPLE_RATE_HZ

FRAME, HOP = 1024, 512  # samples: 64 ms, every 32 ms
HOP_S = HOP / SAMPLE_RATE_HZ
BANDS = 12
LOWEST_HZ, HIGHEST_HZ = 300.0, 3400.0
APART = 3  # frames between two spectra that are compared: 96 ms
TINY = 1e-4  # of a 16-bit step squared: digital silence
MOST_DB = 40.0

LOOK, STEP = 64, 16  # frames: two seconds are judged together, every half second
ROOM_PERCENTILE, LOUD_PERCENTILE = 10, 60
SLOWEST_HZ, SLOWEST_SYLLABLES_HZ, FASTEST_SYLLABLES_HZ = 0.4, 2.0, 8.0
LEAST_CHANGE_DB = 0.7  # of the level, at the rate of syllables: noise about 0.3
LEAST_SYLLABIC, MOST_SYLLABIC = 0.4, 0.95  # share of syllables in all changes of level
LEAST_SHAPE_DB = 1.3  # change of the bands among each other: noise and knocks about 1.0
LEAST_ALIKE, MOST_ALIKE = 0.38, 0.73  # likeness of spectra: a siren about 0, noise 0.79, tones above 0.8
TONAL, MOST_TONAL = 0.9, 0.1  # share of frames whose spectrum stays as it is
IN_A_ROW = 2  # judgements that agree
BESIDE_S = 0.3  # beside detected speech, its echo is heard
LONGEST_S = 20.0  # silence that is judged at once, by one level of the room's noise
JOIN_S = 0.5
REACH = 6  # frames kept before the first loud frame and after the last

Levels = NDArray[np.float64]

_WINDOW = np.hanning(FRAME)
_HZ = np.fft.rfftfreq(FRAME, 1 / SAMPLE_RATE_HZ)
_IN_BAND = (_HZ >= LOWEST_HZ) & (_HZ < HIGHEST_HZ)
_BEGINS = np.searchsorted(_HZ[_IN_BAND], np.geomspace(LOWEST_HZ, HIGHEST_HZ, BANDS + 1)[:-1])
_WIDTHS = np.diff([*_BEGINS, int(_IN_BAND.sum())])
_RATES_HZ = np.fft.rfftfreq(LOOK, HOP_S)
_SYLLABLES = (_RATES_HZ >= SLOWEST_SYLLABLES_HZ) & (_RATES_HZ <= FASTEST_SYLLABLES_HZ)
_CHANGES = _RATES_HZ >= SLOWEST_HZ


class FaintSpeechFinder:
    """Finds what may be speech between two moments of a stream of 16 kHz samples.

    Only the silences that are asked about are analysed. The size of the blocks does not change the result.
    """

    def __init__(self) -> None:
        self._blocks: list[Ints] = []
        self._first = self._behind = 0  # numbers of the first sample held, and of the one after the last

    def push(self, block: Ints) -> None:
        """Take the next samples."""
        self._blocks.append(block)
        self._behind += len(block)

    def forget_before(self, moment_s: float) -> None:
        """Discard the blocks that no question about later moments needs."""
        while self._blocks and self._first + len(self._blocks[0]) <= int(moment_s * SAMPLE_RATE_HZ):
            self._first += len(self._blocks.pop(0))

    def between(self, start_s: float, end_s: float) -> list[Stretch]:
        """Return what may be speech in a silence of the detector, not at its edges."""
        first = max(0, int(np.ceil((start_s + BESIDE_S) / HOP_S)))
        behind = int((end_s - BESIDE_S - FRAME / SAMPLE_RATE_HZ) / HOP_S) + 1
        behind = min(behind, (self._behind - FRAME) // HOP + 1)
        if behind - first < LOOK:
            return []
        levels, alike = self._analysed(first, behind)
        above = np.clip(levels - np.percentile(levels, ROOM_PERCENTILE, axis=0), 0.0, MOST_DB)
        spoken = [
            _is_like_speech(above[place : place + LOOK], alike[place : place + LOOK])
            for place in range(0, len(levels) - LOOK + 1, STEP)
        ]
        found: list[Stretch] = []
        for begin, end in _runs(spoken):
            begin_frame, end_frame = begin * STEP, (end - 1) * STEP + LOOK
            stretch = _loud_part(above[begin_frame:end_frame], (first + begin_frame) * HOP_S)
            if found and stretch.start_s - found[-1].end_s < JOIN_S:
                stretch = Stretch(start_s=found.pop().start_s, end_s=stretch.end_s)
            found.append(stretch)
        return found

    def _analysed(self, first: int, behind: int) -> tuple[Levels, Levels]:
        """Return the frames' levels, and their likeness to earlier frames."""
        begin = max(0, first - APART)
        samples = self._samples(begin * HOP, (behind - 1) * HOP + FRAME)
        frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
        power = np.abs(np.fft.rfft(frames * _WINDOW, axis=1)[:, _IN_BAND]) ** 2
        shapes = np.sqrt(power) / np.sqrt(power.sum(axis=1, keepdims=True) + TINY)
        alike = np.zeros(len(frames))  # nothing is like what came before the first sample
        alike[APART:] = (shapes[APART:] * shapes[:-APART]).sum(axis=1)
        levels = np.round(10 * np.log10(in_bands(power) + TINY), 3)
        return levels[first - begin :], np.round(alike, 4)[first - begin :]

    def _samples(self, first: int, behind: int) -> Ints:
        """Return the samples between two numbers, from the blocks that hold them."""
        parts, at = [], self._first
        for block in self._blocks:
            if at < behind and at + len(block) > first:
                parts.append(block[max(0, first - at) : behind - at])
            at += len(block)
        return np.concatenate(parts)


def in_bands(power: Levels) -> Levels:
    """Return the mean power in each band."""
    return np.asarray(np.add.reduceat(power, _BEGINS, axis=1) / _WIDTHS, dtype=np.float64)


def _is_like_speech(above: Levels, alike: Levels) -> bool:
    """Return whether two seconds sound like a voice."""
    loudness = above.mean(axis=1)
    syllabic, every = _change_db(loudness, _SYLLABLES), _change_db(loudness, _CHANGES)
    if syllabic < LEAST_CHANGE_DB or not LEAST_SYLLABIC * every <= syllabic <= MOST_SYLLABIC * every:
        return False
    if float(np.mean(_change_db(above - loudness[:, np.newaxis], _SYLLABLES))) < LEAST_SHAPE_DB:
        return False
    loud = alike[loudness >= np.percentile(loudness, LOUD_PERCENTILE)]
    if float(np.mean(loud > TONAL)) > MOST_TONAL:
        return False
    return LEAST_ALIKE <= float(np.median(loud)) <= MOST_ALIKE


def _change_db(levels: Levels, rates: NDArray[np.bool_]) -> Levels:
    """Return the root mean square of the changes at these rates."""
    spectrum = np.fft.rfft(levels - levels.mean(axis=0), axis=0)[rates]
    return np.asarray(np.sqrt(2 * (np.abs(spectrum) ** 2).sum(axis=0)) / len(levels))


def _runs(spoken: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last judgement of each run that is long enough."""
    begin = 0
    for at in range(len(spoken) + 1):
        if at < len(spoken) and spoken[at]:
            continue
        if at - begin >= IN_A_ROW:
            yield begin, at
        begin = at + 1


def _loud_part(levels: Levels, from_s: float) -> Stretch:
    """Return the stretch from the first to the last loud frame."""
    loudness = levels.mean(axis=1)
    loud = np.flatnonzero(loudness >= np.mean(np.percentile(loudness, [ROOM_PERCENTILE, 100 - ROOM_PERCENTILE])))
    begin, end = max(0, int(loud[0]) - REACH), min(len(levels), int(loud[-1]) + REACH + 2)
    return Stretch(start_s=round(from_s + begin * HOP_S, 3), end_s=round(from_s + end * HOP_S, 3))
