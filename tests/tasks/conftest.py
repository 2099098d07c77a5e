"""One engine with the tiny model for the whole suite, and a store of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.domain.settings import EngineSettings
from storage.files.file_store import Files
from tasks.asr.engine import Engine
from tasks.models.catalogue import Resolved, fingerprint


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(str(tmp_path / "store"))


@pytest.fixture(scope="session")
def resolved(tiny_model: Path) -> Resolved:
    return Resolved(name=tiny_model.name, path=tiny_model, fingerprint=fingerprint(tiny_model))


@pytest.fixture(scope="session")
def engine(resolved: Resolved) -> Iterator[Engine]:
    with Engine.from_settings(resolved, EngineSettings(device="cpu", num_workers=2)) as loaded:
        yield loaded
