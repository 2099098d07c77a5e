"""Assemble recordings of any length from clips with known words, and count word errors."""

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
import soundfile

from tasks.audio.decode import SAMPLE_RATE_HZ, Samples
from tasks.audio.vad import find_speech
from tests.tasks.sounds import decoded

SOUND = {".flac", ".wav", ".ogg", ".mp3", ".m4a"}
PAUSES_S = (0.4, 0.7, 1.1, 0.5, 1.8)
LEVEL = 0.5
TINY_VOCABULARY = Path(__file__).parents[1] / "tests" / "assets" / "tiny_vocabulary"
TINY_MODEL = TINY_VOCABULARY / "tiny-vocabulary.en"
TINY_SPEECH = TINY_VOCABULARY / "speech"
HISS = 0.0001
"""Under all speech, 95 dB below it: clips come again, and spans that are the same twice would be heard once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A WAV file and what is said in it."""

    path: Path
    text: str
    duration_s: float
    words: tuple[tuple[str, float, float], ...] = ()  # with their times, where the folder tells them


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How clips are put together: the pauses in turn, in seconds; `trimmed` clips begin and end with speech."""

    pauses_s: tuple[float, ...] = PAUSES_S
    trimmed: bool = False


def assemble(folder: Path, match: str, minutes: float, target: Path, setting: Setting | None = None) -> Recording:
    """Write `minutes` of speech: all clips in ever another order, equally loud, with pauses of 0.4 to 1.8 s between."""
    how = setting or Setting()
    paths = sorted(path for path in folder.glob(match) if path.suffix in SOUND)
    if not paths:
        raise SystemExit(f"no recordings in {folder} match {match}")
    clips = [_clip(path, trimmed=how.trimmed) for path in paths]
    random = np.random.default_rng(7)
    texts: list[str] = []
    words: list[tuple[str, float, float]] = []
    samples = 0
    with soundfile.SoundFile(target, "w", SAMPLE_RATE_HZ, 1, "PCM_16") as out:
        for clip, pause_s in zip(_shuffled(clips, random), cycle(how.pauses_s), strict=False):
            if samples >= minutes * 60 * SAMPLE_RATE_HZ:
                break
            at_s = samples / SAMPLE_RATE_HZ
            words += [(word, start_s + at_s, end_s + at_s) for word, start_s, end_s in clip.words]
            pause = np.zeros(int(pause_s * SAMPLE_RATE_HZ), dtype=np.float32)
            under = background("noise", len(clip.sound), random) * HISS
            for part in (clip.sound + under, pause):
                out.write(part)
                samples += len(part)
            texts.append(clip.text)
    return Recording(path=target, text=" ".join(texts), duration_s=samples / SAMPLE_RATE_HZ, words=tuple(words))


def _shuffled(clips: list["_Clip"], random: np.random.Generator) -> Iterator["_Clip"]:
    while True:
        yield from (clips[place] for place in random.permutation(len(clips)))


def background(kind: str, length: int, random: np.random.Generator) -> Samples:
    """Return sound without speech, about as loud as speech: silence, noise, a tone, or chords with a beat."""
    times = np.arange(length) / SAMPLE_RATE_HZ
    if kind == "noise":
        return (0.1 * random.standard_normal(length)).astype(np.float32)
    if kind == "tone":
        return (0.2 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)
    if kind == "music":
        chord = np.array([(220, 277.2, 329.6), (196, 246.9, 293.7), (174.6, 220, 261.6)])[
            (times // 0.5 % 3).astype(int)
        ]
        beat = np.exp(-6 * (times % 0.5))
        found: Samples = (0.1 * beat * np.sin(2 * np.pi * chord.T * times).sum(axis=0)).astype(np.float32)
        return found
    return np.zeros(length, dtype=np.float32)


def word_errors(said: str, heard: str) -> float:
    """Return the word error rate in percent: substitutions, insertions and deletions over the words said."""
    left, right = words_in(said), words_in(heard)
    row = np.arange(len(right) + 1)
    codes = {word: number for number, word in enumerate({*left, *right})}
    heard_codes = np.array([codes[word] for word in right])
    steps = np.arange(len(right) + 1)
    for count, word in enumerate(left, 1):
        best = np.empty_like(row)
        best[0] = count
        best[1:] = np.minimum(row[:-1] + (heard_codes != codes[word]), row[1:] + 1)
        row = np.minimum.accumulate(best - steps) + steps  # insertions, from left to right
    return 100 * float(row[-1]) / max(1, len(left))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clip:
    sound: Samples
    text: str
    words: list[tuple[str, float, float]]


def _clip(path: Path, *, trimmed: bool) -> _Clip:
    sound = decoded(path)
    sound = (sound / max(1e-6, float(np.abs(sound).max())) * LEVEL).astype(np.float32)
    manifest = path.parent / "speech.json"
    rows = json.loads(manifest.read_text()) if manifest.exists() else []
    words = [(word, start, end) for row in rows if row["file"] == path.name for word, start, end in row["words"]]
    first_s = 0.0
    if trimmed:
        stretches = find_speech(sound)
        first_s = stretches[0].start_s
        sound = sound[int(first_s * SAMPLE_RATE_HZ) : int(stretches[-1].end_s * SAMPLE_RATE_HZ)]
    return _Clip(sound=sound, text=_text(path), words=[(word, a - first_s, b - first_s) for word, a, b in words])


def _text(path: Path) -> str:
    beside = path.with_suffix(".txt")
    return beside.read_text().strip() if beside.exists() else ""


def words_in(text: str) -> list[str]:
    """Return the words of a text without case and punctuation; digits stay digits, words of numbers words."""
    plain = unicodedata.normalize("NFKC", text).lower().replace("’", "'").replace("-", " ")
    return [word for word in (each.strip("'") for each in re.sub(r"[^\w' ]+", " ", plain).split()) if word]


def peak_memory_mb(pid: int | str = "self") -> float:
    """Return the most memory that a process has had resident; nothing once it has ended.

    `getrusage` would count its parent's, before exec.
    """
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0
