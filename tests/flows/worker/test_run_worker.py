"""Names of workers: the same after a restart, whatever another platform of the same user does."""

from pathlib import Path

import pytest

from flows.worker.run_worker import own_name
from flows.worker.worker_place import default_name


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
