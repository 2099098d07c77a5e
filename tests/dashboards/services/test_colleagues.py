"""Sharing with colleagues: what pages, search and events show them."""

import asyncio
from datetime import UTC

from dashboards.runtime import context, notify
from dashboards.services import job_access, sharing, transcript_search
from storage.domain.records import JobState
from tests.dashboards.desk import Desk, button, component, labels, words


def test_a_shared_recording_stands_in_the_colleagues_list_with_its_owner(desk: Desk) -> None:
    ada, bob = desk.user("ada"), desk.user("bob")
    desk.job(bob, JobState.COMPLETED, name="his.wav")
    job = desk.job(ada, JobState.COMPLETED, name="hers.wav")
    desk.job(ada, JobState.COMPLETED, name="private.wav")
    assert "shared" not in [one["key"] for one in component(desk.page("jobs", bob), "job_list")["filters"]]
    sharing.let(ada, job.id, "bob", may_edit=False)
    rows = component(desk.page("jobs", bob), "job_list")["rows"]
    assert [(row["name"], row["owner"], row["shared"]) for row in rows] == [
        ("hers.wav", "ada", True),
        ("his.wav", None, False),
    ]
    shown = component(desk.page("jobs", bob, show="shared"), "job_list")
    assert [row["name"] for row in shown["rows"]] == ["hers.wav"]
    assert [one["name"] for one in shown["actions"] if one["shared"]] == ["download"]
    at = desk.page("job", bob, id=job.id)
    assert "ada" in words(at)
    assert labels(at) == []
    assert not component(at, "player")["may_edit"]
    sharing.let(ada, job.id, "bob", may_edit=True)
    assert component(desk.page("job", bob, id=job.id), "player")["may_edit"]


def test_of_many_jobs_a_person_sees_their_own_and_what_is_shared_with_them(desk: Desk) -> None:
    ada, bob = desk.user("ada"), desk.user("bob")
    own, shared, private = (desk.job(who, JobState.COMPLETED, name="x.wav") for who in (bob, ada, ada))
    sharing.let(ada, shared.id, "bob", may_edit=False)
    with context.ledger().read() as con:
        seen = job_access.seen_among(con, bob, [own.id, shared.id, private.id, "none"])
    assert {job.id for job in seen} == {own.id, shared.id}


def test_an_owner_shares_and_stops_on_the_recordings_page(desk: Desk) -> None:
    ada, bob = desk.user("ada"), desk.user("bob")
    job = desk.job(ada, JobState.COMPLETED)
    at = desk.page("job", ada, id=job.id)
    next(one for one in at.text_input if one.label == "Username").set_value("nobody")
    button(at, "Share").click()
    at.run()
    assert at.error
    next(one for one in at.text_input if one.label == "Username").set_value("Bob")
    button(at, "Share").click()
    at.run()
    assert [(one.user_id, one.may_edit) for one in sharing.colleagues(ada, job.id)] == [(bob.id, False)]
    assert "**bob** may read" in words(at)
    button(at, "Stop sharing").click()
    at.run()
    assert sharing.colleagues(ada, job.id) == []


def test_search_finds_what_is_shared(desk: Desk) -> None:
    ada, bob = desk.user("ada"), desk.user("bob")
    job = desk.job(ada, JobState.COMPLETED, text="the quarterly budget")
    desk.job(ada, JobState.COMPLETED, name="private.wav", text="another budget")
    desk.holder.search.sync(desk.ledger)

    def found() -> list[str]:
        answer = transcript_search.search("budget", owner_id=bob.id, zone=UTC)
        assert answer.total == len(answer.results)
        return [one.job.id for one in answer.results]

    assert found() == []
    sharing.let(ada, job.id, "bob", may_edit=False)
    assert found() == [job.id]
    sharing.end_for(ada, job.id, "bob")
    assert found() == []


def test_events_of_a_shared_recording_reach_its_readers_until_it_ends(desk: Desk) -> None:
    ada, bob, eve = desk.user("ada"), desk.user("bob"), desk.user("eve")
    job = desk.job(ada, JobState.COMPLETED)

    async def heard() -> list[list[str]]:
        bus = context.current().bus
        told = []
        with bus.listen(owner_id=bob.id) as his, bus.listen(owner_id=eve.id) as hers:
            for change in (
                lambda: notify.announce(job),
                lambda: sharing.let(ada, job.id, "bob", may_edit=False),
                lambda: notify.announce(job),
                lambda: sharing.end_for(ada, job.id, "bob"),
                lambda: notify.announce(job),
            ):
                change()
                told.append([one["job_id"] for one in await his.next(wait_s=0.05)])
            assert await hers.next(wait_s=0.01) == []
        return told

    assert asyncio.run(heard()) == [[], [job.id], [job.id], [job.id], []]
    assert [bool(desk.holder.bus.count(one.id)) for one in (bob, eve)] == [True, False]
