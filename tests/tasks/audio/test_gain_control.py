"""Gain control: equal loudness, untouched room noise and clicks, any block size."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.audio.channels import as_ints
from tasks.audio.decode import Ints
from tasks.audio.gain_control import FRAME, GainControl
from tests.conftest import Clip
from tests.tasks.sounds import RATE_HZ, Samples, read_wav, silence


def levelled(sound: Ints, block: int = 16_000) -> tuple[Samples, NDArray[np.bool_]]:
    gain = GainControl()
    parts = [gain.push(sound[first : first + block]) for first in range(0, len(sound), block)] + [gain.finish()]
    return np.concatenate([part.samples for part in parts]), np.concatenate([part.quiet for part in parts])


def level_db(sound: Samples) -> float:
    return float(10 * np.log10(np.square(sound, dtype=np.float64).mean()))


def noise(seconds: float, level: float) -> Samples:
    random = np.random.default_rng(1)
    return (level * random.standard_normal(round(seconds * RATE_HZ))).astype(np.float32)


@pytest.mark.parametrize("quieter_db", [20, 40])
def test_a_quiet_voice_becomes_as_loud_as_a_loud_one(speech: list[Clip], quieter_db: int) -> None:
    loud = read_wav(speech[0].path)
    quiet = loud * np.float32(10 ** (-quieter_db / 20))
    sound, _ = levelled(as_ints(np.concatenate((loud, silence(0.5), quiet))))
    assert level_db(sound[-len(quiet) :]) == pytest.approx(level_db(sound[: len(loud)]), abs=4)


def test_a_room_is_not_lifted_to_the_level_of_a_voice() -> None:
    assert level_db(levelled(as_ints(noise(10.0, 0.0005)))[0]) < -49


def test_a_click_is_not_followed() -> None:
    sound = noise(2.0, 0.002)
    sound[: len(sound) // 2] *= 10  # so that the gain is not held by the room
    clicked = sound.copy()
    clicked[20_000] = 1.0
    plain, other = levelled(as_ints(sound))[0], levelled(as_ints(clicked))[0]
    away = np.abs(np.arange(len(plain)) - 20_000) > FRAME * 2
    assert np.abs(plain - other)[away].max() == 0


def test_an_offset_is_taken_away(speech: list[Clip]) -> None:
    sound = read_wav(speech[0].path) * np.float32(0.01)
    assert np.abs(levelled(as_ints(sound + np.float32(0.25)))[0] - levelled(as_ints(sound))[0]).max() < 0.01


@pytest.mark.parametrize("block", [1, 511, 512, 7_000])
def test_the_size_of_the_blocks_changes_nothing(speech: list[Clip], block: int) -> None:
    sound = as_ints(read_wav(speech[0].path)[: 5_000 if block == 1 else None])
    for one, other in zip(levelled(sound, block), levelled(sound), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("samples", [0, 1, FRAME - 1, FRAME, FRAME + 1, 10 * FRAME])
def test_every_sample_comes_out_in_whole_frames(samples: int) -> None:
    sound, quiet = levelled(np.ones(samples, dtype=np.int16))
    assert len(sound) == len(quiet) * FRAME == -(-samples // FRAME) * FRAME


def test_the_moment_between_two_words_is_quiet(speech: list[Clip]) -> None:
    word = as_ints(noise(0.5, 0.1))
    _, quiet = levelled(np.concatenate((word, word // 100, word)))
    assert quiet[round(0.5 * RATE_HZ / FRAME) + 2 : round(1.0 * RATE_HZ / FRAME) - 2].any()
    assert quiet.mean() < 0.4
