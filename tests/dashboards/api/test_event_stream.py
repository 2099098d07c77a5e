"""News of jobs on open websockets."""

from dataclasses import replace
from typing import Any

from dashboards import context
from storage.records import JobState
from tests.dashboards.desk import _make
from tests.dashboards.site import ORIGIN, Site


def test_pages_get_arrays_of_news_with_the_row_in_them(site: Site) -> None:
    site.sign_in("ada")
    job = _make(context.ledger(), site.user("ada"), JobState.TRANSCRIBING)
    with site.client.websocket_connect("/events?batch=1", headers=ORIGIN) as page:
        context.announce(job)
        (news,) = page.receive_json()
    assert (news["job_id"], news["state"], news["progress"]) == (job.id, "transcribing", 0.25)
    assert news["row"]["label"] == "Transcribing 25%"
    assert news["row"]["about"] == "English · small · 1.2 MB"


def test_programs_get_news_one_by_one_without_the_row(site: Site) -> None:
    user = site.user("ada")
    job = _make(context.ledger(), user, JobState.TRANSCRIBING)
    with site.client.websocket_connect("/events", headers=site.key_of(user)) as program:
        context.announce(job)
        news = program.receive_json()
    assert news["job_id"] == job.id
    assert "row" not in news


def test_what_changes_twice_while_it_is_gathered_is_told_once(site: Site) -> None:
    site.sign_in("ada")
    job = _make(context.ledger(), site.user("ada"), JobState.TRANSCRIBING)
    with site.client.websocket_connect("/events?batch=1", headers=ORIGIN) as page:
        for done_s in range(11, 40):
            context.announce(replace(job, done_s=float(done_s)))
        told: list[dict[str, Any]] = []
        while not any(news.get("progress") == 0.975 for news in told):
            told += page.receive_json()
    assert len(told) < 29


def test_nobody_hears_of_others_jobs(site: Site) -> None:
    his = _make(context.ledger(), site.user("bob"), JobState.TRANSCRIBING)
    hers = _make(context.ledger(), site.user("ada"), JobState.TRANSCRIBING)
    site.sign_in("ada")
    with site.client.websocket_connect("/events?batch=1&all=1", headers=ORIGIN) as page:
        context.announce(his)
        context.announce(hers)
        assert [news["job_id"] for news in page.receive_json()] == [hers.id]


def test_a_page_hears_that_it_missed_what_was_told_before_it_listened(site: Site) -> None:
    site.sign_in("ada")
    user = site.user("ada")
    heard = context.current().bus.count(user.id)
    with site.client.websocket_connect(f"/events?batch=1&heard={heard}", headers=ORIGIN) as page:
        context.tell("one", user.id, state="failed")
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
