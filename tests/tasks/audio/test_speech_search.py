"""What may be speech beside what the detector finds: quiet voices in noise."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from storage.domain.records import Stretch
from tasks.audio import faint_speech
from tasks.audio.channels import as_ints
from tasks.audio.decode import Samples
from tasks.audio.faint_speech import FaintSpeechFinder
from tasks.audio.gain_control import FRAME
from tasks.audio.speech_search import FoundSpeech, SpeechSearch, joined, search
from tasks.audio.vad import SpeechFinder, Voice
from tests.conftest import JFK, Clip
from tests.tasks.audio.test_vad import NOBODY, noise
from tests.tasks.sounds import RATE_HZ, decoded, read_wav, silence

QUIET = np.float32(10 ** (-40 / 20))
ROOM = 0.0018  # root mean square of the noise in the room, about as loud as the quiet voice


class Deaf(Voice):
    """Hears nobody."""

    def probabilities(self, samples: Samples) -> NDArray[np.float32]:
        return np.zeros(len(super().probabilities(samples)), dtype=np.float32)


class Sure(Voice):
    """Hears somebody all the time."""

    def probabilities(self, samples: Samples) -> NDArray[np.float32]:
        return np.ones(len(samples) // FRAME, dtype=np.float32)


def seconds(found: Sequence[Stretch], from_s: float, to_s: float) -> float:
    return sum(max(0.0, min(each.end_s, to_s) - max(each.start_s, from_s)) for each in found)


@pytest.fixture(scope="module")
def talk() -> Samples:
    """Return a quiet speaker, from 6 s to 17 s, between a loud one."""
    whole = decoded(JFK)
    loud = whole[: 5 * RATE_HZ]
    sound = np.concatenate([loud, silence(1.0), whole * QUIET, silence(1.0), loud])
    return sound + noise(len(sound) / RATE_HZ, ROOM)


@pytest.mark.parametrize("sound", NOBODY.values(), ids=NOBODY)
def test_nobody_may_speak_where_there_is_no_voice(sound: Samples) -> None:
    faint = FaintSpeechFinder()
    faint.push(as_ints(sound))
    assert faint.between(0.0, len(sound) / RATE_HZ) == []


@pytest.mark.parametrize("snr_db", [15, 10, 5])
def test_a_voice_in_noise_may_be_speech_at_any_level(speech: list[Clip], snr_db: int) -> None:
    for clips in (speech[:4], speech[4:8], speech[8:]):
        said = np.concatenate([part for clip in clips for part in (read_wav(clip.path), silence(0.25))])
        said *= np.float32(0.001 / np.sqrt(np.mean(said**2)))
        sound = np.concatenate([silence(1.0), said, silence(1.0)])
        faint = FaintSpeechFinder()
        faint.push(as_ints(sound + noise(len(sound) / RATE_HZ, 0.001 * 10 ** (-snr_db / 20))))
        found = faint.between(0.0, len(sound) / RATE_HZ)
        assert seconds(found, 1.0, 1.0 + len(said) / RATE_HZ) > 0.5 * len(said) / RATE_HZ


def test_a_quiet_speaker_whom_the_detector_misses_may_be_speech(talk: Samples) -> None:
    found = search(talk)
    assert seconds(found.speech, 6.0, 17.0) < 2.0
    assert seconds(found.both, 6.0, 17.0) > 5.0
    assert seconds(found.maybe, 0.0, 5.5) + seconds(found.maybe, 17.5, 23.0) == 0.0
    edges = [edge for stretch in found.both for edge in (stretch.start_s, stretch.end_s)]
    assert edges == sorted(edges)


def in_blocks(sound: Samples, size: int, finder: SpeechFinder | None = None) -> FoundSpeech:
    whole = SpeechSearch(finder)
    parts = [whole.push(sound[first : first + size]) for first in range(0, len(sound), size)]
    return joined([*parts, whole.finish()])


@pytest.mark.parametrize("size", [30_000, 10_000_000])
def test_the_size_of_the_blocks_changes_nothing(talk: Samples, size: int) -> None:
    assert in_blocks(talk, size) == search(talk)


def test_only_silences_are_analysed(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[int] = []
    in_bands = faint_speech.in_bands

    def watched(power: NDArray[np.float64]) -> NDArray[np.float64]:
        judged.append(len(power))
        return in_bands(power)

    monkeypatch.setattr(faint_speech, "in_bands", watched)
    sound = noise(60.0, 0.1)
    assert in_blocks(sound, 160_000, SpeechFinder(Sure())).maybe == ()
    assert judged == []
    in_blocks(sound[: 10 * RATE_HZ], 160_000, SpeechFinder(Deaf()))
    assert sum(judged) * faint_speech.HOP_S < 10.0


def test_what_a_detector_misses_everywhere_may_be_speech_in_order(talk: Samples) -> None:
    found = in_blocks(talk, 160_000, SpeechFinder(Deaf()))
    assert found.speech == ()
    assert seconds(found.maybe, 0.0, 23.0) > 10.0
    edges = [edge for stretch in found.maybe for edge in (stretch.start_s, stretch.end_s)]
    assert edges == sorted(edges)


def test_nothing_is_settled_before_the_silence_is_judged(talk: Samples) -> None:
    whole, found = SpeechSearch(), search(talk).both
    ended: list[Stretch] = []
    for first in range(0, len(talk), 40_000):
        ended += whole.push(talk[first : first + 40_000]).both
        open_since_s = whole.open_since_s
        known = [stretch for stretch in found if stretch.end_s <= whole.settled_s]
        assert ended[: len(known)] == known
        begun = [stretch for stretch in found if stretch.start_s < whole.settled_s < stretch.end_s]
        assert not begun or begun[0] in ended or begun[0].start_s == open_since_s
