"""What `transcriber doctor` reads from the web process."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from dashboards.runtime import context
from flows.cli import doctor
from storage.domain.clock import utc_now
from storage.remote import worker_troubles
from storage.remote.worker_registry import ALIVE_FOR
from tests.dashboards.site import Site
from tests.factories import heartbeat


def test_doctor_names_a_frozen_worker_in_the_words_of_the_pages(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("httpx.get", lambda url, **asked: site.client.get(urlsplit(url).path, headers=asked["headers"]))
    for pool, slots in (("cpu", 1), ("gpu", 2)):
        beat = heartbeat(pool, name=f'{pool}-"alder"', host="alder", slots=slots)
        context.workers().beat(beat, now=utc_now() - (ALIVE_FOR if pool == "gpu" else timedelta()))
    slow = heartbeat("cpu", name="cpu-birch", host="birch", sent_at=utc_now() - timedelta(minutes=5))
    context.workers().beat(slow)
    found = [(check.state, check.found) for check in doctor.check_workers(site.settings)]
    assert found == [
        ("problem", worker_troubles.silent('gpu-"alder"', "alder")),
        ("note", worker_troubles.wrong_clock("cpu-birch", "birch", -300.0)),
        ("ok", "2 slots"),
        ("problem", worker_troubles.none_of("gpu")),
    ]
