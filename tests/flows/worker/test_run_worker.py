"""Names of workers: the same after a restart, whatever another platform of the same user does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.worker.run_worker import own_name
from flows.worker.worker_place import default_name

HOLDS_A_NAME = """
import time
from flows.worker.run_worker import own_name
with own_name("cpu", "cpu") as name:
    print(name, flush=True)
    time.sleep(60)
"""


def test_a_number_is_free_or_taken_on_one_prefect_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first = default_name("cpu", "cpu")
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    with own_name("cpu", "cpu") as ours:
        monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4300/api")
        with own_name("cpu", "cpu") as of_another_platform:
            assert (ours, of_another_platform) == (first, first)
        monkeypatch.setenv("PREFECT_API_URL", "http://localhost:4200/api/")
        with own_name("cpu", "cpu") as beside_ours:
            assert beside_ours == f"{first}-2"
    with own_name("cpu", "cpu") as started_again:
        assert started_again == first


def test_a_killed_worker_gets_its_number_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with own_name("cpu", "cpu") as first:
        second = subprocess.Popen(
            [sys.executable, "-c", HOLDS_A_NAME], env=os.environ | {"TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE
        )
        assert second.stdout is not None
        assert second.stdout.readline().decode().strip() == f"{first}-2"
    second.kill()  # the first has stopped meanwhile, and left its number
    second.communicate()
    with own_name("cpu", "cpu") as again, own_name("cpu", "cpu") as another:
        assert (again, another) == (f"{first}-2", first)
    with own_name("cpu", "cpu") as fresh:
        assert fresh == first
