"""Assemble recordings of real speech by kind from a folder of clips with their text.

The files are named `name-en-1.ogg` and `name-en-1.txt`; a clip's language is the two letters between dashes. Clips of
different people follow each other in the order of their names, with half a second to two and a half of faint noise
between. The same folder always gives the same recordings. They are 16-bit WAV files, like most recordings.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.speech_material import SOUND, background
from tasks.audio.decode import SAMPLE_RATE_HZ, Samples
from tasks.audio.vad import find_speech
from tests.tasks.sounds import decoded

PAUSE_S = (0.5, 2.5)
FAINT = 0.00003
"""Root mean square of the noise everywhere: one step of 16 bits, below the quietest clip."""
LEVEL = 0.06
SNR_DB = 10.0
FAST = 1.5
TELEPHONE_HZ = (300.0, 3400.0)
MU = 255.0
EMPTY_S = 60.0
MIXED = "five languages in one"
SAID_AGAIN = "said three times"


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One clip in a recording: where it lies there, and which part of the clip at which pace it is."""

    clip: str
    language: str
    text: str
    start_s: float
    end_s: float
    clip_from_s: float = 0.0
    pace: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechRecording:
    """A WAV file, its kind and all that is said in it; nothing in a recording without speech."""

    path: Path
    kind: str
    language: str
    duration_s: float
    said: tuple[Utterance, ...]

    @property
    def name(self) -> str:
        return self.path.stem


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One clip as it was published, with its text."""

    path: Path
    language: str
    text: str
    sound: Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How the clips of one language become a recording.

    `change` is done to each clip, by its number; `over` to the whole sound at the end, with noise or music in it.
    """

    level: bool = True
    pauses: bool = True
    trimmed: bool = False
    pace: float = 1.0
    change: Callable[[Samples, int], Samples] = lambda sound, _number: sound
    over: Callable[[Samples, np.random.Generator], Samples] = lambda sound, _random: sound


def turned_down(down_db: float) -> Callable[[Samples, int], Samples]:
    """Return a change that makes every second clip quieter."""
    return lambda sound, number: sound * np.float32(10 ** (-down_db / 20) if number % 2 else 1.0)


def turned_away(sound: Samples, _number: int) -> Samples:
    """Return the clip with its second half 30 dB quieter, as when the speaker turns away for half a second."""
    middle, ramp = len(sound) // 2, SAMPLE_RATE_HZ // 4
    gain_db = np.interp(np.arange(len(sound)), [middle - ramp, middle + ramp], [0.0, -30.0])
    found: Samples = (sound * 10 ** (gain_db / 20)).astype(np.float32)
    return found


def with_background(kind: str) -> Callable[[Samples, np.random.Generator], Samples]:
    """Return a change that puts sound between and under all speech, 10 dB below it."""

    def change(sound: Samples, random: np.random.Generator) -> Samples:
        under = background(kind, len(sound), random)
        level = LEVEL * 10 ** (-SNR_DB / 20) / float(np.sqrt(np.mean(under**2)))
        found: Samples = (sound + level * under).astype(np.float32)
        return found

    return change


def by_telephone(sound: Samples, _random: np.random.Generator) -> Samples:
    """Return the sound as a telephone carries it: about 300 to 3,400 Hz, sampled at 8 kHz, in 8 bits by the mu law."""
    low, high = TELEPHONE_HZ
    band = filtered(sound, [("highpass", f"f={low}"), ("lowpass", f"f={high}"), ("aresample", "8000")])
    coded = np.sign(band) * np.log1p(MU * np.minimum(np.abs(band), 1)) / np.log1p(MU)
    steps = np.rint(coded * 127) / 127
    sent = np.sign(steps) * np.expm1(np.abs(steps) * np.log1p(MU)) / MU
    return filtered(sent, [("aresample", str(SAMPLE_RATE_HZ))], rate_hz=8000)


