"""Pausing, resuming, and the order of jobs in the queue."""

from typing import Any

import pytest

from storage.domain.errors import JobMoved
from storage.domain.job_messages import MaintenancePause, encode, text_of
from storage.domain.records import Job, JobState, Lane
from storage.jobs import job_store, queue_control, queue_order
from storage.ledger import audit
from storage.ledger.database import Ledger

ADA = "user:ada"


def order(ledger: Ledger) -> list[str]:
    with ledger.read() as con:
        return [job.name for job in queue_order.next_queued(con, 100)]


def now(ledger: Ledger, job: Job) -> Job:
    with ledger.read() as con:
        return job_store.get(con, job.id)


def submit(ledger: Ledger, job: Job) -> Job:
    run: dict[str, Any] = {"flow_run_id": f"run {job.attempt}", "model": "tiny", "fingerprint": "f00d"}
    return ledger.run(job_store.submitted, job.id, attempt=job.attempt, actor="system:dispatcher", **run)


def test_a_paused_job_is_left_out_until_it_is_resumed(ledger: Ledger, make_job: Any) -> None:
    waiting, other = make_job(name="waiting"), make_job(name="other")
    paused = ledger.run(queue_control.hold, waiting.id, actor=ADA)
    assert (paused.held, paused.attempt, text_of(paused.detail)) == (True, 1, "paused; resume it to go on")
    assert order(ledger) == [other.name]
    ledger.run(queue_order.note_all, encode(MaintenancePause(reason="disks")), models=["auto"])
    assert now(ledger, waiting).detail == paused.detail
    assert ledger.run(queue_control.hold, waiting.id, actor=ADA) == now(ledger, waiting)
    ledger.run(queue_control.release, waiting.id, actor=ADA)
    assert order(ledger) == [waiting.name, other.name]
    with ledger.read() as con:
        rows = [row for row in audit.page(con) if row.subject == waiting.id]
    assert [row.action for row in rows] == ["job.resume", "job.pause", "job.accept"]


def test_a_job_that_is_under_way_stops_and_keeps_what_it_has(ledger: Ledger, make_job: Any) -> None:
    job = submit(ledger, make_job())
    paused = ledger.run(queue_control.hold, job.id, actor=ADA)
    assert (paused.state, paused.held, paused.attempt, paused.flow_run_id) == (JobState.QUEUED, True, 2, None)
    assert paused.fingerprint == "f00d"  # so that progress goes on from there


def test_a_job_that_is_paused_while_it_is_handed_out_is_not_started(ledger: Ledger, make_job: Any) -> None:
    job = make_job()
    ledger.run(queue_control.hold, job.id, actor=ADA)
    submit(ledger, job)
    after = now(ledger, job)
    assert (after.held, after.flow_run_id, after.attempt) == (True, None, 2)


def test_a_paused_job_can_be_cancelled_and_retried(ledger: Ledger, make_job: Any) -> None:
    job = make_job()
    ledger.run(queue_control.hold, job.id, actor=ADA)
    ledger.run(job_store.cancel, job.id, actor=ADA)
    with pytest.raises(JobMoved, match="is cancelled, so it cannot be resumed"):
        ledger.run(queue_control.release, job.id, actor=ADA)
    assert not ledger.run(job_store.retry, job.id, actor=ADA).held
    assert order(ledger) == [job.name]


def test_a_job_at_the_front_passes_its_owners_others_alone(ledger: Ledger, make_job: Any, make_user: Any) -> None:
    a, b = make_user("A"), make_user("B")
    *_, last = [make_job(a, name=name) for name in ("a0", "a1", "a2")]
    make_job(b, name="b0")
    ledger.run(queue_control.move_up, last.id, actor=ADA)
    assert order(ledger) == ["a2", "b0", "a0", "a1"] or order(ledger) == ["b0", "a2", "a0", "a1"]
    submit(ledger, last)
    submit_failed = ledger.run(job_store.cancel, last.id, actor=ADA)
    with pytest.raises(JobMoved):
        ledger.run(queue_control.move_up, submit_failed.id, actor=ADA)


def test_another_lane_is_another_place_and_stops_what_is_under_way(ledger: Ledger, make_job: Any) -> None:
    first, second = make_job(name="first"), make_job(name="second")
    ledger.run(queue_control.change_lane, first.id, Lane.BATCH, actor=ADA)
    assert order(ledger) == ["second", "first"]
    submit(ledger, second)
    moved = ledger.run(queue_control.change_lane, second.id, Lane.BACKFILL, actor=ADA)
    assert (moved.state, moved.attempt, moved.lane, moved.flow_run_id) == (JobState.QUEUED, 2, Lane.BACKFILL, None)
    assert ledger.run(queue_control.change_lane, second.id, Lane.BACKFILL, actor=ADA) == moved
