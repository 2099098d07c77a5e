"""Recordings for chaos, and their transcripts where nothing is disturbed."""

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.speech_material import TINY_MODEL, TINY_SPEECH
from storage.domain.records import Options, Transcript
from storage.domain.settings.engine_settings import EngineSettings
from storage.files.file_store import Files
from tasks.asr.selected_engine import SelectedEngine
from tasks.audio.decode import SAMPLE_RATE_HZ
from tasks.models.model_choice import resolve
from tasks.pipeline import transcribe_file

SHORT_CLIPS, LONG_CLIPS, EVERY_NTH_IS_LONG = 3, 40, 12
SPAN_MAX_S = 30.0
Said = tuple[tuple[float, float, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A recording, and what an undisturbed pipeline makes of it."""

    path: Path
    said: Said


def samples(folder: Path, count: int, seed: int) -> list[Sample]:
    """Write `count` recordings that differ, each twelfth of several spans, and transcribe them."""
    voices = [soundfile.read(path, dtype="float32")[0] for path in sorted(TINY_SPEECH.glob("*.flac"))]
    files, made = Files(str(folder / "undisturbed")), list[Sample]()
    settings = EngineSettings(model=str(TINY_MODEL), device="cpu", cpu_threads=1, num_workers=1)
    resolved = resolve(str(TINY_MODEL), settings=settings, model_dir=folder)
    engine = SelectedEngine.from_settings(resolved, settings)
    for number in range(count):
        order = random.Random(1000 * seed + number)  # noqa: S311
        clips = LONG_CLIPS if number % EVERY_NTH_IS_LONG == EVERY_NTH_IS_LONG - 1 else SHORT_CLIPS
        path = folder / f"{number:04}.wav"
        soundfile.write(path, _assembled(voices, clips, order), SAMPLE_RATE_HZ, subtype="PCM_16")
        transcript = transcribe_file(path, engine=engine, files=files, options=Options(), span_max_s=SPAN_MAX_S)
        made.append(Sample(path=path, said=said_in(transcript)))
    return made


def _assembled(voices: list[np.ndarray], clips: int, order: random.Random) -> np.ndarray:
    parts = [np.zeros(SAMPLE_RATE_HZ // 2, dtype=np.float32)]
    for _ in range(clips):
        parts += [order.choice(voices), np.zeros(int(SAMPLE_RATE_HZ * (0.6 + order.random())), dtype=np.float32)]
    return np.concatenate(parts)


def said_in(transcript: Transcript) -> Said:
    """Return times and text of the segments."""
    return tuple((round(each.start_s, 2), round(each.end_s, 2), each.text) for each in transcript.segments)
