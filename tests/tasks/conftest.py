"""One engine with the demo model for the whole suite, and a store of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from storage.files import Files
from storage.settings import EngineSettings
from tasks.engine import Engine
from tasks.models import Resolved, fingerprint

settings.register_profile("busy", deadline=None)  # a busy machine makes any example slow now and then
settings.load_profile("busy")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(str(tmp_path / "store"))


@pytest.fixture(scope="session")
def resolved(demo_model: Path) -> Resolved:
    return Resolved(name="demo", path=demo_model, fingerprint=fingerprint(demo_model))


@pytest.fixture(scope="session")
def engine(resolved: Resolved) -> Iterator[Engine]:
    with Engine.by_settings(resolved, EngineSettings(device="cpu", num_workers=2)) as loaded:
        yield loaded
