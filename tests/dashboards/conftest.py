"""Fixtures for tests of the web process; `site.py` has their parts."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser

from storage.domain.settings import Settings
from tests import browsing
from tests.dashboards.desk import Desk, sitting
from tests.dashboards.served import Served, serving
from tests.dashboards.site import Site, make_settings, running, seed


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed ledger with some people in it, to copy."""
    path = tmp_path_factory.mktemp("seeded") / "ledger.duckdb"
    seed(path)
    return path


@pytest.fixture
def settings(tmp_path: Path, seeded: Path) -> Settings:
    """Settings of a data dir whose ledger knows some people."""
    made = make_settings(tmp_path)
    made.storage.data_dir.mkdir()
    shutil.copyfile(seeded, made.storage.ledger_path)
    return made


@pytest.fixture
def site(settings: Settings) -> Iterator[Site]:
    """The real app on a real ledger in a folder of the test's own."""
    with running(settings) as started:
        yield started


@pytest.fixture
def served(settings: Settings) -> Iterator[Served]:
    """The real app behind a real port."""
    with serving(settings) as started:
        yield started


@pytest.fixture
def desk(tmp_path: Path, empty_ledger: Path) -> Iterator[Desk]:
    """The pages on a real ledger in a folder of the test's own."""
    settings = make_settings(tmp_path)
    settings.storage.data_dir.mkdir()
    shutil.copyfile(empty_ledger, settings.storage.ledger_path)
    with sitting(settings) as ready:
        yield ready


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A real browser, with a microphone that beeps."""
    with browsing.browser(*browsing.FAKE_MICROPHONE) as started:
        yield started


@pytest.fixture
def tone(tmp_path: Path) -> Callable[..., bytes]:
    """Return `tone(seconds, hz)`: the bytes of a WAV with a sine in it."""

    def make(seconds: float = 1.0, hz: float = 440.0) -> bytes:
        path = tmp_path / "tone.wav"
        samples = 0.3 * np.sin(2 * np.pi * hz * np.arange(round(16_000 * seconds)) / 16_000)
        soundfile.write(path, samples.astype(np.float32), 16_000, subtype="PCM_16")
        return path.read_bytes()

    return make
