"""Some 500 hostile requests to a real web process: none let in, none a 5xx, nothing lost, little memory."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import httpx
import psutil
import pytest

from storage.accounts import api_keys, users
from storage.domain.records import JobState
from storage.domain.settings import Settings
from storage.files.file_store import Files
from storage.jobs import job_store
from storage.ledger import audit
from storage.ledger.database import Ledger
from tests.dashboards.http import hostile
from tests.dashboards.http.hostile import Answered
from tests.dashboards.nginx import free_port
from tests.dashboards.uploads.test_uploads_survive import Web
from tests.factories import job_in
from tests.waiting import PATIENCE_S

LEAST = 450
SETTLED_BYTES = 1 << 20
GROWS_BY_BYTES = 50 << 20
SECRETS = (b"root:x:0:0", b"DUCK", b"of root alone", b"argon2")
"""What no answer to anybody else may have in it."""


class Watched:
    """The memory of a process, looked at ten times a second."""

    def __init__(self, pid: int) -> None:
        self.process, self.over = psutil.Process(pid), threading.Event()
        self.most = self.first = self.process.memory_info().rss
        self.thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self.over.wait(0.1):
            self.most = max(self.most, self.process.memory_info().rss)

    def __enter__(self) -> "Watched":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()


def settle(pid: int) -> None:
    """Wait until a process has imported what it imports after its start, and so grows no more."""
    process, until = psutil.Process(pid), time.monotonic() + PATIENCE_S
    before, now = 0, process.memory_info().rss
    while now - before > SETTLED_BYTES and time.monotonic() < until:
        time.sleep(3)
        before, now = now, process.memory_info().rss


@pytest.fixture
def attacked(settings: Settings) -> Iterator[tuple[Web, hostile.Site]]:
    """A web process of its own, with a job of ada's and one of root's."""
    with Ledger.open(settings.storage.ledger_path) as ledger:
        files = Files.from_settings(settings.storage)
        with ledger.read() as con:
            ada, root = users.by_name(con, "ada"), users.by_name(con, "root")
        assert ada is not None
        assert root is not None
        mine = job_in(ledger, files, ada, JobState.COMPLETED, name="talk.wav")
        theirs = job_in(ledger, files, root, JobState.COMPLETED, name="of root alone.wav")
        secret, _ = ledger.run(api_keys.create, user_id=ada.id, name="test", actor="system:test")
    unlimited = {f"TRANSCRIBER_RATE_LIMIT_{kind}": "off" for kind in ("API", "GENERAL", "ADMIN", "UPLOAD", "AUTH")}
    web = Web(settings=settings, port=free_port(), more=unlimited | {"PREFECT_API_URL": "http://127.0.0.1:9/api"})
    web.start()
    try:
        yield web, hostile.Site(key=secret, job=mine.id, others_job=theirs.id)
    finally:
        web.kill()


def is_let_in(one: Answered) -> bool:
    """Return whether a hostile request got what is not for it."""
    leaks = any(secret in one.body for secret in SECRETS)
    traversal = one.asked.kind == "path" and one.status == 200 and b'id="root"' not in one.body
    return leaks or (traversal and b"etc/passwd" in one.asked.raw)


def test_hostile_requests_are_refused_and_cost_little(
    attacked: tuple[Web, hostile.Site], tone: Callable[..., bytes]
) -> None:
    web, site = attacked
    assert web.process is not None
    requests = hostile.everything(site)
    assert len(requests) >= LEAST
    asyncio.run(hostile.answers(web.port, requests[::10]))
    settle(web.process.pid)
    with Watched(web.process.pid) as memory:
        answered = asyncio.run(hostile.answers(web.port, requests))
    assert [_told(one) for one in answered if one.status >= 500] == []
    assert [_told(one) for one in answered if is_let_in(one)] == []
    statuses = Counter(one.status // 100 for one in answered)
    assert statuses[4] > LEAST // 2, statuses
    assert memory.most - memory.first < GROWS_BY_BYTES
    headers = {"Authorization": f"Bearer {site.key}"}
    job = httpx.get(f"{web.url}/api/v1/jobs/{site.job}", headers=headers, timeout=PATIENCE_S).json()
    assert (job["state"], job["owner_id"]) == ("completed", job["owner_id"])
    good = httpx.post(
        f"{web.url}/api/v1/jobs", headers=headers, files={"file": ("good.wav", tone(0.5))}, timeout=PATIENCE_S
    )
    assert good.status_code == 201
    web.kill()
    with Ledger.open(web.settings.storage.ledger_path) as ledger, ledger.read() as con:
        assert audit.verify(con) is None
        assert {site.job, site.others_job, good.json()["id"]} <= {one.id for one in job_store.page(con, limit=200)}
        assert job_store.get(con, site.others_job).name == "of root alone.wav"


def _told(one: Answered) -> str:
    return f"{one.asked.kind} {one.asked.name}: {one.status} {one.body[:200]!r}"
