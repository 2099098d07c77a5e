"""Which models a worker says it has, with the real tiny model and no source of others."""

import shutil
from pathlib import Path

import pytest

from flows.worker.model_cache import ModelCache
from storage.domain.settings import Settings
from tasks.models import catalogue, hub
from tests.conftest import TINY_MODEL
from tests.tasks.hub_server import Hub, serving
from tests.tasks.index_server import use
from tests.waiting import until


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty models folder, a hub that refuses at once, and no package index."""
    monkeypatch.setenv("TRANSCRIBER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("TRANSCRIBER_HUB_URL", "http://127.0.0.1:9")
    use("http://127.0.0.1:9", monkeypatch)
    monkeypatch.setenv("PIP_NO_INDEX", "1")


def put_model(settings: Settings, name: str) -> None:
    shutil.copytree(TINY_MODEL, settings.model_dir / name)


def offering(tmp_path: Path, name: str) -> Hub:
    """A hub whose model of this name has the bytes of the tiny model."""
    offered = tmp_path / "offered"
    offered.mkdir()
    for part in TINY_MODEL.iterdir():
        if part.name in hub.WANTED:
            shutil.copy(part, offered)
    return Hub(folder=offered, repo=catalogue.CATALOGUE[name].repo)


def test_the_default_is_announced_when_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSCRIBER_MODEL", str(TINY_MODEL))
    announced: list[str] = []
    held = ModelCache(Settings(), announced.append)
    held.start()

    until(lambda: announced == [str(TINY_MODEL)])
    default = held.default()
    assert default is not None
    assert default.state == "ready"


def test_with_no_model_and_no_source_it_is_said_what_to_do() -> None:
    announced: list[str] = []
    held = ModelCache(Settings(), announced.append)
    held.start()

    default = until(lambda: (found := held.default()) and found.state == "failed" and found)
    assert "transcriber models fetch base" in default.warning
    assert announced == []


def test_a_model_that_is_put_there_later_becomes_the_default() -> None:
    settings, announced = Settings(), list[str]()
    held = ModelCache(settings, announced.append, look_again_s=0.0)
    held.start()
    until(lambda: (found := held.default()) and found.state == "failed")

    put_model(settings, "mine")

    assert {state.name for state in held.states()} == {"mine"}
    default = held.default()
    assert default is not None
    assert (default.name, default.state) == ("mine", "ready")
    assert announced == ["mine"]


def test_a_default_that_could_not_be_had_is_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serving(offering(tmp_path, "small")) as mirror:
        mirror.is_away = True
        monkeypatch.setenv("TRANSCRIBER_HUB_URL", mirror.url)
        announced: list[str] = []
        held = ModelCache(Settings(), announced.append, look_again_s=0.0, try_again_s=0.0)
        held.start()
        until(lambda: (found := held.default()) and found.state == "failed")

        mirror.is_away = False

        until(lambda: held.states() and announced == ["small"])


def test_a_model_that_cannot_be_had_is_said_to_have_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSCRIBER_MODEL", str(TINY_MODEL))
    held = ModelCache(Settings(), lambda _: None)

    held.want(("tiny.en",))

    failed = until(lambda: next((state for state in held.states() if state.state == "failed"), None))
    assert failed.name == "tiny.en"
    assert "transcriber models fetch tiny.en" in failed.warning


def test_a_model_that_a_job_waits_for_is_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRANSCRIBER_MODEL", str(TINY_MODEL))
    with serving(offering(tmp_path, "tiny.en")) as mirror:
        monkeypatch.setenv("TRANSCRIBER_HUB_URL", mirror.url)
        held = ModelCache(Settings(), lambda _: None)
        assert "tiny.en" not in {state.name for state in held.states()}

        held.want(("tiny.en",))
        held.want(("tiny.en",))

        here = until(lambda: next((s for s in held.states() if (s.name, s.state) == ("tiny.en", "ready")), None))
        assert here.fingerprint == catalogue.fingerprint(TINY_MODEL)
        assert [name for name, _ in mirror.asked].count("model.bin") == 1


def test_a_model_that_failed_is_forgotten_once_nobody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSCRIBER_MODEL", str(TINY_MODEL))
    held = ModelCache(Settings(), lambda _: None, forget_s=2.0)
    held.want(("tiny.en",))

    until(lambda: any(state.state == "failed" for state in held.states()))

    until(lambda: not any(state.name == "tiny.en" for state in held.states()))