KINDS = {
    "own": Kind(level=False),
    "level": Kind(),
    "every second 30 dB down": Kind(change=turned_down(30)),
    "every second 50 dB down": Kind(change=turned_down(50)),
    "turns away": Kind(change=turned_away),
    "breathless": Kind(pauses=False, trimmed=True),
    "noise": Kind(over=with_background("noise")),
    "music": Kind(over=with_background("music")),
    "telephone": Kind(over=by_telephone),
    "fast": Kind(pace=FAST),
}
LONG = ("own", "level")
"""Kinds of which recordings of some minutes can be made."""


def hum(length: int) -> Samples:
    times = np.arange(length) / SAMPLE_RATE_HZ
    found: Samples = sum(0.1 / part * np.sin(2 * np.pi * 50 * part * times) for part in (1, 2, 3, 5)).astype(np.float32)  # type: ignore[union-attr]
    return found


def click(length: int) -> Samples:
    sound = np.zeros(length, dtype=np.float32)
    sound[length // 3] = 1.0
    return sound


EMPTY: dict[str, Callable[[int, np.random.Generator], Samples]] = {
    "digital silence": lambda length, _random: np.zeros(length, dtype=np.float32),
    "white noise at -50 dBFS": lambda length, random: white(length, random, -50),
    "white noise at -25 dBFS": lambda length, random: white(length, random, -25),
    "a tone": lambda length, random: background("tone", length, random),
    "chords with a beat": lambda length, random: background("music", length, random),
    "a hum": lambda length, _random: hum(length),
    "one full-scale sample in silence": lambda length, _random: click(length),
}


def white(length: int, random: np.random.Generator, level_db: float) -> Samples:
    return (10 ** (level_db / 20) * random.standard_normal(length)).astype(np.float32)


def language_of(path: Path) -> str:
    """Return the language that a clip's name tells, or nothing."""
    found = re.search(r"(?:^|[-_])([a-z]{2})(?=[-_]|$)", path.stem)
    return found[1] if found else ""


def languages_in(folder: Path) -> list[str]:
    """Return the languages of a folder's clips, by the alphabet."""
    return sorted({language_of(path) for path in folder.iterdir() if path.suffix in SOUND} - {""})


@cache
def clips_in(folder: Path, language: str, count: int = 0) -> tuple[Clip, ...]:
    """Return the clips of a language in the order of their names: the first `count`, or all."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in SOUND and language_of(path) == language)
    return tuple(read_clip(path, language) for path in paths[: count or None])


def read_clip(path: Path, language: str) -> Clip:
    sound = decoded(path)
    return Clip(path=path, language=language, text=path.with_suffix(".txt").read_text().strip(), sound=sound)


def levelled(sound: Samples) -> Samples:
    """Return the clip brought to one level: root mean square over what is at most 30 dB below its loudest moment."""
    frames = sound[: len(sound) // 320 * 320].reshape(-1, 320)
    power = np.mean(frames**2, axis=1)
    loud = float(np.sqrt(np.mean(power[power > power.max() / 1000])))
    found: Samples = np.clip(sound * np.float32(LEVEL / max(loud, 1e-9)), -1, 1)
    return found


def make(
    target: Path, clips: Sequence[Clip], kind_name: str, *, minutes: float = 0.0, seed: int = 9
) -> SpeechRecording:
    """Write the clips as a recording of a kind: each once, or, for some minutes, again in ever another order."""
    kind = KINDS.get(kind_name, Kind(level=False))
    random = np.random.default_rng(seed)
    parts: list[Samples] = []
    said: list[Utterance] = []
    samples = 0
    for number, clip in enumerate(_in_order(clips, random, again=minutes > 0)):
        if minutes and samples >= minutes * 60 * SAMPLE_RATE_HZ:
            break
        if kind.pauses:
            pause = int(random.uniform(*PAUSE_S) * SAMPLE_RATE_HZ)
            parts.append(np.zeros(pause, dtype=np.float32))
            samples += pause
        sound, from_s = _changed(clip.sound, kind, number)
        said.append(_placed(clip, kind, from_s, samples, len(sound)))
        parts.append(sound)
        samples += len(sound)
    whole = kind.over(np.concatenate(parts), random)
    whole += white(len(whole), random, 20 * np.log10(FAINT))
    return _written(target, whole, kind_name, clips[0].language, said)


def make_mixed(target: Path, clips: Sequence[Clip], *, seed: int = 9) -> SpeechRecording:
    """Write all clips of all languages as one recording, in random order, at their own levels."""
    order = np.random.default_rng(seed).permutation(len(clips))
    made = make(target, [clips[int(place)] for place in order], MIXED)
    return replace(made, language="mixed")


def make_said_again(target: Path, clip: Clip) -> SpeechRecording:
    """Write one clip three times with pauses: what was really said again stays said again."""
    return make(target, [clip] * 3, SAID_AGAIN)


def make_empty(target: Path, kind_name: str, *, seconds: float = EMPTY_S) -> SpeechRecording:
    """Write a recording in which nobody speaks."""
    sound = EMPTY[kind_name](int(seconds * SAMPLE_RATE_HZ), np.random.default_rng(9))
    return _written(target, sound, kind_name, "none", [])


def _in_order(clips: Sequence[Clip], random: np.random.Generator, *, again: bool) -> Iterator[Clip]:
    if not again:
        yield from clips
    while again:
        yield from (clips[int(place)] for place in random.permutation(len(clips)))


def _changed(sound: Samples, kind: Kind, number: int) -> tuple[Samples, float]:
    """Return the clip's sound as the kind has it, and where in the clip it begins."""
    from_s = 0.0
    if kind.trimmed:
        stretches = find_speech(sound)
        if stretches:
            from_s = stretches[0].start_s
            sound = sound[int(from_s * SAMPLE_RATE_HZ) : int(stretches[-1].end_s * SAMPLE_RATE_HZ)]
    if kind.level:
        sound = levelled(sound)
    if kind.pace != 1.0:
        sound = at_pace(sound, kind.pace)
    return kind.change(sound, number), from_s


def _placed(clip: Clip, kind: Kind, from_s: float, at: int, length: int) -> Utterance:
    return Utterance(
        clip=str(clip.path),
        language=clip.language,
        text=clip.text,
        start_s=at / SAMPLE_RATE_HZ,
        end_s=(at + length) / SAMPLE_RATE_HZ,
        clip_from_s=from_s,
        pace=kind.pace,
    )


def at_pace(sound: Samples, pace: float) -> Samples:
    """Return the sound so many times as fast, at its own pitch."""
    return filtered(sound, [("atempo", str(pace))])


def filtered(sound: Samples, filters: Sequence[tuple[str, str]], *, rate_hz: int = SAMPLE_RATE_HZ) -> Samples:
    """Return the sound after FFmpeg's filters, each with its arguments."""
    from av import AudioFrame
    from av.filter import Graph

    graph = Graph()
    parts = [graph.add_abuffer(sample_rate=rate_hz, format="flt", layout="mono")]
    parts += [graph.add(name, arguments) for name, arguments in filters]
    parts.append(graph.add("abuffersink"))
    for left, right in pairwise(parts):
        left.link_to(right)
    graph.configure()
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(sound[None], dtype=np.float32), format="flt", layout="mono")
    frame.sample_rate = rate_hz
    graph.push(frame)
    graph.push(None)
    found: list[Samples] = []
    while True:
        try:
            found.append(graph.pull().to_ndarray()[0])
        except (BlockingIOError, EOFError):
            return np.concatenate(found).astype(np.float32)


def _written(target: Path, sound: Samples, kind_name: str, language: str, said: Sequence[Utterance]) -> SpeechRecording:
    soundfile.write(target, np.clip(sound, -1, 1), SAMPLE_RATE_HZ, subtype="PCM_16")
    return SpeechRecording(
        path=target,
        kind=kind_name,
        language=language,
        duration_s=len(sound) / SAMPLE_RATE_HZ,
        said=tuple(said),
    )
