"""Voice activity detection at any level and block size."""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from storage.domain.records import Stretch
from tasks.audio.decode import Samples
from tasks.audio.gain_control import FRAME
from tasks.audio.vad import SHORTEST_SPEECH, SpeechFinder, Voice, find_speech
from tests.conftest import Clip
from tests.processes import ROOT
from tests.tasks.sounds import RATE_HZ, read_wav, silence, tone


def noise(seconds: float, level: float = 0.1) -> Samples:
    random = np.random.default_rng(1)
    return (level * random.standard_normal(round(seconds * RATE_HZ))).astype(np.float32)


def click() -> Samples:
    sound = silence(20.0)
    sound[10 * RATE_HZ] = 1.0
    return sound


def hum(level: float) -> Samples:
    sound: Samples = np.stack([tone(20.0, hz=50.0 * n, level=level / n) for n in range(1, 8)]).sum(axis=0)
    return sound


def chords(level: float) -> Samples:
    """Return three chords in turn, struck twice a second."""
    times = np.arange(20 * RATE_HZ) / RATE_HZ
    hz = np.array([(220, 277.2, 329.6), (196, 246.9, 293.7), (174.6, 220, 261.6)])[(times // 0.5 % 3).astype(int)]
    sound = level * np.exp(-6 * (times % 0.5)) * np.sin(2 * np.pi * hz.T * times).sum(axis=0)
    return np.asarray(sound, dtype=np.float32)


def breath() -> Samples:
    """Return noise that comes and goes as breath does."""
    times = np.arange(20 * RATE_HZ) / RATE_HZ
    return (noise(20.0, 0.003) * (0.5 + 0.5 * np.sin(2 * np.pi * 0.3 * times)) ** 2).astype(np.float32)


NOBODY = {
    "silence": silence(20.0),
    "noise": noise(20.0),
    "faint noise": noise(20.0, 0.001),
    "tone": tone(20.0),
    "high tone": tone(20.0, hz=1000.0),
    "faint tone": tone(20.0, level=0.001),
    "hum": hum(0.05),
    "faint hum": hum(0.0002),
    "chords": chords(0.1),
    "faint chords": chords(0.001),
    "breath": breath(),
    "click": click(),
}


@pytest.mark.parametrize("sound", NOBODY.values(), ids=NOBODY)
def test_nobody_speaks_where_there_is_no_voice(sound: Samples) -> None:
    assert sum(stretch.end_s - stretch.start_s for stretch in find_speech(sound)) < 0.2


def share_found(words: Iterable[tuple[str, float, float]], found: Sequence[Stretch], from_s: float = 0.0) -> float:
    spoken = [(start_s + from_s, end_s + from_s) for _, start_s, end_s in words]
    heard_s = sum(
        max(0.0, min(end_s, stretch.end_s) - max(start_s, stretch.start_s))
        for start_s, end_s in spoken
        for stretch in found
    )
    return heard_s / sum(end_s - start_s for start_s, end_s in spoken)


def test_it_finds_the_words_of_a_clip(speech: list[Clip]) -> None:
    for clip in speech[:4]:
        assert share_found(clip.words, find_speech(read_wav(clip.path))) > 0.95


@pytest.mark.parametrize("quieter_db", [0, 20, 30, 40])
@pytest.mark.parametrize("pause_s", [0.3, 1.5])
def test_a_quiet_voice_is_found_beside_loud_ones(speech: list[Clip], quieter_db: int, pause_s: float) -> None:
    parts, places = [noise(1.0, 0.00005)], []
    for number, clip in enumerate(speech[:7]):
        gain = np.float32(10 ** (-quieter_db / 20) if number % 2 else 1)
        places.append((clip, sum(map(len, parts)) / RATE_HZ))
        parts += [read_wav(clip.path) * gain, noise(pause_s, 0.00005)]
    found = find_speech(np.concatenate(parts))
    assert min(share_found(clip.words, found, from_s) for clip, from_s in places) > 0.9


def test_neither_an_offset_nor_a_click_hides_a_quiet_voice(speech: list[Clip]) -> None:
    for clip in speech[:3]:
        sound = read_wav(clip.path) * np.float32(0.003) + np.float32(0.01)
        sound[len(sound) // 2] = 1.0
        assert share_found(clip.words, find_speech(sound)) > 0.9


@pytest.fixture(scope="module")
def talk(speech: list[Clip]) -> Samples:
    return np.concatenate([part for clip in speech[:6] for part in (read_wav(clip.path), silence(1.0))])


@pytest.mark.parametrize("block", [511, 512, 5_000, 160_000])
def test_the_size_of_the_blocks_changes_nothing(talk: Samples, block: int) -> None:
    finder = SpeechFinder()
    found = [stretch for start in range(0, len(talk), block) for stretch in finder.push(talk[start : start + block])]
    assert (*found, *finder.finish()) == find_speech(talk)


class OtherProcessor(Voice):
    """Gives probabilities that are a little off, as another processor's are."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = np.random.default_rng(seed)

    def probabilities(self, samples: Samples) -> NDArray[np.float32]:
        found = super().probabilities(samples)
        return (found + 1e-4 * self._random.standard_normal(len(found))).astype(np.float32)


def test_another_processor_finds_the_same(talk: Samples) -> None:
    expected = find_speech(talk)
    for seed in range(5):
        finder = SpeechFinder(OtherProcessor(seed))
        assert (*finder.push(talk), *finder.finish()) == expected


class FrameLater(Voice):
    """Hears the onsets and ends of speech one frame too late."""

    def __init__(self) -> None:
        super().__init__()
        self._last = np.zeros(1, dtype=np.float32)

    def probabilities(self, samples: Samples) -> NDArray[np.float32]:
        found = np.concatenate((self._last, super().probabilities(samples)))
        self._last = found[-1:]
        return found[:-1]


def test_one_frame_more_or_less_moves_few_stretches(talk: Samples) -> None:
    finder = SpeechFinder(FrameLater())
    expected = set(find_speech(talk))
    assert len(expected & {*finder.push(talk), *finder.finish()}) > 0.5 * len(expected)


class Scripted(Voice):
    """Gives the probabilities that a test has written down."""

    def __init__(self, script: Sequence[float]) -> None:
        super().__init__()
        self._script = np.asarray(script, dtype=np.float32)

    def probabilities(self, samples: Samples) -> NDArray[np.float32]:
        given, self._script = np.split(self._script, [len(samples) // FRAME])
        return given


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.4, 1.0]), st.integers(1, 30)), min_size=1, max_size=30),
    st.integers(1, 40),
    st.integers(0, 1000),
)
def test_what_is_surely_speech_is_found_in_order_and_once(runs: list[tuple[float, int]], block: int, seed: int) -> None:
    script = [probability for probability, count in runs for _ in range(count)]
    random = np.random.default_rng(seed)
    sound = np.repeat(random.uniform(0.0, 0.1, len(script)), FRAME) * random.standard_normal(len(script) * FRAME)
    whole, parts = SpeechFinder(Scripted(script)), SpeechFinder(Scripted(script))
    found = [*whole.push(sound.astype(np.float32)), *whole.finish()]
    steps = range(0, len(sound), block * FRAME)
    in_parts = [each for first in steps for each in parts.push(sound[first : first + block * FRAME].astype(np.float32))]
    assert [*in_parts, *parts.finish()] == found
    edges = [edge for stretch in found for edge in (stretch.start_s, stretch.end_s)]
    assert edges == sorted(edges)
    at = 0
    for probability, count in runs:
        if probability == 1.0 and count >= SHORTEST_SPEECH:
            start_s, end_s = round(at * FRAME / RATE_HZ, 3), round((at + count) * FRAME / RATE_HZ, 3)
            assert any(stretch.start_s <= start_s and stretch.end_s >= end_s for stretch in found)
        at += count


def test_stretches_follow_one_another_inside_the_sound(talk: Samples) -> None:
    edges = [edge for stretch in find_speech(talk) for edge in (stretch.start_s, stretch.end_s)]
    assert edges == sorted(edges)
    assert edges[-1] <= len(talk) / RATE_HZ


def test_what_may_still_change_is_not_settled(talk: Samples) -> None:
    finder, ended = SpeechFinder(), []
    whole = find_speech(talk)
    for first in range(0, len(talk), 1_000):
        ended += finder.push(talk[first : first + 1_000])
        settled_s, open_since_s = finder.settled_s, finder.open_since_s
        known = [stretch for stretch in whole if stretch.end_s <= settled_s]
        assert ended[: len(known)] == known
        begun = [stretch for stretch in whole if stretch.start_s <= settled_s < stretch.end_s]
        assert not begun or begun[0] in ended or begun[0].start_s == open_since_s


def test_nothing_is_reported_to_who_made_the_runtime(tmp_path: Path) -> None:
    """It would keep a device id, and reports to be sent, in these folders."""
    places = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    env = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"} | places
    listen = "from tasks.audio.vad import Voice; import numpy; Voice().probabilities(numpy.zeros(512, numpy.float32))"
    subprocess.run([sys.executable, "-c", listen], env=env, cwd=ROOT, check=True)

    assert not list(tmp_path.rglob("*"))
