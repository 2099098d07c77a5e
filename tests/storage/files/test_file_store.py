"""Storage in a folder: atomic writes, and names that cannot leave the root."""

import errno
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from storage.domain.errors import AlreadyStored, BadRequest, NotStored, StorageFull, StorageUnreachable
from storage.domain.settings import StorageSettings
from storage.files.file_store import Files

HOSTILE = [
    "",
    "/",
    ".",
    "..",
    "../x",
    "a/../x",
    "a/..",
    "/etc/passwd",
    "a//b",
    "a/",
    "./a",
    ".hidden",
    "a/.part-x",
    "a\\b",
    "a\x00b",
    "a\nb",
    "a b",
    "ä",
    "C:x",
    "~root",
    "a/" * 300 + "x",
    "x" * 300,
    "%2e%2e/x",
]


def everything(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def test_a_root_that_has_gone_is_away_rather_than_empty(tmp_path: Path) -> None:
    """Else what a person sent would look deleted, and a new root would lie where the disk is mounted later."""
    files, root = Files(str(tmp_path / "store")), tmp_path / "store"
    assert not files.exists("a")  # a root that nobody has written to yet
    files.write("a", b"1")
    assert files.exists("a")
    root.rename(tmp_path / "elsewhere")
    calls = (
        files.read,
        files.exists,
        files.delete,
        lambda name: files.write(name, b"2"),
        lambda name: [*files.list(name)],
    )
    for call in calls:
        with pytest.raises(StorageUnreachable, match="the folder is gone"):
            call("a")
    assert not root.exists()
    (tmp_path / "elsewhere").rename(root)
    assert files.read("a") == b"1"


def test_a_file_in_the_place_of_the_root_is_no_root(tmp_path: Path) -> None:
    files, root = Files(str(tmp_path / "store")), tmp_path / "store"
    root.write_bytes(b"")
    for call in (files.exists, files.read):
        with pytest.raises(StorageUnreachable, match="the folder is gone"):
            call("a")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_is_none_of_ours_is_refused(files: Files, tmp_path: Path, name: str) -> None:
    (tmp_path / "x").write_bytes(b"outside")
    for call in (files.read, files.open, files.exists, files.size, files.local):
        with pytest.raises(BadRequest, match="name"):
            call(name)
    with pytest.raises(BadRequest):
        files.write(name, b"")
    with pytest.raises(BadRequest):
        files.put(name, tmp_path / "x", move=True)
    assert (tmp_path / "x").exists()


@pytest.mark.parametrize("name", ["..", "../", "/", "a/../../", "../x"])
def test_a_folder_that_is_none_of_ours_is_not_emptied(files: Files, tmp_path: Path, name: str) -> None:
    (tmp_path / "x").write_bytes(b"outside")
    with pytest.raises(BadRequest):
        files.delete(name)
    assert (tmp_path / "x").exists()


@pytest.mark.parametrize("data", [b"", b"x", b"\x00\xff" * 3_000_000])
def test_what_is_written_is_read_back(files: Files, data: bytes) -> None:
    files.write("media/ab/x", data)
    assert files.read("media/ab/x") == data
    assert files.size("media/ab/x") == len(data)
    assert files.exists("media/ab/x")


def test_what_is_created_is_never_overwritten(files: Files, tmp_path: Path) -> None:
    files.create("a/b", b"first")
    files.create("a/b", b"first")
    with pytest.raises(AlreadyStored, match="never overwritten"):
        files.create("a/b", b"second")
    assert files.read("a/b") == b"first"
    assert len(everything(tmp_path / "store")) == 1


def test_of_many_that_create_one_name_one_does(files: Files) -> None:
    done: list[int] = []

    def create(number: int) -> None:
        with suppress(AlreadyStored):
            files.create("a/b", str(number).encode())
            done.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [str(number).encode() for number in done] == [files.read("a/b")]


def test_where_there_are_no_hard_links_nothing_is_overwritten_either(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    files.create("a/b", b"first")
    with pytest.raises(AlreadyStored):
        files.create("a/b", b"second")
    assert files.read("a/b") == b"first"


def test_chunks_are_put_together(files: Files) -> None:
    files.write("a/b", (bytes([number]) * 1000 for number in range(5)))
    assert files.read("a/b") == b"".join(bytes([number]) * 1000 for number in range(5))


def test_a_source_that_fails_midway_leaves_what_was_there(files: Files, tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"new" * 1000
        raise ValueError("the line went dead")

    files.write("a/b", b"old")
    with pytest.raises(ValueError, match="dead"):
        files.write("a/b", broken())
    with pytest.raises(ValueError, match="dead"):
        files.write("a/c", broken())
    assert files.read("a/b") == b"old"
    assert everything(tmp_path / "store") == [tmp_path / "store/a/b"]


def test_what_is_not_there_is_not_stored(files: Files, tmp_path: Path) -> None:
    for call in (files.read, files.open, files.size):
        with pytest.raises(NotStored, match="a/b"):
            call("a/b")
    with pytest.raises(NotStored), files.local("a/b"):
        pass
    assert not files.exists("a/b")
    files.delete("a/b")
    files.delete("a/b/")
    assert list(files.list("a")) == []


def test_a_folder_is_no_file(files: Files) -> None:
    files.write("a/b/c", b"x")
    assert not files.exists("a/b")
    with pytest.raises(NotStored):
        files.read("a/b")
    with pytest.raises(NotStored):
        files.read("a/b/c/d")


def test_a_local_file_is_copied_or_moved(files: Files, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"sound")
    files.put("media/x", tmp_path / "x")
    assert (tmp_path / "x").exists()
    files.put("media/y", tmp_path / "x", move=True)
    assert not (tmp_path / "x").exists()
    assert files.read("media/x") == files.read("media/y") == b"sound"


def test_moving_between_file_systems_copies(files: Files) -> None:
    source = Path("/dev/shm") / f"transcriber-test-{os.getpid()}"  # noqa: S108
    source.write_bytes(b"sound")
    files.put("media/x", source, move=True)
    assert files.read("media/x") == b"sound"
    assert not source.exists()


def test_a_stream_can_seek(files: Files) -> None:
    files.write("a", b"0123456789")
    with files.open("a") as stream:
        stream.seek(-3, 2)
        assert stream.read() == b"789"
        stream.seek(2)
        assert stream.read(2) == b"23"


def test_the_local_file_is_the_stored_one(files: Files, tmp_path: Path) -> None:
    files.write("a/b", b"x")
    with files.local("a/b") as path:
        assert path == tmp_path / "store/a/b"


def test_names_are_listed_by_folder_without_what_is_being_written(files: Files, tmp_path: Path) -> None:
    for name in ("jobs/2", "jobs/1", "media/ab/x", "jobsite"):
        files.write(name, b"")
    (tmp_path / "store/jobs/.part-x").write_bytes(b"half")
    assert list(files.list("jobs")) == list(files.list("jobs/")) == ["jobs/1", "jobs/2"]
    assert list(files.list()) == ["jobs/1", "jobs/2", "jobsite", "media/ab/x"]
    assert list(files.list("nothing")) == []


def test_a_folder_is_deleted_with_all_in_it_and_nothing_beside_it(files: Files) -> None:
    for name in ("plans/ab/abcd/1", "plans/ab/abcd/2", "plans/ab/abcde/1"):
        files.write(name, b"")
    files.delete("plans/ab/abcd/")
    assert list(files.list()) == ["plans/ab/abcde/1"]
    files.write("plans/ab/abcd/3", b"")


def test_stored_files_are_for_this_user_alone(files: Files, tmp_path: Path) -> None:
    files.write("a", b"")
    assert (tmp_path / "store/a").stat().st_mode & 0o077 == 0


def test_readers_see_the_old_or_the_new_whole(files: Files) -> None:
    old, new = b"o" * 300_000, b"n" * 300_000
    files.write("a", old)
    stop, odd = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            if files.read("a") not in {old, new}:
                odd.append(1)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(30):
        files.write("a", new if number % 2 else old)
    stop.set()
    reader.join()
    assert not odd


def test_writing_and_emptying_a_folder_at_once_loses_nothing(files: Files) -> None:
    def write() -> None:
        for number in range(40):
            files.write(f"results/ab/x/{number}", b"1")

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        files.delete("results/ab/x/")
    writer.join()
    files.write("results/ab/x/last", b"1")
    assert files.exists("results/ab/x/last")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a megabyte."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root; test_a_file_size_limit… tries the same without")
    mount = tmp_path / "tiny"
    mount.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)], check=False)
    if done.returncode:
        pytest.skip("this container may not mount")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def test_a_full_disk_is_called_full_and_nothing_half_written_stays(tiny_disk: Path, tmp_path: Path) -> None:
    files = Files(str(tiny_disk / "store"))
    files.write("a", b"kept")
    (tmp_path / "big").write_bytes(bytes(2_000_000))
    with pytest.raises(StorageFull, match="free some space"):
        files.write("a", bytes(2_000_000))
    with pytest.raises(StorageFull):
        files.put("b", tmp_path / "big", move=True)
    assert (tmp_path / "big").exists()
    assert files.read("a") == b"kept"
    assert everything(tiny_disk) == [tiny_disk / "store/a"]
    files.write("c", bytes(500_000))


