"""Kept answers: never stale, never somebody else's, bounded, counted, and cleared by administrators."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from dashboards.runtime import context
from dashboards.runtime.answer_cache import LARGEST_BYTES, Answers, KeptAnswer
from dashboards.services import cache_clearing
from storage.accounts import users
from storage.domain.errors import NotAllowed
from storage.domain.records import Job, JobState, Role
from storage.domain.scopes import Scope
from storage.jobs import job_store, renaming
from storage.ledger import audit
from storage.ledger.database import Ledger
from tests.dashboards.served import Served, secret_of
from tests.dashboards.site import Site
from tests.factories import accept, job_in

pytestmark = pytest.mark.shared_site


@pytest.fixture
def job(site: Site) -> Job:
    return job_in(context.ledger(), context.files(), site.user("ada"), JobState.COMPLETED)


def hits() -> int:
    return context.current().answers.hits


def test_an_answer_is_kept_until_anything_is_committed(site: Site, job: Job) -> None:
    ada, paths = site.key_of(site.user("ada")), (f"/api/v1/jobs/{job.id}", "/api/v1/jobs?limit=3")
    first = [site.client.get(path, headers=ada) for path in paths]
    again = [site.client.get(path, headers=ada) for path in paths]
    assert hits() == 2
    for one, other in zip(first, again, strict=True):
        told = ("etag", "cache-control", "content-type", "content-length")
        assert (one.content, [one.headers[name] for name in told]) == (
            other.content,
            [other.headers[name] for name in told],
        )
        path = one.request.url.raw_path.decode()
        known = site.client.get(path, headers=ada | {"If-None-Match": one.headers["etag"]})
        assert (known.status_code, known.content) == (304, b"")
        assert site.client.head(path, headers=ada).headers["etag"] == one.headers["etag"]
    assert hits() == 6
    context.ledger().run(renaming.rename, job.id, name="Anders.wav", actor="user:x")  # and nobody is told
    for path in paths:
        assert "Anders.wav" in site.client.get(path, headers=ada).text
    assert hits() == 6
    routes = {one.route for one in context.current().timings.all()}
    assert "GET /api/v1/jobs/{job_id}" in routes
    assert 'transcriber_answer_cache_total{result="hit"} 6.0' in site.client.get("/metrics", headers=site.worker).text


@pytest.mark.own_site
def test_who_asks_is_kept_until_the_role_changes(site: Site) -> None:
    ada = site.user("ada")
    key = site.key_of(ada)
    assert [site.client.get("/api/v1/me", headers=key).json()["role"] for _ in range(2)] == ["member"] * 2
    assert hits() == 1
    context.ledger().run(users.set_role, ada.id, role=Role.READER, actor="system:test")
    assert site.client.get("/api/v1/me", headers=key).json()["role"] == "reader"


@pytest.mark.own_site
def test_answers_are_never_kept_for_others(site: Site, job: Job) -> None:
    people = {name: site.key_of(site.user(name)) for name in ("ada", "bob", "root")}
    lesser = site.key_of(site.user("root"), scopes=(Scope.READ,))
    path = f"/api/v1/jobs/{job.id}"
    for _ in range(2):
        statuses = [site.client.get(path, headers=who).status_code for who in (*people.values(), lesser)]
        assert statuses == [200, 404, 200, 404]
        lists = [len(site.client.get("/api/v1/jobs", headers=who).json()["jobs"]) for who in people.values()]
        assert lists == [1, 0, 0]
        asked = [site.client.get("/api/v1/jobs?everybody=true", headers=who) for who in (*people.values(), lesser)]
        assert [answer.status_code for answer in asked] == [403, 403, 200, 403]
    site.sign_in("ada")
    assert "etag" in site.client.get(path).headers
    assert site.client.get(path).headers["cache-control"] == "private, no-store"  # a browser's disk keeps nothing
    assert site.client.get(path, headers={"Authorization": "Bearer wt_none"}).status_code == 401


def test_no_answer_is_older_than_a_change_that_was_answered(served: Served) -> None:
    """One client renames and one reports, while others read without pause."""
    headers = {"Authorization": f"Bearer {secret_of('ada')}"}
    with context.ledger().read() as con:
        owner = users.by_name(con, "ada")
    assert owner
    job = accept(context.ledger(), owner, name="0.wav")
    acknowledged = [0]
    over, stale, read = threading.Event(), [], [0]

    def reads() -> None:
        with httpx.Client(base_url=served.url, headers=headers) as client:
            while not over.is_set():
                at_least = acknowledged[0]
                one = int(client.get(f"/api/v1/jobs/{job.id}").json()["name"].removesuffix(".wav"))
                listed = int(client.get("/api/v1/jobs").json()["jobs"][0]["name"].removesuffix(".wav"))
                read[0] += 1
                if min(one, listed) < at_least:
                    stale.append((at_least, one, listed))

    with ThreadPoolExecutor() as pool, httpx.Client(base_url=served.url, headers=headers) as writer:
        for _ in range(3):
            pool.submit(reads)
        try:
            for number in range(1, 41):
                if number % 2:
                    assert writer.patch(f"/api/v1/jobs/{job.id}", json={"name": f"{number}.wav"}).status_code == 200
                else:
                    context.ledger().run(renaming.rename, job.id, name=f"{number}.wav", actor="worker:test")
                acknowledged[0] = number
                time.sleep(0.01 * (number % 4))
        finally:
            over.set()
    assert stale == []
    assert read[0] > 20
    assert hits() > 0


def kept_of(size: int, stamp: int = 0) -> KeptAnswer:
    return KeptAnswer(stamp=stamp, start={"status": 200, "headers": []}, body=bytes(size), route=None)


def test_answers_are_bounded_and_none_is_kept_during_a_commit() -> None:
    answers = Answers(most_bytes=100_000)
    for number in range(100):
        answers.keep(number, kept_of(10_000))
    assert 50_000 < answers.size_bytes() <= 100_000
    assert answers.find(99, 0)
    assert answers.find(0, 0) is None
    Answers().keep("large", kept_of(LARGEST_BYTES))
    answers.keep("large", kept_of(200_000))
    answers.keep("changing", kept_of(1, stamp=1))
    assert [answers.find(key, stamp) for key, stamp in (("large", 0), ("changing", 1), (99, 1), (99, 2))] == [None] * 4
    assert (answers.asked, answers.hits) == (6, 1)


def test_what_nobody_can_find_any_more_takes_no_memory() -> None:
    answers = Answers()
    answers.keep("early", kept_of(10_000))
    answers.keep("of now", kept_of(10_000, stamp=2))
    answers.keep("late", kept_of(10_000))
    assert [answers.find(key, 2) is None for key in ("early", "of now", "late")] == [True, False, True]
    assert answers.size_bytes() == kept_of(10_000).size_bytes


def test_the_ledger_counts_before_and_after_each_commit(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "own.duckdb") as ledger:
        before = ledger.changes
        with ledger.write() as con:
            con.execute("UPDATE audit_head SET count = count").fetchall()
            assert ledger.changes == before
        assert ledger.changes == before + 2
        with pytest.raises(NotAllowed), ledger.write():
            raise NotAllowed("anything", "nobody")
        assert ledger.changes == before + 2


def test_administrators_clear_the_caches_and_it_is_recorded(site: Site, job: Job) -> None:
    ada = site.key_of(site.user("ada"))
    for _ in range(2):
        site.client.get(f"/api/v1/jobs/{job.id}", headers=ada)
    assert context.current().answers.size_bytes() > 0
    with pytest.raises(NotAllowed):
        cache_clearing.clear(site.user("ada"))
    cache_clearing.clear(site.user("root"))
    assert context.current().answers.size_bytes() == 0
    with context.ledger().read() as con:
        (row,) = audit.page(con, action="cache.clear")
    assert row.actor == site.user("root").actor


def test_who_refuses_gzip_gets_none(site: Site, job: Job) -> None:
    ada, path = site.key_of(site.user("ada")), f"/api/v1/jobs/{job.id}"
    with context.ledger().write():  # so that nothing is committed meanwhile
        site.client.get(path, headers=ada)
        before = hits()
        for accepted, coding in (("gzip;q=0", None), ("gzip;q=0.1", "gzip"), ("identity, *", "gzip"), ("br", None)):
            kept = site.client.get(path, headers=ada | {"Accept-Encoding": accepted})
            assert (kept.headers.get("content-encoding"), kept.json()["id"]) == (coding, job.id)
        assert hits() - before == 4
    for accepted, coding in (("gzip;q=0", None), ("gzip;q=0, *", None), ("gzip;q=0.1", "gzip")):
        made = site.client.get("/api/openapi.json", headers=ada | {"Accept-Encoding": accepted})
        assert (made.headers.get("content-encoding"), made.status_code) == (coding, 200), "what is not kept, too"


def test_programs_that_ask_at_once_for_the_same_read_the_ledger_once(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers, pages, page = {"Authorization": f"Bearer {secret_of('ada')}"}, [], job_store.page
    together = threading.Barrier(9)

    def slow_page(*args: Any, **kwargs: Any) -> list[Job]:
        pages.append(1)
        time.sleep(0.3)
        return page(*args, **kwargs)

    def ask() -> int:
        with httpx.Client(base_url=served.url, headers=headers) as client:
            client.get("/livez")
            together.wait()
            return client.get("/api/v1/jobs?limit=7").status_code

    with ThreadPoolExecutor(8) as pool, context.ledger().write():  # so that nothing is committed meanwhile
        asked = [pool.submit(ask) for _ in range(8)]
        monkeypatch.setattr(job_store, "page", slow_page)
        together.wait()
        assert [one.result() for one in asked] == [200] * 8
    assert len(pages) == 1
