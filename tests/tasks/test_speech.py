"""Finding speech: none where nobody speaks, all of it where somebody does, whatever the size of the blocks."""

import numpy as np
import pytest

from tasks.decode import Samples
from tasks.speech import SpeechFinder, find_speech
from tests.conftest import Clip
from tests.tasks.sounds import RATE_HZ, read_wav, silence, tone


def noise(seconds: float, level: float = 0.1) -> Samples:
    random = np.random.default_rng(1)
    return (level * random.standard_normal(round(seconds * RATE_HZ))).astype(np.float32)


@pytest.mark.parametrize("sound", [silence(20.0), noise(20.0), tone(20.0), tone(20.0, hz=1000.0)])
def test_nobody_speaks_in_silence_noise_and_tones(sound: Samples) -> None:
    assert sum(stretch.end_s - stretch.start_s for stretch in find_speech(sound)) < 0.2


def test_it_finds_the_words_of_a_clip(speech: list[Clip]) -> None:
    for clip in speech[:4]:
        found = find_speech(read_wav(clip.path))
        spoken_s = sum(end - start for _, start, end in clip.words)
        heard_s = sum(
            max(0.0, min(end, stretch.end_s) - max(start, stretch.start_s))
            for _, start, end in clip.words
            for stretch in found
        )
        assert heard_s > 0.9 * spoken_s


@pytest.mark.parametrize("block", [511, 512, 5_000, 160_000])
def test_the_size_of_the_blocks_changes_nothing(speech: list[Clip], block: int) -> None:
    sound = np.concatenate([part for clip in speech[:3] for part in (read_wav(clip.path), silence(1.0))])
    finder = SpeechFinder()
    found = [stretch for start in range(0, len(sound), block) for stretch in finder.push(sound[start : start + block])]
    assert (*found, *finder.finish()) == find_speech(sound)


def test_stretches_follow_one_another_inside_the_sound(speech: list[Clip]) -> None:
    sound = read_wav(speech[0].path)
    edges = [edge for stretch in find_speech(sound) for edge in (stretch.start_s, stretch.end_s)]
    assert edges == sorted(edges)
    assert edges[-1] <= len(sound) / RATE_HZ
