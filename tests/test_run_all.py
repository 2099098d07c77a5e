"""The run of all tests: what they leave running is ended, and what hangs is given up."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from tests import run_all
from tests.processes import killed_at_last
from tests.waiting import PATIENCE_S, given_up_after

LEAVES_ONE = "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True)"


def test_what_tests_leave_running_is_ended_and_named_whoever_is_its_parent(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(run_all.MARK, os.environ.get(run_all.MARK, ""))  # is set back afterwards
    before = subprocess.Popen(["sleep", "600"])
    with killed_at_last(before):
        with run_all.nothing_left_running():
            subprocess.run([sys.executable, "-c", LEAVES_ONE], check=True)
            child = subprocess.Popen(["sleep", "601"])
        assert child.wait(PATIENCE_S) == -signal.SIGKILL
        assert before.poll() is None
    said = capsys.readouterr().out.splitlines()
    assert sorted(line.rpartition(" sleep ")[2] for line in said) == ["600 ====", "601 ===="]


def test_a_test_that_hangs_fails() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"not over after 0\.1 s"), given_up_after(0.1):
        threading.Event().wait(PATIENCE_S)


def test_the_share_of_lines_is_told_of_all_and_by_folder() -> None:
    files = {
        "flows/cli/main.py": {"executed_lines": [1, 2, 3], "missing_lines": [4]},
        "flows/runs/tasks.py": {"executed_lines": [], "missing_lines": [1, 2]},
        "storage/domain/records.py": {"executed_lines": [1, 2, 3, 4], "missing_lines": []},
    }
    assert run_all.coverage({"files": files}) == "70.0% of 10 (flows 50.0%, storage 100.0%)"
