"""Tests in forked processes: all are run once, and what becomes of each is told as by pytest alone."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.processes import ROOT
from tests.waiting import PATIENCE_S

SOME_FAILED = 1
CONFTEST = """
import os, pytest
from pathlib import Path

@pytest.fixture(scope="session")
def shared():
    yield os.getpid()
    Path("ended").mkdir(exist_ok=True)
    Path("ended", str(os.getpid())).touch()
"""
FIRST = """
import os, signal, pytest
from pathlib import Path

def test_it_passes(shared, tmp_path):
    assert shared == os.getpid()
    Path("folders").open("a").write(f"{tmp_path.parent}\\n")

def test_it_fails():
    print("said before")
    assert "this" == "that"

def test_its_process_is_killed():
    os.kill(os.getpid(), signal.SIGKILL)

@pytest.mark.skip(reason="not now")
def test_it_is_skipped():
    pass

def test_the_rest_goes_on_in_another(shared):
    assert shared == os.getpid()
"""
SECOND = """
from pathlib import Path

def test_it_has_a_folder_of_its_own(shared, tmp_path):
    Path("folders").open("a").write(f"{tmp_path.parent}\\n")
"""
ENDS_BADLY = """
import pytest

@pytest.fixture(scope="session")
def cannot_end():
    yield
    raise OSError("the disk is away")

def test_it_passes(cannot_end):
    pass
"""


def run(folder: Path, **files: str) -> tuple[int, str]:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    options = ["-p", "tests.forked_processes", "--processes", "2", "-q", "-rA", "--rootdir", str(folder)]
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        env=env,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_each_test_is_run_once_and_its_end_is_told(tmp_path: Path) -> None:
    status, said = run(tmp_path, conftest=CONFTEST, test_first=FIRST, test_second=SECOND)
    assert status == SOME_FAILED
    assert "2 failed, 3 passed, 1 skipped" in said
    assert "AssertionError: assert 'this' == 'that'" in said
    assert "said before" in said
    assert "the process of this test ended with -9" in said
    assert len(list((tmp_path / "ended").iterdir())) == 2  # the third was killed
    assert len(set((tmp_path / "folders").read_text().split())) == 2


def test_what_failed_is_known_to_the_next_run(tmp_path: Path) -> None:
    run(tmp_path, conftest=CONFTEST, test_first=FIRST)
    failed = (tmp_path / ".pytest_cache" / "v" / "cache" / "lastfailed").read_text()
    assert re.findall(r"::(\w+)", failed) == ["test_it_fails", "test_its_process_is_killed"]


def test_a_fixture_of_the_session_that_cannot_end_fails_the_run(tmp_path: Path) -> None:
    status, said = run(tmp_path, test_it=ENDS_BADLY)
    assert status == SOME_FAILED
    assert "OSError: the disk is away" in said
