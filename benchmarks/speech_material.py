"""Recordings of any length made of the clips of a folder (`name.ext` with its words in `name.txt`), and word errors."""

import re
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
import soundfile

from tasks.decode import SAMPLE_RATE_HZ, Samples, stream_pcm

SOUND = {".flac", ".wav", ".ogg", ".mp3", ".m4a"}
PAUSES_S = (0.4, 0.7, 1.1, 0.5, 1.8)
LEVEL = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A WAV file and what is said in it."""

    path: Path
    text: str
    duration_s: float


def assemble(folder: Path, match: str, minutes: float, target: Path) -> Recording:
    """Write `minutes` of speech: the clips in turn, equally loud, with pauses of 0.4 to 1.8 s between them."""
    paths = sorted(path for path in folder.glob(match) if path.suffix in SOUND)
    if not paths:
        raise SystemExit(f"no recordings in {folder} match {match}")
    clips = [(_loud(path), _text(path)) for path in paths]
    texts: list[str] = []
    samples = 0
    with soundfile.SoundFile(target, "w", SAMPLE_RATE_HZ, 1, "PCM_16") as out:
        for (sound, text), pause_s in zip(cycle(clips), cycle(PAUSES_S), strict=False):
            if samples >= minutes * 60 * SAMPLE_RATE_HZ:
                break
            for part in (sound, np.zeros(int(pause_s * SAMPLE_RATE_HZ), dtype=np.float32)):
                out.write(part)
                samples += len(part)
            texts.append(text)
    return Recording(path=target, text=" ".join(texts), duration_s=samples / SAMPLE_RATE_HZ)


def word_errors(said: str, heard: str) -> float:
    """Return the word error rate in percent: substitutions, insertions and deletions over the words said."""
    left, right = _words(said), _words(heard)
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


def _loud(path: Path) -> Samples:
    sound = np.concatenate(list(stream_pcm(path, name=path.name)))
    return (sound / max(1e-6, float(np.abs(sound).max())) * LEVEL).astype(np.float32)


def _text(path: Path) -> str:
    beside = path.with_suffix(".txt")
    return beside.read_text().strip() if beside.exists() else ""


def _words(text: str) -> list[str]:
    return re.sub(r"[^\w' ]+", " ", text.lower().replace("-", " ")).split()


def peak_memory_mb(pid: int | str = "self") -> float:
    """Return the most memory that a process has had resident; `getrusage` would count its parent's, before exec."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)[1]) / 1024  # type: ignore[index]
