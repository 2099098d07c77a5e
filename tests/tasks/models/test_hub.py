"""Model downloads: progress, resume, checksums, one download per machine."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.domain.errors import ModelMissing, NoModel
from storage.domain.settings import EngineSettings
from tasks.models import catalogue, downloads, hub
from tasks.models.catalogue import CATALOGUE, fingerprint
from tasks.models.model_choice import resolve
from tests.processes import killed_at_last
from tests.tasks.hub_server import Hub, serving
from tests.waiting import PATIENCE_S


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Hub]:
    """A hub whose `small` has the bytes of the tiny model."""
    folder = tmp_path_factory.mktemp("hub")
    for part in tiny_model.iterdir():
        if part.name in hub.WANTED:
            shutil.copy(part, folder)
    with serving(Hub(folder=folder, repo=CATALOGUE["small"].repo)) as found:
        yield found


def settings(hub_url: str) -> EngineSettings:
    return EngineSettings(hub_url=hub_url, device="cpu")


def test_a_model_comes_whole_and_with_progress(tmp_path: Path, small: Hub, tiny_model: Path) -> None:
    steps: list[tuple[int, int]] = []
    found = hub.fetch("small", tmp_path / "models", small.url, lambda _, here, total: steps.append((here, total)))
    assert found.path == tmp_path / "models" / "small"
    assert found.fingerprint == fingerprint(tiny_model)
    assert [here for here, _ in steps] == sorted(here for here, _ in steps)
    assert steps[-1][0] == steps[-1][1] == found.bytes
    assert not list((tmp_path / "models" / downloads.INCOMING).glob("small-*"))


def test_what_is_here_is_not_fetched(tmp_path: Path, small: Hub) -> None:
    hub.fetch("small", tmp_path, small.url)
    small.asked.clear()
    hub.fetch("small", tmp_path, "http://127.0.0.1:9")
    assert small.asked == []


def test_a_broken_connection_is_taken_up_again(tmp_path: Path, small: Hub) -> None:
    small.break_after, small.breaks_left = 100_000, 2
    found = hub.fetch("small", tmp_path, small.url)
    assert small.asked.count(("model.bin", "bytes=100000-")) == 1
    assert small.asked.count(("model.bin", "bytes=200000-")) == 1
    assert small.sent_bytes == found.bytes


def test_a_later_call_goes_on_where_an_earlier_one_broke_off(tmp_path: Path, small: Hub) -> None:
    small.break_after, small.breaks_left = 50_000, hub.TRIES
    with pytest.raises(ModelMissing, match="broke off"):
        hub.fetch("small", tmp_path, small.url)
    assert catalogue.installed(tmp_path) == []
    small.asked.clear()
    hub.fetch("small", tmp_path, small.url)
    assert ("model.bin", f"bytes={50_000 * hub.TRIES}-") in small.asked
    assert not any(name == "config.json" for name, _ in small.asked)


def test_a_wrong_checksum_keeps_nothing(tmp_path: Path, small: Hub) -> None:
    small.wrong_sha256 = True
    with pytest.raises(ModelMissing, match=r"model\.bin does not have the checksum"):
        hub.fetch("small", tmp_path, small.url)
    assert catalogue.installed(tmp_path) == []
    small.wrong_sha256 = False
    assert hub.fetch("small", tmp_path, small.url).name == "small"


def test_a_half_copied_folder_is_replaced_by_the_whole_model(tmp_path: Path, small: Hub, tiny_model: Path) -> None:
    shutil.copytree(tiny_model, tmp_path / "small")
    (tmp_path / "small" / "tokenizer.json").unlink()
    assert hub.fetch("small", tmp_path, small.url).fingerprint == fingerprint(tiny_model)
    assert catalogue.incomplete(tmp_path) == {}


FETCH = """
import sys
from pathlib import Path
from tasks.models import hub
hub.fetch("small", Path(sys.argv[1]), sys.argv[2])
"""


def test_two_processes_share_one_download(tmp_path: Path, small: Hub) -> None:
    both = [subprocess.Popen([sys.executable, "-c", FETCH, tmp_path, small.url]) for _ in range(2)]
    with killed_at_last(*both):
        assert [process.wait(PATIENCE_S) for process in both] == [0, 0]
    assert [name for name, _ in small.asked].count("model.bin") == 1


def test_a_full_disk_is_reported_before_the_download(tmp_path: Path, small: Hub) -> None:
    small.claimed_bytes = 1 << 60
    with pytest.raises(ModelMissing, match="MB are free on the disk"):
        hub.fetch("small", tmp_path, small.url)


def test_auto_takes_the_best_model_that_is_here(tmp_path: Path, tiny_model: Path) -> None:
    for name in ("tiny", "medium", "base.en"):
        shutil.copytree(tiny_model, tmp_path / name)
    found = resolve("auto", settings=settings("http://127.0.0.1:9"), model_dir=tmp_path)
    assert found.name == "medium"


def test_auto_fetches_small_where_nothing_is_here(tmp_path: Path, small: Hub) -> None:
    assert resolve("auto", settings=settings(small.url), model_dir=tmp_path).name == "small"


def test_a_hub_that_hangs_is_given_up_within_five_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(ModelMissing, match="did not answer"):
            hub.probe(f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert time.monotonic() - started < 30.0  # its five, and what a busy machine takes


def test_nothing_is_fetched_where_that_is_not_allowed(tmp_path: Path, small: Hub) -> None:
    with pytest.raises(ModelMissing, match="run `transcriber models fetch small`"):
        resolve("small", settings=settings(small.url), model_dir=tmp_path, may_fetch=False)
    with pytest.raises(NoModel, match="nothing has been fetched yet"):
        resolve("auto", settings=settings(small.url), model_dir=tmp_path, may_fetch=False)
    assert small.asked == []


def test_a_folder_is_a_model_too(tmp_path: Path, tiny_model: Path) -> None:
    found = resolve(str(tiny_model), settings=settings("http://127.0.0.1:9"), model_dir=tmp_path)
    assert (found.path, found.fingerprint) == (tiny_model, fingerprint(tiny_model))


@pytest.mark.parametrize("name", ["nonsense", "../base", "/no/such/folder", ""])
def test_a_name_that_nobody_knows_is_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelMissing):
        resolve(name, settings=settings("http://127.0.0.1:9"), model_dir=tmp_path)


def test_other_bytes_have_another_fingerprint(tmp_path: Path, tiny_model: Path) -> None:
    shutil.copytree(tiny_model, tmp_path / "copy")
    assert fingerprint(tmp_path / "copy") == fingerprint(tiny_model)
    with (tmp_path / "copy" / "config.json").open("a") as config:
        config.write("\n")
    assert fingerprint(tmp_path / "copy") != fingerprint(tiny_model)


def test_a_model_says_whether_it_hears_english_alone(tmp_path: Path, tiny_model: Path) -> None:
    assert not catalogue.is_multilingual(tiny_model)
    assert catalogue.speaks_only_english(str(tiny_model), tmp_path)
    assert not catalogue.speaks_only_english("small", tmp_path)
    assert catalogue.speaks_only_english("small.en", tmp_path)


def test_a_removed_model_is_gone(tmp_path: Path, tiny_model: Path) -> None:
    shutil.copytree(tiny_model, tmp_path / "base")
    catalogue.remove("base", tmp_path)
    assert catalogue.installed(tmp_path) == []
    with pytest.raises(ModelMissing):
        catalogue.remove("base", tmp_path)
