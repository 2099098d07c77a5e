"""Batches: made once, counted from items and jobs, cancelled and retried in steps."""

from typing import Any

import pytest

from storage.domain.errors import BadRequest, KeyReused
from storage.domain.records import JobState, Lane, Options, User, to_json
from storage.jobs import batches, job_store
from storage.jobs.batches import MOST_ITEMS, Batch, BatchState, ItemOutcome, ItemState, NewItem
from storage.ledger import audit
from storage.ledger.database import Ledger
from tests.storage.conftest import MakeJob

OPTIONS = to_json(Options()).decode()
ACTOR = "user:ann"


def items(count: int) -> list[NewItem]:
    return [NewItem(source=f"https://example.org/{number}.wav", name=None, options=OPTIONS) for number in range(count)]


def make(ledger: Ledger, owner: User, count: int, **more: Any) -> Batch:
    told = {"name": "talks", "lane": Lane.BATCH, "key": None, "asked_sha256": "a", "api_key_id": None} | more
    return ledger.run(batches.create, items(count), owner_id=owner.id, actor=ACTOR, **told)


def standing(ledger: Ledger, batch: Batch) -> tuple[BatchState, dict[str, int]]:
    with ledger.read() as con:
        counted = batches.counts(con, batch.id)
        return batches.state_of(batches.get(con, batch.id), counted), {k: v for k, v in counted.items() if v}


def settle(ledger: Ledger, batch: Batch, *outcomes: ItemOutcome) -> list[ItemOutcome]:
    return ledger.run(batches.settle, batch.id, outcomes)


def test_ten_thousand_recordings_are_one_batch_and_a_repeated_key_finds_it(ledger: Ledger, ann: User) -> None:
    made = make(ledger, ann, MOST_ITEMS, key="once")
    assert make(ledger, ann, MOST_ITEMS, key="once").id == made.id
    with pytest.raises(KeyReused):
        make(ledger, ann, 1, key="once", asked_sha256="b")
    for wrong in (0, MOST_ITEMS + 1):
        with pytest.raises(BadRequest):
            make(ledger, ann, wrong)
    assert standing(ledger, made) == (BatchState.WORKING, {"waiting": MOST_ITEMS})
    with ledger.read() as con:
        page = batches.items(con, made.id, after=MOST_ITEMS - 2, limit=200)
        assert [one.number for one in page] == [MOST_ITEMS - 1, MOST_ITEMS]
        assert [one.action for one in audit.page(con, subject=made.id)] == ["batch.create"]


def test_a_batch_is_what_its_items_and_jobs_are(ledger: Ledger, ann: User, make_job: MakeJob) -> None:
    batch, job = make(ledger, ann, 3), make_job(content="one")
    accepted = ItemOutcome(number=1, state=ItemState.ACCEPTED, job_id=job.id)
    failed = ItemOutcome(number=2, state=ItemState.FAILED, error_code="bad_request", error="status 404")
    settle(ledger, batch, accepted, failed, ItemOutcome(number=3, state=ItemState.DOWNLOADING, download_id="d"))
    assert standing(ledger, batch) == (BatchState.WORKING, {"queued": 1, "failed": 1, "downloading": 1})
    settle(ledger, batch, ItemOutcome(number=3, state=ItemState.FAILED, error_code="x", error="y"))
    ledger.run(job_store.cancel, job.id, actor=ACTOR)
    assert standing(ledger, batch) == (BatchState.FAILED, {"cancelled": 1, "failed": 2})
    ledger.run(batches.retry, batch.id, actor=ACTOR)
    assert standing(ledger, batch) == (BatchState.WORKING, {"cancelled": 1, "waiting": 2})
    with ledger.read() as con:
        again = batches.next_of(con, batch.id, ItemState.WAITING, 10)
    assert [(one.number, one.tries, one.error_code) for one in again] == [(2, 1, None), (3, 1, None)]
    with pytest.raises(BadRequest, match="nothing in it has failed"):
        ledger.run(batches.retry, batch.id, actor=ACTOR)


def test_cancelling_ends_what_waits_at_once_and_jobs_in_steps(ledger: Ledger, ann: User, make_job: MakeJob) -> None:
    batch = make(ledger, ann, 70)
    jobs = [make_job(content=f"{number}") for number in range(60)]
    settle(
        ledger,
        batch,
        *(ItemOutcome(number=n + 1, state=ItemState.ACCEPTED, job_id=one.id) for n, one in enumerate(jobs)),
    )
    cancelled = ledger.run(batches.cancel, batch.id, actor=ACTOR)
    assert ledger.run(batches.cancel, batch.id, actor=ACTOR) == cancelled
    assert standing(ledger, batch) == (BatchState.CANCELLING, {"queued": 60, "cancelled": 10})
    late = ItemOutcome(number=70, state=ItemState.DOWNLOADING, download_id="begun meanwhile")
    assert settle(ledger, batch, late) == [late]
    changed = [len(ledger.run(batches.cancel_some, cancelled)) for _ in range(3)]
    assert changed == [50, 10, 0]
    assert standing(ledger, batch) == (BatchState.CANCELLED, {"cancelled": 70})
    with ledger.read() as con:
        assert batches.active(con) == []
        assert {row.actor for row in audit.page(con, subject=jobs[0].id) if row.action == "job.cancel"} == {ACTOR}


def test_failed_jobs_are_queued_again_once(ledger: Ledger, ann: User, make_job: MakeJob) -> None:
    batch, job = make(ledger, ann, 1), make_job()
    settle(ledger, batch, ItemOutcome(number=1, state=ItemState.ACCEPTED, job_id=job.id))
    with ledger.write() as con:
        con.execute("UPDATE jobs SET state = 'failed', finished_at = now() - INTERVAL 1 MINUTE")
    asked = ledger.run(batches.retry, batch.id, actor=ACTOR)
    assert [one.state for one in ledger.run(batches.retry_some, asked)] == [JobState.QUEUED]
    assert standing(ledger, batch) == (BatchState.WORKING, {"queued": 1})
    with ledger.read() as con:
        assert batches.get(con, batch.id).retry_at is None
        assert batches.active(con) == []