LIMITED = """
import resource, signal, sys
from storage.domain.errors import StorageFull
from storage.files.file_store import Files
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    Files(sys.argv[1]).write("a", bytes(1_000_000))
except StorageFull as error:
    print(error)
"""


def test_a_file_size_limit_counts_as_full(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "store")], capture_output=True, text=True, check=True
    )
    assert "free some space" in done.stdout
    assert everything(tmp_path / "store") == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_root_that_cannot_be_used_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    files = Files(str(tmp_path / "file"))
    with pytest.raises(StorageUnreachable, match="TRANSCRIBER_STORAGE_URL"):
        files.write("a", b"x")
    (tmp_path / "x").write_bytes(b"x")
    with pytest.raises(StorageUnreachable):
        files.put("a", tmp_path / "x", move=True)


def test_a_source_that_is_not_there_is_no_fault_of_storage(files: Files, tmp_path: Path) -> None:
    for move in (True, False):
        with pytest.raises(FileNotFoundError):
            files.put("a", tmp_path / "x", move=move)


def test_what_killed_writers_left_is_swept_up_after_a_day(files: Files, tmp_path: Path) -> None:
    files.write("media/x", b"whole")
    for name, age_s in (("old", 90_000), ("new", 10)):
        part = tmp_path / f"store/media/.part-{name}"
        part.write_bytes(b"half")
        os.utime(part, (time.time() - age_s,) * 2)
    files.write("results/ab/x/1", b"1")
    files.delete("results/ab/x/")
    os.utime(tmp_path / "store/results/ab/x", (time.time() - 90_000,) * 2)
    assert files.sweep() == 1
    assert not (tmp_path / "store/results/ab/x").exists()
    assert sorted(path.name for path in everything(tmp_path / "store")) == [".part-new", "x"]


def test_an_unusual_disk_error_is_reported(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    files.write("a", b"old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageUnreachable, match="TRANSCRIBER_STORAGE_URL"):
        files.write("a", b"new")
    assert files.read("a") == b"old"


def test_the_root_comes_from_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSCRIBER_DATA_DIR", str(tmp_path / "data"))
    Files.from_settings(StorageSettings()).write("a", b"")
    assert (tmp_path / "data/store/a").exists()
    monkeypatch.setenv("TRANSCRIBER_STORAGE_URL", f"file://{tmp_path}/other")
    Files.from_settings(StorageSettings()).write("a", b"")
    assert (tmp_path / "other/a").exists()
