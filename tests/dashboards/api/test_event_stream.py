"""Job events on open websockets."""

import json
import weakref
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from dashboards.runtime import context, notify
from dashboards.runtime.event_bus import HISTORY, Bus
from storage.accounts import api_keys, users
from storage.domain.records import JobState
from tests.dashboards.served import Served, secret_of
from tests.dashboards.site import ORIGIN, Site
from tests.factories import job_in
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.shared_site


def test_pages_get_arrays_of_news_with_the_row_in_them(site: Site) -> None:
    site.sign_in("ada")
    job = job_in(context.ledger(), context.files(), site.user("ada"), JobState.TRANSCRIBING)
    with site.client.websocket_connect("/events?batch=1", headers=ORIGIN) as page:
        notify.announce(job)
        (news,) = page.receive_json()
    assert (news["job_id"], news["state"], news["progress"]) == (job.id, "transcribing", 0.25)
    assert news["row"]["label"] == "Transcribing 25%"
    assert news["row"]["about"] == "English · small · 1.2 MB"


def test_programs_get_news_one_by_one_without_the_row(site: Site) -> None:
    user = site.user("ada")
    job = job_in(context.ledger(), context.files(), user, JobState.TRANSCRIBING)
    with site.client.websocket_connect("/events", headers=site.key_of(user)) as program:
        notify.announce(job)
        news = program.receive_json()
    assert news["job_id"] == job.id
    assert "row" not in news


def test_changes_within_a_batch_are_sent_once(site: Site) -> None:
    site.sign_in("ada")
    job = job_in(context.ledger(), context.files(), site.user("ada"), JobState.TRANSCRIBING)
    with site.client.websocket_connect("/events?batch=1", headers=ORIGIN) as page:
        for done_s in range(11, 40):
            notify.announce(replace(job, done_s=float(done_s)))
        told: list[dict[str, Any]] = []
        while not any(news.get("progress") == 0.975 for news in told):
            told += page.receive_json()
    assert len(told) < 29


def test_nobody_gets_events_of_others_jobs(site: Site) -> None:
    his = job_in(context.ledger(), context.files(), site.user("bob"), JobState.TRANSCRIBING)
    hers = job_in(context.ledger(), context.files(), site.user("ada"), JobState.TRANSCRIBING)
    site.sign_in("ada")
    with site.client.websocket_connect("/events?batch=1&all=1", headers=ORIGIN) as page:
        notify.announce(his)
        notify.announce(hers)
        assert [news["job_id"] for news in page.receive_json()] == [hers.id]


def test_a_page_learns_that_it_missed_earlier_events(site: Site) -> None:
    site.sign_in("ada")
    user = site.user("ada")
    heard = context.current().bus.count(user.id)
    with site.client.websocket_connect(f"/events?batch=1&heard={heard}", headers=ORIGIN) as page:
        notify.tell("one", user.id, state="failed")
        assert [news["job_id"] for news in page.receive_json()] == ["one"]
    with site.client.websocket_connect(f"/events?batch=1&heard={heard}", headers=ORIGIN) as page:
        assert page.receive_json() == [{"missed": True}]


def test_the_bus_knows_how_many_listen(site: Site) -> None:
    site.sign_in("ada")
    bus = context.current().bus
    before = bus.crowd()
    with (
        site.client.websocket_connect("/events?batch=1", headers=ORIGIN),
        site.client.websocket_connect("/events?batch=1", headers=ORIGIN),
    ):
        assert bus.crowd() == before + 2


def test_a_program_that_was_away_gets_what_it_missed(site: Site) -> None:
    user = site.user("ada")
    key = site.key_of(user)
    jobs = [job_in(context.ledger(), context.files(), user, JobState.TRANSCRIBING, name=f"{n}.wav") for n in range(3)]
    with site.client.websocket_connect("/events", headers=key) as program:
        notify.announce(jobs[0])
        last_id = program.receive_json()["id"]
    notify.announce(jobs[1])
    with site.client.websocket_connect(f"/events?last_id={last_id}", headers=key) as program:
        assert program.receive_json()["job_id"] == jobs[1].id
        notify.announce(jobs[2])
        assert program.receive_json()["job_id"] == jobs[2].id
    with site.client.websocket_connect("/events?last_id=another-1", headers=key) as program:
        assert program.receive_json()["missed"] is True


