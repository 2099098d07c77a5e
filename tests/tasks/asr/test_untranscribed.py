"""Classification of speech without text."""

import numpy as np
import pytest

from tasks.asr.untranscribed import Reason, sounds_like
from tests.conftest import Clip
from tests.tasks.sounds import RATE_HZ, Samples, read_wav, tone

NOISE: Samples = (0.1 * np.random.default_rng(3).standard_normal(4 * RATE_HZ)).astype(np.float32)
CHORD: Samples = tone(4.0, 262.0) + tone(4.0, 330.0) + tone(4.0, 392.0)


@pytest.mark.parametrize(
    ("sound", "reason"),
    [(NOISE, Reason.NOISE), (CHORD, Reason.MUSIC), (tone(0.1), Reason.NO_WORDS)],
    ids=["noise", "chord", "scrap"],
)
def test_noise_and_music_are_distinguished(sound: Samples, reason: Reason) -> None:
    assert sounds_like(sound) is reason


def test_a_voice_is_neither_noise_nor_music(speech: list[Clip]) -> None:
    assert {sounds_like(read_wav(clip.path)) for clip in speech} == {Reason.NO_WORDS}
