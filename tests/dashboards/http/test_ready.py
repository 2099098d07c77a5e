"""Readiness before Prefect has answered, and while the disk is full."""

import asyncio
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx2 import Response

from dashboards.runtime import context, db
from dashboards.runtime.maintenance.part_guard import PartGuard
from storage.remote.part_troubles import PlatformPart
from tests.dashboards.site import Site

BUSY_S = 60


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
        {
            "ready": False,
            "ledger": "ok",
            "storage": "ok",
            "prefect": "away",
            "reasons": {"prefect": "no answer since the start"},
        },
    )
    context.current().prefect_has_answered = True
    assert site.client.get("/readyz").status_code == 200


def test_a_prefect_that_went_later_is_said_while_recordings_are_accepted(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    context.current().prefect_has_answered = True
    monkeypatch.setattr(PartGuard, "reason", lambda _, part: "timed out" if part is PlatformPart.PREFECT else None)
    answer = site.client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"], answer.json()["prefect"]) == (200, True, "away")


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
    assert answer.json()["reasons"] == {"ledger": "storage_full"}
    filler.unlink()
    assert site.client.get("/readyz").status_code == 200
    assert save("Carla").status_code == 200


def test_a_probe_is_answered_while_all_threads_are_busy(site: Site) -> None:
    """Whoever looks after the process must not kill it because it works."""
    holder = context.current()
    holder.prefect_has_answered = True
    ends = threading.Event()
    portal = site.client.portal
    assert portal is not None

    async def keep_busy() -> None:
        work = [db.in_ledger(ends.wait, BUSY_S) for _ in range(int(holder.ledger_threads.total_tokens))]
        work += [db.in_thread(ends.wait, BUSY_S) for _ in range(int(holder.blocking_threads.total_tokens))]
        await asyncio.gather(*work)

    busy = portal.start_task_soon(keep_busy)
    try:
        while holder.ledger_threads.available_tokens:
            time.sleep(0.01)
        asked_at = time.monotonic()
        assert site.client.get("/livez").status_code == 200
        assert site.client.get("/readyz").status_code == 200
        assert time.monotonic() - asked_at < BUSY_S / 2  # whoever waits for a thread waits for all of it
    finally:
        ends.set()
        busy.result()