def events_of(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Read server-sent events as a browser does: each ends with an empty line."""
    event: dict[str, Any] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if not line and "data" in event:
            yield event
        if not line:
            event = {}
        elif name:
            event[name] = json.loads(value) if name == "data" else value.strip()


def test_server_sent_events_go_on_after_the_last_one(served: Served) -> None:
    with context.ledger().read() as con:
        ada, bob = users.by_name(con, "ada"), users.by_name(con, "bob")
    assert ada
    assert bob
    mine, others = (job_in(context.ledger(), context.files(), user, JobState.TRANSCRIBING) for user in (ada, bob))
    url, headers = f"{served.url}/api/v1/events", {"Authorization": f"Bearer {secret_of('ada')}"}
    with httpx2.Client(timeout=PATIENCE_S) as client:
        with client.stream("GET", url, headers=headers) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            notify.announce(others)
            notify.announce(mine)
            first = next(events_of(answer.iter_lines()))
        assert (first["data"]["job_id"], first["id"]) == (mine.id, first["data"]["id"])
        notify.announce(replace(mine, done_s=39.0))
        for last_id, kind in ((first["id"], None), ("0000-1", "missed")):
            with client.stream("GET", url, headers=headers | {"Last-Event-ID": last_id}) as answer:
                event = next(events_of(answer.iter_lines()))
            assert event.get("event") == kind
            assert kind or event["data"]["progress"] == 0.975


def test_connections_of_a_rotated_key_end_with_its_secret(served: Served) -> None:
    secret = secret_of("ada")
    with httpx2.Client(timeout=PATIENCE_S) as client:
        url, headers = f"{served.url}/api/v1/events", {"Authorization": f"Bearer {secret}"}
        with client.stream("GET", url, headers=headers) as answer:
            lines = answer.iter_lines()
            next(lines)
            with context.ledger().write() as con:
                (ident,) = context.current().doors.idents()
                fresh, _ = api_keys.rotate(con, ident, overlap=timedelta(seconds=0.5), actor="system:test")
            for count, _ in enumerate(lines):  # a stream that goes on sends a comment every 15 s
                assert count < 6
        assert client.get(url, headers=headers).status_code == 401
        with client.stream("GET", url, headers={"Authorization": f"Bearer {fresh}"}) as answer:
            assert answer.status_code == 200
            assert next(answer.iter_lines()).startswith("retry")


@pytest.mark.parametrize("ident", ["", "x", "1-", "-1", "nothing-5", "é-1"])
def test_an_unknown_id_means_that_events_were_missed(ident: str) -> None:
    bus = Bus()
    bus.publish({"job_id": "1", "owner_id": "2"})
    assert bus.since(ident, None) is None
    assert bus.since(f"{bus.last_ident()}0", None) is None
    assert bus.since(bus.last_ident(), None) == []


def test_of_events_that_were_sent_a_bounded_number_is_kept_without_their_jobs() -> None:
    class Told:
        """Stands for the job that makes an event's words in other languages."""

        def words(self) -> dict[str, Any]:
            return {"detail": repr(self)}

    bus, told = Bus(), Told()
    kept = weakref.ref(told)
    bus.publish({"job_id": "0", "owner_id": "2", "row": "x" * 5000}, words=told.words)
    del told
    assert kept() is None
    first = bus.last_ident()
    for number in range(1, HISTORY + 1):
        bus.publish({"job_id": str(number), "owner_id": "2", "row": "x" * 5000}, readers=frozenset({"3"}))
    missed = bus.since(first, "3") or []
    assert [news.facts["job_id"] for news in missed] == [str(number) for number in range(1, HISTORY + 1)]
    assert "row" not in missed[0].facts
    bus.publish({"job_id": "x", "owner_id": "2"})
    assert bus.since(first, "3") is None
