"""Incomplete models: reported with the missing part, and never used."""

import shutil
from pathlib import Path

import pytest

from storage.domain.errors import ModelMissing, NoModel
from storage.domain.settings import EngineSettings
from tasks.models import catalogue
from tasks.models.integrity import missing_part
from tasks.models.model_choice import resolve
from tests.tasks.babel import write_model

NOWHERE = EngineSettings(hub_url="http://127.0.0.1:9", device="cpu")


@pytest.fixture
def copy(tmp_path: Path, tiny_model: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "models" / "tiny.en"))


def test_whole_models_lack_nothing(tiny_model: Path, tmp_path: Path) -> None:
    assert missing_part(tiny_model) is None
    assert missing_part(write_model(tmp_path / "babel", answers="de")) is None


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json"])
def test_a_missing_file_is_named(name: str, copy: Path) -> None:
    (copy / name).unlink()
    assert missing_part(copy) == f"{name} is missing"


def test_a_missing_vocabulary_is_named(copy: Path) -> None:
    for path in copy.glob("vocabulary.*"):
        path.unlink()
    assert missing_part(copy) == "vocabulary.json or vocabulary.txt is missing"


def test_an_empty_file_is_named(copy: Path) -> None:
    (copy / "tokenizer.json").write_bytes(b"")
    assert missing_part(copy) == "tokenizer.json is empty"


@pytest.mark.parametrize("share", [0.0001, 0.3, 0.9, 0.999])
def test_weights_that_were_cut_off_are_noticed(share: float, copy: Path) -> None:
    weights = copy / "model.bin"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: int(len(whole) * share)])
    assert (missing_part(copy) or "").startswith("model.bin was cut off after ")


def test_a_model_of_more_bands_needs_to_say_so(copy: Path) -> None:
    weights = copy / "model.bin"
    data = weights.read_bytes()
    name = b"encoder/conv1/weight\0"
    place = data.index(name) + len(name) + 1 + 4  # behind the number of dimensions and the first of them
    assert data[place : place + 4] == (80).to_bytes(4, "little")
    weights.write_bytes(data[:place] + (128).to_bytes(4, "little") + data[place + 4 :])
    (copy / "preprocessor_config.json").unlink(missing_ok=True)
    assert missing_part(copy) == "preprocessor_config.json is missing"


def test_a_half_copied_model_is_not_used_and_is_reported(copy: Path) -> None:
    (copy / "tokenizer.json").unlink()
    assert catalogue.installed(copy.parent) == []
    assert catalogue.incomplete(copy.parent) == {"tiny.en": "tokenizer.json is missing"}
    with pytest.raises(ModelMissing, match=r"its folder is not whole: tokenizer\.json is missing; copy it again"):
        resolve("tiny.en", settings=NOWHERE, model_dir=copy.parent, may_fetch=False)
    with pytest.raises(ModelMissing, match="is not whole"):
        resolve(str(copy), settings=NOWHERE, model_dir=copy.parent)
    with pytest.raises(NoModel, match=r"the folder tiny\.en is not whole"):
        resolve("auto", settings=NOWHERE, model_dir=copy.parent, may_fetch=False)
