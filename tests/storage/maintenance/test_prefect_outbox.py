"""Events for Prefect: one for each end of a job or a batch, without any text."""

import json
from typing import Any

from storage.accounts import prefect_outbox, users
from storage.domain.clock import utc_now
from storage.domain.records import JobState, Lane, Options, Role, User, to_json
from storage.files.file_store import Files
from storage.jobs import batches, job_store
from storage.jobs.batches import ItemOutcome, ItemState, NewItem
from storage.ledger.database import Ledger
from storage.maintenance import batch_ends
from tests.factories import TEXT, job_in
from tests.storage.conftest import MakeJob


def waiting(ledger: Ledger) -> list[dict[str, Any]]:
    with ledger.read() as con:
        return [event.body for event in prefect_outbox.waiting(con, limit=100)]


def test_each_end_of_a_job_is_one_event_without_its_text(ledger: Ledger, files: Files, ann: User) -> None:
    done = job_in(ledger, files, ann, JobState.COMPLETED, tags=("board",))
    job_in(ledger, files, ann, JobState.FAILED, name="bad.wav")
    job_in(ledger, files, ann, JobState.CANCELLED, name="late.wav")
    job_in(ledger, files, ann, JobState.TRANSCRIBING, name="now.wav")
    found = waiting(ledger)
    assert [one["event"].rpartition(".")[2] for one in found] == ["completed", "failed", "cancelled"]
    first = found[0]
    assert first["resource"]["prefect.resource.id"] == f"transcriber.job.{done.id}"
    assert {one["prefect.resource.id"] for one in first["related"]} == {"prefect.tag.board", "prefect.flow-run.run-1"}
    assert (first["payload"]["job_id"], first["payload"]["tags"]) == (done.id, ["board"])
    assert TEXT not in json.dumps(found)
    ledger.run(prefect_outbox.remove, [first["id"]])
    assert len(waiting(ledger)) == 2
    ledger.run(prefect_outbox.remove_old, now=utc_now() + prefect_outbox.KEPT_FOR)
    assert waiting(ledger) == []


def test_jobs_of_the_canary_are_no_news(ledger: Ledger, files: Files) -> None:
    with ledger.write() as con:
        told: dict[str, Any] = {"name": "canary", "password": None, "role": Role.MEMBER, "actor": "system:test"}
        canary = users.create(con, **told)
        con.execute("UPDATE users SET id = 'canary' WHERE id = $id", {"id": canary.id})
        owner = users.get(con, "canary")
    job_in(ledger, files, owner, JobState.CANCELLED)
    assert waiting(ledger) == []


def test_a_batch_is_told_once_and_again_after_a_retry(ledger: Ledger, ann: User, make_job: MakeJob) -> None:
    item = NewItem(source="https://example.org/1.wav", name=None, options=to_json(Options()).decode())
    told: dict[str, Any] = {"name": "talks", "lane": Lane.BATCH, "key": None, "asked_sha256": "a", "api_key_id": None}
    batch = ledger.run(batches.create, [item, item], owner_id=ann.id, actor="user:ann", **told)
    job = make_job(content="one")
    failed = ItemOutcome(number=2, state=ItemState.FAILED, error_code="x", error="y")
    ledger.run(batches.settle, batch.id, [ItemOutcome(number=1, state=ItemState.ACCEPTED, job_id=job.id), failed])

    def told_now() -> list[str]:
        with ledger.read() as con:
            ended = batch_ends.ended(con)
        ledger.run(batch_ends.tell, ended)
        return [one["event"] for one in waiting(ledger) if "batch" in one["event"]]

    assert told_now() == []
    ledger.run(job_store.cancel, job.id, actor="user:ann")
    assert told_now() == told_now() == ["transcriber.batch.failed"]
    assert waiting(ledger)[-1]["payload"]["counts"]["cancelled"] == 1
    ledger.run(batches.retry, batch.id, actor="user:ann")
    assert len(told_now()) == 1
    with ledger.write() as con:
        con.execute("UPDATE batches SET retry_at = NULL")
    assert len(told_now()) == 1
    ledger.run(batches.settle, batch.id, [failed])
    assert len(told_now()) == 2
