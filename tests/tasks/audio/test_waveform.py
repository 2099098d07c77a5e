"""Waveforms: a byte for each tenth of a second, whatever the blocks."""

import numpy as np
import pytest

from tasks.peaks import Peaks


@pytest.mark.parametrize("block", [160, 1600, 4001, 100_000])
def test_peaks_do_not_depend_on_how_the_samples_came(block: int) -> None:
    samples = np.random.default_rng(1).uniform(-1, 1, 50_000).astype(np.float32)
    peaks = Peaks()
    for start in range(0, len(samples), block):
        peaks.add(samples[start : start + block])
    expected = [round(255 * float(np.abs(samples[at : at + 1600]).max())) for at in range(0, 50_000, 1600)]
    assert list(peaks.data()) == expected


def test_what_is_louder_than_full_scale_is_full_scale_and_silence_is_nothing() -> None:
    peaks = Peaks()
    peaks.add(np.array([0.0] * 1600 + [-3.0] * 10, dtype=np.float32))
    assert list(peaks.data()) == [0, 255]
    assert Peaks().data() == b""
