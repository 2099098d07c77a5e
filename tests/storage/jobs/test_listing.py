"""Lists of jobs: filters, orders and stable pages."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from storage.domain.clock import utc_now
from storage.domain.records import Job, JobState, Lane, User
from storage.jobs import job_store, listing, queue_order
from storage.jobs.listing import JobFilter, Sort
from storage.ledger.database import Ledger
from tests.factories import FlowRun
from tests.storage.conftest import MakeJob


def names(ledger: Ledger, wanted: JobFilter | None = None, *, sort: Sort = Sort.NEWEST, limit: int = 2) -> list[str]:
    """Return the names on all pages, one after the other."""
    found: list[str] = []
    after = None
    while True:
        with ledger.read() as con:
            page = listing.page(con, wanted or JobFilter(), sort=sort, after=after, limit=limit)
        found += [job.name for job in page.jobs]
        after = page.next
        if after is None:
            return found


@pytest.fixture
def five(ledger: Ledger, make_job: MakeJob) -> list[Job]:
    """Five jobs with lengths."""
    made = []
    for name, seconds in (("b", 30.0), ("A", 5.0), ("ä", None), ("C", 30.0), ("a", 100.0)):
        job = make_job(content=name, name=name)
        with ledger.write() as con:
            con.execute("UPDATE jobs SET duration_s = ? WHERE id = ?", [seconds, job.id])
        made.append(job)
    return made


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (Sort.NEWEST, "aCäAb"),
        (Sort.OLDEST, "bAäCa"),
        (Sort.NAME, "aäAbC"),
        (Sort.LONGEST, "aCbAä"),
        (Sort.SHORTEST, "ACbaä"),
        (Sort.STATE, "aCäAb"),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 5])
def test_pages_hold_each_job_once_in_order(
    ledger: Ledger, five: list[Job], sort: Sort, expected: str, limit: int
) -> None:
    assert "".join(names(ledger, sort=sort, limit=limit)) == expected


def test_a_page_stays_right_while_jobs_come_and_go(ledger: Ledger, five: list[Job], make_job: MakeJob) -> None:
    with ledger.read() as con:
        first = listing.page(con, JobFilter(), limit=2)
    make_job(content="new", name="new")
    ledger.run(job_store.cancel, first.jobs[0].id, actor="system:test")
    ledger.run(job_store.delete, first.jobs[0].id, actor="system:test")
    with ledger.read() as con:
        second = listing.page(con, JobFilter(), after=first.next, limit=2)
    assert [job.name for job in (*first.jobs, *second.jobs)] == ["a", "C", "ä", "A"]


@pytest.mark.parametrize("after", ["", "rubbish", "WzFd", "bnVsbA", "W10", "e30"])
def test_a_cursor_of_nobodys_making_begins_at_the_top(ledger: Ledger, five: list[Job], after: str) -> None:
    with ledger.read() as con:
        assert listing.page(con, JobFilter(), after=after, limit=1).jobs[0].name == "a"


def test_a_cursor_of_another_order_begins_at_the_top(ledger: Ledger, five: list[Job]) -> None:
    with ledger.read() as con:
        after = listing.page(con, JobFilter(), limit=1).next
        assert listing.page(con, JobFilter(), sort=Sort.NAME, after=after, limit=1).jobs[0].name == "a"


def test_filters_narrow(
    ledger: Ledger, make_job: MakeJob, make_user: Callable[[str], User], run_of: Callable[[Job], FlowRun]
) -> None:
    ben = make_user("Ben")
    run_of(make_job(content="1", name="Årsmøde 100%.wav")).whole_way()
    make_job(content="2", name="Notes_1.wav")
    his = make_job(ben, content="3", name="His.wav")
    assert names(ledger, JobFilter(text="arsm")) == ["Årsmøde 100%.wav"]
    assert names(ledger, JobFilter(text="%")) == ["Årsmøde 100%.wav"]
    assert names(ledger, JobFilter(text="_1")) == ["Notes_1.wav"]
    assert names(ledger, JobFilter(owner_id=ben.id)) == ["His.wav"]
    assert names(ledger, JobFilter(states=(JobState.COMPLETED,))) == ["Årsmøde 100%.wav"]
    assert names(ledger, JobFilter(language="en", model="tiny")) == ["Årsmøde 100%.wav"]
    assert names(ledger, JobFilter(language="de")) == []
    hour = timedelta(hours=1)
    assert names(ledger, JobFilter(since=utc_now() + hour)) == []
    assert len(names(ledger, JobFilter(since=utc_now() - hour, until=utc_now() + hour))) == 3
    with ledger.read() as con:
        assert listing.counts(con, JobFilter(owner_id=ben.id))[JobState.QUEUED] == 1
        assert listing.choices(con) == listing.FilterChoices(languages=("en",), models=("tiny",), tags=())
        assert [job.id for job in listing.some(con, [his.id, "no such job"])] == [his.id]


def test_statistics_count_what_is_not_deleted(
    ledger: Ledger, ann: User, make_job: MakeJob, run_of: Callable[[Job], FlowRun]
) -> None:
    run_of(make_job(content="1")).whole_way()
    gone = run_of(make_job(content="2")).whole_way()
    make_job(content="3")
    ledger.run(job_store.delete, gone.id, actor="system:test")
    with ledger.read() as con:
        counted = listing.statistics(con, ann.id, month=utc_now() - timedelta(days=1))
        nobodys = listing.statistics(con, "nobody", month=utc_now())
    assert (counted.total, counted.completed, counted.processing, counted.failed) == (2, 1, 1, 0)
    assert (counted.this_month, counted.heard_s, counted.success) == (2, 20.0, 1.0)
    assert (nobodys.total, nobodys.heard_s, nobodys.success) == (0, 0.0, None)


def test_places_in_line_are_the_dispatchers_order(
    ledger: Ledger, make_job: MakeJob, make_user: Callable[[str], User]
) -> None:
    ben = make_user("Ben")
    for number in range(3):
        make_job(content=f"a{number}", name=f"a{number}")
    make_job(ben, content="b", name="b")
    with ledger.read() as con:
        order = [job.id for job in queue_order.next_queued(con, 10)]
        places = queue_order.places(con)
    assert {job_id: place.number for job_id, place in places.items()} == {job_id: n for n, job_id in enumerate(order)}
    assert list(places) == order
    assert {(place.lane, place.audio_s) for place in places.values()} == {(Lane.INTERACTIVE, queue_order.UNKNOWN_S)}
