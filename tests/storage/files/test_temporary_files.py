"""Temporary files of processes that live, end and are killed."""

import errno
import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from storage.files import temporary_files
from tests.processes import ROOT

BEGIN = "from storage.files.temporary_files import folder; (folder() / 'recording').write_text('private')"
STAY = f"{BEGIN}; print(folder(), flush=True); input()"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@contextmanager
def process(place: Path, program: str) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """Run a process until the block ends, and provide its folder."""
    command, pipe = [sys.executable, "-c", program], subprocess.PIPE
    env = {**os.environ, "TMPDIR": str(place)}
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=env, cwd=ROOT) as started:
        assert started.stdout
        try:
            yield started, Path(started.stdout.readline().strip())
        finally:
            started.kill()


def test_what_a_killed_process_left_is_deleted_by_the_next(place: Path) -> None:
    with process(place, STAY) as (killed, its_folder):
        assert (its_folder / "recording").exists()
        killed.kill()
        killed.wait()
        assert its_folder.exists()

    ours = temporary_files.folder()

    assert list(place.iterdir()) == [ours]


def test_what_a_living_process_holds_stays(place: Path) -> None:
    with process(place, STAY) as (_, its_folder):
        temporary_files.sweep()

        assert (its_folder / "recording").exists()


def test_a_process_that_ends_leaves_nothing(place: Path) -> None:
    subprocess.run([sys.executable, "-c", BEGIN], env={**os.environ, "TMPDIR": str(place)}, cwd=ROOT, check=True)

    assert not list(place.iterdir())


def test_a_fork_has_a_folder_of_its_own_and_deletes_it_alone(place: Path) -> None:
    forks = (
        "import os, sys; from storage.files.temporary_files import folder, sweep; ours = folder(); pid = os.fork();\n"
        "if pid == 0: sys.exit(folder() == ours)\n"
        "_, status = os.waitpid(pid, 0); sweep(); print(status, ours.is_dir(), flush=True)"
    )
    env = {**os.environ, "TMPDIR": str(place)}
    said = subprocess.run([sys.executable, "-c", forks], env=env, cwd=ROOT, check=True, capture_output=True, text=True)

    assert said.stdout.split() == ["0", "True"]
    assert not list(place.iterdir())


def test_a_folder_that_somebody_deleted_is_made_again() -> None:
    temporary_files.folder().rmdir()

    assert temporary_files.folder().is_dir()


def test_a_filesystem_without_locks_has_a_folder_that_no_sweep_deletes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EBADF, "no locks for what is open for reading, as NFS says")

    monkeypatch.setattr(fcntl, "flock", refuse)
    held = temporary_files.folder()
    (held / "recording").write_text("private")
    temporary_files.sweep()
    assert temporary_files.folder() == held
    assert (held / "recording").exists()
