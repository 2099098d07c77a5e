"""Readiness before Prefect has answered, and while the disk is full."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx2 import Response

from dashboards.runtime import context
from tests.dashboards.site import Site


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 MiB under the data dir; request it before `site`."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(tmp_path)], check=False)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_nothing_is_ready_before_prefect_has_answered_once(site: Site) -> None:
    answer = site.client.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        503,
        {"ready": False, "ledger": "ok", "storage": "ok", "prefect": "away"},
    )
    context.current().prefect_has_answered = True
    assert site.client.get("/readyz").status_code == 200


def test_a_full_disk_is_said_and_the_process_is_ready_again_by_itself(small_disk: Path, site: Site) -> None:
    context.current().prefect_has_answered = True
    ada, filler = site.key_of(site.user("ada")), small_disk / "filler"

    def save(words: str) -> Response:
        return site.client.put("/api/v1/vocabulary", json={"words": words}, headers=ada)

    assert save("Anna").status_code == 200
    filler.write_bytes(bytes(shutil.disk_usage(small_disk).free))
    answers = (save(f"Bob {number}") for number in range(1000))  # until the log's last page is full, too
    refused = next(answer for answer in answers if answer.status_code != 200)
    assert (refused.status_code, refused.json()["error"]["code"]) == (507, "storage_full")
    assert "free some space" in refused.text
    answer = site.client.get("/readyz")
    assert (answer.status_code, answer.json()["ledger"]) == (503, "away")
    filler.unlink()
    assert site.client.get("/readyz").status_code == 200
    assert save("Carla").status_code == 200
