"""What is said several times is told from a loop by the sound."""

from pathlib import Path

import numpy as np
import pytest

from storage.domain.records import Stretch, Word
from tasks.asr.confidence import REPETITION, WindowText
from tasks.asr.redecode import candidate_of
from tasks.asr.sound_repeats import Run, only_said, repeated_in_sound, runs
from tasks.asr.whisper_decode import Take
from tasks.audio.decode import Samples
from tasks.audio.windows import Window
from tests.tasks.sounds import RATE_HZ, read_wav, silence, tone

SPEECH = read_wav(Path(__file__).parents[1] / "speech" / "es.flac")
PHRASE_S = 2.5
ONE, OTHER = (SPEECH[round(at * RATE_HZ) : round((at + PHRASE_S) * RATE_HZ)] for at in (0.5, 3.5))


def words(times: int, phrase: str = "mind the gap please") -> list[Word]:
    """Return a phrase that is said again every 3 s."""
    parts = phrase.split()
    step_s = PHRASE_S / len(parts)
    return [
        Word(start_s=3.0 * n + step_s * k, end_s=3.0 * n + step_s * (k + 1), text=f" {part}", probability=0.9)
        for n in range(times)
        for k, part in enumerate(parts)
    ]


def sound(*phrases: Samples, noise: float = 0.0) -> Samples:
    whole = np.concatenate([part for phrase in phrases for part in (phrase, silence(0.5))])
    hiss = np.random.default_rng(5).standard_normal(len(whole))
    return np.asarray(whole + noise * hiss, dtype=np.float32)


def test_a_phrase_that_is_repeated_at_once_is_found() -> None:
    assert runs(words(3)) == [Run(first=0, length=4, times=3)]
    assert runs(words(1)) == []
    assert runs(words(4, "no")) == []  # sounds like too much else


@pytest.mark.parametrize("noise", [0.0, 0.003])
def test_what_the_sound_repeats_was_said(noise: float) -> None:
    pcm = sound(ONE, 0.5 * ONE, ONE, ONE, noise=noise)
    assert only_said(words(4), pcm)
    assert repeated_in_sound(words(4), pcm) == [Stretch(start_s=0.0, end_s=11.5)]


def test_what_only_the_text_repeats_is_a_loop() -> None:
    assert not only_said(words(4), sound(ONE, ONE, OTHER, ONE))
    assert repeated_in_sound(words(2), sound(ONE, OTHER)) == []
    assert not only_said(words(4), silence(12.0))
    assert not only_said(words(4), tone(12.0))


def test_repetitions_that_take_no_time_are_a_loop() -> None:
    squeezed = [
        Word(start_s=0.02 * n, end_s=0.02 * n + 0.02, text=word.text, probability=1.0)
        for n, word in enumerate(words(4))
    ]
    assert not only_said(squeezed, sound(ONE, ONE, ONE, ONE))


@pytest.mark.parametrize(("second", "doubted"), [(ONE, False), (OTHER, True)])
def test_a_repetition_is_doubted_only_if_the_sound_does_not_show_it(second: Samples, *, doubted: bool) -> None:
    speech = [Stretch(start_s=3.0 * n, end_s=3.0 * n + PHRASE_S) for n in range(5)]
    take = Take(window=Window(pieces=(Stretch(start_s=0.0, end_s=15.0),)), speech=speech)
    decoded = WindowText(
        text="mind the gap please " * 5,
        words=tuple(words(5)),
        tokens=25,
        avg_logprob=-0.1,
        no_speech_prob=0.0,
        compression_ratio=3.0,
        temperature=0.0,
    )
    reasons = candidate_of(decoded, take, sound(ONE, second, ONE, ONE, ONE))[1]
    assert (REPETITION in reasons) == doubted
