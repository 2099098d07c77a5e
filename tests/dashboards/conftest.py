"""Fixtures for tests of the web process; `site.py` has their parts."""

import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser

from dashboards.http.static_files.compressed_copies import MAKERS
from storage.domain.settings import Settings
from tests import browsing
from tests.dashboards.desk import Desk, sitting
from tests.dashboards.served import Served, serving
from tests.dashboards.site import Site, make_settings, running, seed
from tests.kept_contexts import put_all_back


@pytest.fixture(scope="session", autouse=True)
def files_are_compressed_once() -> Iterator[None]:
    """Keep the compressed copies of equal files for all apps of this process: scripts of a page take 0.3 s."""
    with pytest.MonkeyPatch.context() as patch:
        for coding, make in MAKERS.items():
            patch.setitem(MAKERS, coding, cache(make))
        yield


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed ledger with some people in it, to copy."""
    path = tmp_path_factory.mktemp("seeded") / "ledger.duckdb"
    seed(path)
    return path


def seeded_settings(folder: Path, seeded: Path) -> Settings:
    made = make_settings(folder)
    made.storage.data_dir.mkdir()
    shutil.copyfile(seeded, made.storage.ledger_path)
    return made


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory: pytest.TempPathFactory, seeded: Path) -> Iterator[Site]:
    """One app for the tests of a module that bears the mark `shared_site`: starting one takes 0.2 s."""
    with running(seeded_settings(tmp_path_factory.mktemp("shared"), seeded)) as started:
        yield started


def shared_by(request: pytest.FixtureRequest) -> Site | None:
    """Return the module's app for a test that may share it, as a client that nobody has used yet."""
    node, used = request.node, request.node.fixturenames
    shares = node.get_closest_marker("shared_site") and not node.get_closest_marker("own_site")
    if not shares or "site" not in used or "served" in used:
        return None
    found: Site = request.getfixturevalue("shared_site")
    found.client.cookies.clear()
    return found


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path, seeded: Path) -> Settings:
    """Settings of a data dir whose ledger knows some people."""
    shared = shared_by(request)
    return shared.settings if shared else seeded_settings(tmp_path, seeded)


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """The real app on a real ledger in a folder of the test's own, or of the module's."""
    if shared := shared_by(request):
        yield shared
        return
    with running(request.getfixturevalue("settings")) as started:
        yield started


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory, seeded: Path) -> Iterator[Served]:
    """One app behind a real port for the tests of a module that bears the mark `shared_server`."""
    with serving(seeded_settings(tmp_path_factory.mktemp("served"), seeded)) as started:
        yield started


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """The real app behind a real port, of the test's own or of the module's."""
    node = request.node
    if node.get_closest_marker("shared_server") and not node.get_closest_marker("own_site"):
        yield request.getfixturevalue("shared_server")
        return
    with serving(request.getfixturevalue("settings")) as started:
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


@pytest.fixture(autouse=True)
def pages_are_closed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Close what a test has opened in its module's browser, and clear what is kept for the next."""
    yield
    if "chromium" in request.fixturenames:
        put_all_back(request.getfixturevalue("chromium"))


@pytest.fixture
def tone(tmp_path: Path) -> Callable[..., bytes]:
    """Return `tone(seconds, hz)`: the bytes of a WAV with a sine in it."""

    def make(seconds: float = 1.0, hz: float = 440.0) -> bytes:
        path = tmp_path / "tone.wav"
        samples = 0.3 * np.sin(2 * np.pi * hz * np.arange(round(16_000 * seconds)) / 16_000)
        soundfile.write(path, samples.astype(np.float32), 16_000, subtype="PCM_16")
        return path.read_bytes()

    return make
