"""Which models a worker says it has, with the real demo model and no source of others."""

import shutil
from pathlib import Path

import pytest

from flows import shelf
from flows.shelf import Shelf
from storage.settings import Settings
from tasks import hub, models
from tests.flows.conftest import until
from tests.tasks.hub_server import Hub, serving
from tests.tasks.index_server import use


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty models folder, a hub that refuses at once, and no package index."""
    monkeypatch.setenv("TRANSCRIBER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("TRANSCRIBER_HUB_URL", "http://127.0.0.1:9")
    use("http://127.0.0.1:9", monkeypatch)
    monkeypatch.setenv("PIP_NO_INDEX", "1")


def put_model(settings: Settings, name: str) -> None:
    shutil.copytree(models.DEMO_MODEL, settings.model_dir / name)


def offering(tmp_path: Path, name: str) -> Hub:
    """A hub whose model of this name has the bytes of the demo model."""
    offered = tmp_path / "offered"
    offered.mkdir()
    for part in models.DEMO_MODEL.iterdir():
        if part.name in hub.WANTED:
            shutil.copy(part, offered)
    return Hub(folder=offered, repo=models.CATALOGUE[name].repo)


def test_the_default_is_announced_when_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSCRIBER_MODEL", "demo")
    announced: list[str] = []
    held = Shelf(Settings(), announced.append)
    held.start()

    until(lambda: announced == ["demo"])
    default = held.default()
    assert default is not None
    assert default.state == "ready"


def test_with_no_model_and_no_source_it_is_said_what_to_do() -> None:
    announced: list[str] = []
    held = Shelf(Settings(), announced.append)
    held.start()

    default = until(lambda: (found := held.default()) and found.state == "failed" and found)
    assert "transcriber models fetch base" in default.warning
    assert announced == []


def test_a_model_that_is_put_there_later_becomes_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "LOOK_AGAIN_S", 0.0)
    settings, announced = Settings(), list[str]()
    held = Shelf(settings, announced.append)
    held.start()
    until(lambda: (found := held.default()) and found.state == "failed")

    put_model(settings, "mine")

    assert {state.name for state in held.states()} == {"demo", "mine"}
    default = held.default()
    assert default is not None
    assert (default.name, default.state) == ("mine", "ready")
    assert announced == ["mine"]


def test_a_default_that_could_not_be_had_is_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shelf, "LOOK_AGAIN_S", 0.0)
    monkeypatch.setattr(shelf, "TRY_AGAIN_S", 0.0)
    with serving(offering(tmp_path, "small")) as mirror:
        announced: list[str] = []
        held = Shelf(Settings(), announced.append)
        held.start()
        until(lambda: (found := held.default()) and found.state == "failed")

        monkeypatch.setenv("TRANSCRIBER_HUB_URL", mirror.url)
        monkeypatch.setattr(held, "_settings", Settings())

        until(lambda: held.states() and announced == ["small"])


def test_a_model_that_cannot_be_had_is_said_to_have_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSCRIBER_MODEL", "demo")
    held = Shelf(Settings(), lambda _: None)

    held.want(("tiny.en",))

    failed = until(lambda: next((state for state in held.states() if state.state == "failed"), None))
    assert failed.name == "tiny.en"
    assert "transcriber models fetch tiny.en" in failed.warning


def test_a_model_that_a_job_waits_for_is_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRANSCRIBER_MODEL", "demo")
    with serving(offering(tmp_path, "tiny.en")) as mirror:
        monkeypatch.setenv("TRANSCRIBER_HUB_URL", mirror.url)
        held = Shelf(Settings(), lambda _: None)
        assert "tiny.en" not in {state.name for state in held.states()}

        held.want(("tiny.en",))
        held.want(("tiny.en",))

        here = until(lambda: next((s for s in held.states() if (s.name, s.state) == ("tiny.en", "ready")), None))
        assert here.fingerprint == models.fingerprint(models.DEMO_MODEL)
        assert [name for name, _ in mirror.asked].count("model.bin") == 1
