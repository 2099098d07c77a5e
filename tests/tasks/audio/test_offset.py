"""The constant offset of a bad sound card is taken off, channel by channel."""

import numpy as np
import pytest

from tasks.audio.channels import Ints, as_ints
from tasks.audio.offset import OffsetRemover
from tests.conftest import SAMPLE
from tests.tasks.sounds import RATE_HZ, decoded, tone


def removed(sound: Ints, size: int = 160_000) -> tuple[Ints, float]:
    remover = OffsetRemover()
    blocks = [done for first in range(0, len(sound), size) for done in remover.push(sound[first : first + size])]
    return np.concatenate([*blocks, *remover.finish()]), remover.largest


@pytest.fixture(scope="module")
def talk() -> Ints:
    return as_ints(decoded(SAMPLE) * np.float32(0.5))[:, np.newaxis]


@pytest.mark.parametrize("offset", [-12_000, 328, 100])
def test_what_is_left_is_the_sound_without_the_offset(talk: Ints, offset: int) -> None:
    found, largest = removed(talk + np.int16(offset))
    assert np.abs(found.astype(int) - talk).max() <= 2
    assert largest == pytest.approx(abs(offset) / 32768, abs=2 / 32768)


def test_sound_without_an_offset_stays_as_it_is(talk: Ints) -> None:
    for sound in (talk, as_ints(tone(25.0, hz=3.0))[:, np.newaxis], np.zeros((90_000, 2), dtype=np.int16)):
        found, largest = removed(sound)
        assert np.array_equal(found, sound)
        assert largest == 0.0


def test_each_channel_has_its_own(talk: Ints) -> None:
    both = np.hstack([talk, talk + np.int16(500)])
    found, _ = removed(both)
    assert np.array_equal(found[:, 0], talk[:, 0])
    assert np.abs(found[:, 1].astype(int) - talk[:, 0]).max() <= 2


@pytest.mark.parametrize("size", [1_000, 170_000, 10_000_000])
def test_the_size_of_the_blocks_changes_nothing(talk: Ints, size: int) -> None:
    sound = talk + np.int16(300)
    assert np.array_equal(removed(sound, size)[0], removed(sound)[0])


def test_channels_may_change_midway(talk: Ints) -> None:
    remover = OffsetRemover()
    blocks = [*remover.push(talk + np.int16(300)), *remover.push(np.hstack([talk, talk])), *remover.finish()]
    assert [block.shape[1] for block in blocks] == sorted(block.shape[1] for block in blocks)
    assert sum(map(len, blocks)) == 2 * len(talk)
    assert len(blocks[-1]) / RATE_HZ <= 10
