"""The queue order: lane by lane, users in turn, without starvation."""

from collections.abc import Callable
from typing import Any

import pytest

from storage.domain.interruptions import RunMissing
from storage.domain.records import Job, Lane, User
from storage.jobs import job_store, queue_control, queue_order
from storage.ledger.database import Ledger


@pytest.fixture
def users_three(make_user: Callable[[str], User]) -> tuple[User, User, User]:
    return make_user("A"), make_user("B"), make_user("C")


def order(ledger: Ledger, limit: int = 100) -> list[str]:
    with ledger.read() as con:
        return [job.name for job in queue_order.next_queued(con, limit)]


def submit(ledger: Ledger, job: Job) -> None:
    run: dict[str, Any] = {
        "attempt": job.attempt,
        "flow_run_id": f"run {job.id}",
        "model": "tiny",
        "fingerprint": "f00d",
    }
    ledger.run(job_store.submitted, job.id, actor="system:dispatcher", **run)


def test_lanes_come_one_after_the_other(ledger: Ledger, make_job: Any) -> None:
    for lane in (Lane.BACKFILL, Lane.BATCH, Lane.INTERACTIVE):
        make_job(name=f"{lane}", lane=lane)
    assert order(ledger) == ["interactive", "batch", "backfill"]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"models": ["auto"]},
        {"models": ["tiny"]},
        {"models": []},
        {"without": [Lane.BATCH]},
        {"without": [Lane.INTERACTIVE]},
        {"limit": 0},
    ],
)
def test_a_job_that_waits_alone_is_next_as_the_order_says(ledger: Ledger, make_job: Any, asked: dict[str, Any]) -> None:
    make_job(name="alone", lane=Lane.BATCH)
    with ledger.read() as con:
        short = queue_order.next_queued(con, **({"limit": 5} | asked))
        long = queue_order.next_queued(con, each=1, **({"limit": 5} | asked))  # that limit takes the query
    assert short == long


def test_the_only_job_is_one_beside_which_none_waits_or_is_in_flight(ledger: Ledger, make_job: Any) -> None:
    def only() -> str | None:
        with ledger.read() as con:
            job = queue_order.only_one(con)
            assert job is None or job == job_store.get(con, job.id)
            return job.name if job else None

    assert only() is None
    over, held = make_job(name="over"), make_job(name="held")
    ledger.run(job_store.cancel, over.id, actor="user:a")
    ledger.run(queue_control.hold, held.id, actor="user:a")
    alone = make_job(name="alone")
    assert only() == "alone"
    another = make_job(name="another")
    assert only() is None
    submit(ledger, alone)
    assert only() is None
    ledger.run(job_store.cancel, alone.id, actor="user:a")
    assert only() == "another"
    submit(ledger, another)
    assert only() is None


def test_one_users_jobs_come_by_age(ledger: Ledger, make_job: Any) -> None:
    for number in range(4):
        make_job(name=str(number))
    assert order(ledger, limit=3) == ["0", "1", "2"]


def test_users_take_turns(ledger: Ledger, make_job: Any, users_three: tuple[User, User, User]) -> None:
    a, b, c = users_three
    for number in range(3):
        make_job(a, name=f"a{number}")
    make_job(b, name="b0")
    make_job(c, name="c0")
    make_job(c, name="c1")
    assert order(ledger) == ["a0", "b0", "c0", "a1", "c1", "a2"]


def test_turns_are_by_seconds_of_audio(ledger: Ledger, make_job: Any, users_three: tuple[User, User, User]) -> None:
    a, b, _ = users_three
    first = make_job(a, name="a0", duration_s=3600.0)
    make_job(a, name="a1", duration_s=3600.0)
    for number in range(3):
        make_job(b, name=f"b{number}", duration_s=60.0)
    make_job(b, name="b of unknown length")
    assert order(ledger) == ["a0", "b0", "b1", "b2", "b of unknown length", "a1"]
    submit(ledger, first)
    assert order(ledger, limit=4) == ["b0", "b1", "b2", "b of unknown length"]


def test_who_has_fewer_in_flight_comes_first(
    ledger: Ledger, make_job: Any, users_three: tuple[User, User, User]
) -> None:
    a, b, _ = users_three
    first, second = make_job(a, name="a0"), make_job(a, name="a1")
    make_job(a, name="a2")
    for number in range(3):
        make_job(b, name=f"b{number}")
    submit(ledger, first)
    submit(ledger, second)
    assert order(ledger) == ["b0", "b1", "a2", "b2"]


def test_work_in_another_lane_does_not_count(
    ledger: Ledger, make_job: Any, users_three: tuple[User, User, User]
) -> None:
    a, b, _ = users_three
    submit(ledger, make_job(a, lane=Lane.BACKFILL))
    make_job(a, name="a")
    make_job(b, name="b")
    assert order(ledger) == ["a", "b"]


def test_a_single_slot_goes_round(ledger: Ledger, make_job: Any, users_three: tuple[User, User, User]) -> None:
    """With one slot nobody has anything in flight when the next job is chosen; turns must hold all the same."""
    for user, letter in zip(users_three, "abc", strict=True):
        for number in range(2):
            make_job(user, name=f"{letter}{number}")
    served = []
    for _ in range(6):
        with ledger.read() as con:
            (job,) = queue_order.next_queued(con, 1)
        submit(ledger, job)
        ledger.run(job_store.cancel, job.id, actor="cli:me")
        served.append(job.name)
    assert served == ["a0", "b0", "c0", "a1", "b1", "c1"]


def test_a_burst_of_one_user_does_not_hold_up_another(
    ledger: Ledger, make_job: Any, users_three: tuple[User, User, User]
) -> None:
    a, b, _ = users_three
    for number in range(50):
        make_job(a, name=f"a{number}")
    make_job(b, name="b0")
    assert order(ledger, limit=2) == ["a0", "b0"]


def test_a_job_that_is_put_back_keeps_its_age(ledger: Ledger, make_job: Any) -> None:
    old = make_job(name="old")
    submit(ledger, old)
    make_job(name="new")
    ledger.run(job_store.requeue, old.id, actor="system:reconciler", reason=RunMissing())
    assert order(ledger) == ["old", "new"]


def test_one_person_has_no_more_in_flight_than_the_limit_over_all_lanes(
    ledger: Ledger, make_job: Any, users_three: tuple[User, User, User]
) -> None:
    a, b, _ = users_three
    submit(ledger, make_job(a, name="a0", lane=Lane.BATCH))
    for number in (1, 2, 3):
        make_job(a, name=f"a{number}", lane=Lane.BATCH)
    make_job(a, name="soon", lane=Lane.INTERACTIVE)
    make_job(b, name="b0", lane=Lane.BATCH)
    with ledger.read() as con:
        names = [[job.name for job in queue_order.next_queued(con, 10, each=each)] for each in (1, 2, 3)]
        assert {place.number for place in queue_order.places(con).values()} == set(
            range(5)
        )  # a place in line is everybody's
    assert names == [["b0"], ["soon", "b0"], ["soon", "b0", "a1"]]
