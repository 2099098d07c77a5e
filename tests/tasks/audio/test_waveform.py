"""Waveforms: a byte for each tenth of a second, for any block size."""

import numpy as np
import pytest

from tasks.audio.waveform import Peaks


@pytest.mark.parametrize("block", [160, 1600, 4001, 100_000])
def test_peaks_do_not_depend_on_how_the_samples_came(block: int) -> None:
    samples = np.random.default_rng(1).uniform(-1, 1, 50_000).astype(np.float32)
    peaks = Peaks()
    for start in range(0, len(samples), block):
        peaks.add(samples[start : start + block])
    loudest = np.array([np.abs(samples[at : at + 1600]).max() for at in range(0, 50_000, 1600)])
    assert list(peaks.data()) == [round(255 * float(one)) for one in loudest / loudest.max()]


def test_a_quiet_recording_has_as_many_heights_as_a_loud_one() -> None:
    steps = np.repeat(np.linspace(0, 0.004, 100, dtype=np.float32), 1600)  # 48 dB below full scale: one step of 1/255
    peaks = Peaks()
    peaks.add(steps)
    heights = peaks.data()
    assert len(set(heights)) == 100
    assert heights[-1] == 255


def test_sound_that_no_number_can_hold_spoils_no_other_moment() -> None:
    peaks = Peaks()
    peaks.add(np.array([0.1] * 1600 + [np.inf] * 1600, dtype=np.float32))
    assert list(peaks.data()) == [26, 255]


def test_what_is_louder_than_full_scale_is_full_scale_and_silence_is_nothing() -> None:
    peaks = Peaks()
    peaks.add(np.array([0.0] * 1600 + [-3.0] * 10, dtype=np.float32))
    assert list(peaks.data()) == [0, 255]
    assert Peaks().data() == b""
