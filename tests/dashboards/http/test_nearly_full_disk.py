"""A disk that is nearly full: nothing new is taken, the rest works, and it recovers by itself."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboards.loops.watchers import look_at_disks
from dashboards.runtime import context
from dashboards.runtime.maintenance.disk_guard import DiskGuard
from storage.domain.settings import StorageSettings
from tests.dashboards.site import Site


def test_nothing_new_is_taken_until_there_is_room_again(site: Site, tone: Callable[..., bytes]) -> None:
    ada, holder = site.key_of(site.user("ada")), context.current()
    data = holder.settings.storage.data_dir
    free = shutil.disk_usage(data).free
    context.current().prefect_has_answered = True

    def look(spare_bytes: int) -> None:
        holder.settings.__dict__["storage"] = StorageSettings(
            data_dir=data, disk_spare_bytes=spare_bytes, _env_file=None
        )
        asyncio.run(look_at_disks())

    def send(path: str) -> int:
        return site.client.post(path, files={"file": ("a.wav", tone())}, headers=ada).status_code

    look(2 * free)
    for path in ("/api/v1/jobs", "/v1/audio/transcriptions", "/uploads"):
        answer = site.client.post(path, files={"file": ("a.wav", tone())}, headers=ada)
        assert answer.status_code == 507, path
        assert "nothing new is accepted" in answer.text
    assert site.client.get("/api/v1/jobs", headers=ada).status_code == 200
    ready = site.client.get("/readyz")
    assert (ready.status_code, ready.json()["disk"]) == (200, "nearly full")
    assert "transcriber_disk_low 1.0" in site.client.get("/metrics", headers=site.operator).text
    look(0)
    assert "disk" not in site.client.get("/readyz").json()
    assert send("/api/v1/jobs") == 201


def test_the_state_does_not_flap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guard, free = DiskGuard(), [100]
    usage = type(shutil.disk_usage(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(total=1000, used=1000 - free[0], free=free[0]))
    assert not guard.look([tmp_path], 100)
    for left, changed in ((99, True), (105, False), (111, True), (105, False)):
        free[0] = left
        assert guard.look([tmp_path], 100) is changed, left
    free[0] = 19
    assert guard.look([tmp_path], None), "a fiftieth of the disk by default"
