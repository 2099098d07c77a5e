"""What earlier batches did with a recording, by its idempotency key."""

from typing import Any

import pytest

from storage.domain.batch_outcomes import BatchOutcome, KnownState
from storage.domain.records import Job, JobState, Lane, User
from storage.files.file_store import Files
from storage.jobs import job_store, known_recordings
from storage.ledger.database import Ledger
from storage.maintenance import account_deletion
from tests.factories import DirectReporter, FlowRun, transcript_of


@pytest.fixture
def job(make_job: Any) -> Job:
    made: Job = make_job(idempotency_key="k", lane=Lane.BATCH)
    return made


def known(ledger: Ledger, owner: User) -> tuple[BatchOutcome | None, str | None]:
    with ledger.read() as con:
        found = known_recordings.find(con, owner.id, "k")
    return found.outcome, found.job.id if found.job else None


def test_a_job_is_known_until_it_has_failed(ledger: Ledger, ann: User, job: Job) -> None:
    assert known(ledger, ann) == (BatchOutcome.KNOWN, job.id)
    ledger.run(job_store.cancel, job.id, actor="cli:me")
    assert known(ledger, ann) == (BatchOutcome.FAILED_BEFORE, job.id)
    ledger.run(job_store.retry, job.id, actor="cli:me")
    assert known(ledger, ann) == (BatchOutcome.KNOWN, job.id)


def test_nothing_is_known_of_the_recordings_of_others(ledger: Ledger, job: Job, make_user: Any) -> None:
    assert known(ledger, make_user("Bob")) == (None, None)


def test_a_deleted_recording_is_remembered_even_when_it_is_purged(
    ledger: Ledger, ann: User, job: Job, make_job: Any
) -> None:
    ledger.run(job_store.cancel, job.id, actor="cli:me")
    ledger.run(job_store.delete, job.id, actor="cli:me")
    assert known(ledger, ann) == (BatchOutcome.DELETED_BEFORE, None)
    ledger.run(job_store.restore, job.id, actor="cli:me")
    assert known(ledger, ann) == (BatchOutcome.FAILED_BEFORE, job.id)
    ledger.run(job_store.delete, job.id, actor="cli:me")
    ledger.run(job_store.purge, job.id, actor="cli:me")
    assert known(ledger, ann) == (BatchOutcome.DELETED_BEFORE, None)

    again = make_job(idempotency_key="k", lane=Lane.BATCH)
    assert known(ledger, ann) == (BatchOutcome.KNOWN, again.id)


OTHER_NUMBER = "UPDATE job_keys SET number = number + 1"
OTHER_KEYS = "UPDATE job_keys SET key = 'other'"


def test_a_key_is_looked_for_by_its_number(ledger: Ledger, ann: User, job: Job) -> None:
    assert known(ledger, ann) == (BatchOutcome.KNOWN, job.id)
    with ledger.write() as con:
        con.execute(OTHER_NUMBER)
    assert known(ledger, ann) == (None, None)


def test_another_key_of_the_same_number_is_not_meant(ledger: Ledger, ann: User, job: Job) -> None:
    with ledger.write() as con:
        con.execute(OTHER_KEYS)
    assert known(ledger, ann) == (None, None)
    assert states(ledger, ann, "k") == [KnownState()]


def test_nothing_is_remembered_of_a_deleted_account(ledger: Ledger, files: Files, ann: User, job: Job) -> None:
    ledger.run(account_deletion.leave, ann.id, actor=f"user:{ann.id}")
    account_deletion.erase(ledger, files, ann.id)
    assert known(ledger, ann) == (None, None)


def states(ledger: Ledger, owner: User, *keys: str) -> list[KnownState]:
    with ledger.read() as con:
        return known_recordings.find_many(con, owner.id, keys)


def test_many_recordings_are_told_in_the_order_of_their_keys(
    ledger: Ledger, files: Files, ann: User, make_job: Any
) -> None:
    done = make_job(idempotency_key="done", lane=Lane.BATCH)
    stopped, gone = make_job(idempotency_key="stopped"), make_job(idempotency_key="gone")
    FlowRun(DirectReporter(ledger, files), files, done, transcript_of(done)).whole_way()
    ledger.run(job_store.cancel, stopped.id, actor="cli:me")
    ledger.run(job_store.cancel, gone.id, actor="cli:me")
    ledger.run(job_store.delete, gone.id, actor="cli:me")

    found = states(ledger, ann, "gone", "new", "done", "stopped", "done")
    of_done = found[2]
    assert [(each.outcome, each.job_id) for each in found] == [
        (BatchOutcome.DELETED_BEFORE, None),
        (None, None),
        (BatchOutcome.KNOWN, done.id),
        (BatchOutcome.FAILED_BEFORE, stopped.id),
        (BatchOutcome.KNOWN, done.id),
    ]
    assert (of_done.state, bool(of_done.stored_as)) == (JobState.COMPLETED, True)
    with ledger.write() as con:
        con.execute(
            "INSERT INTO versions VALUES ($id, 2, 'edited', 'ann', now(), '', 1)",
            {"id": done.id},
        )
    assert [each.stored_as for each in states(ledger, ann, "done", "new")] == ["edited", None]
    assert states(ledger, ann, "new") == [KnownState()]


def test_jobs_are_found_by_an_index_however_many_there_are(ledger: Ledger, files: Files, make_job: Any) -> None:
    jobs = [make_job(idempotency_key=key, lane=Lane.BATCH) for key in "ab"]
    for job in jobs:
        FlowRun(DirectReporter(ledger, files), files, job, transcript_of(job)).whole_way()
    for sql in (known_recordings.STATES, known_recordings.TRANSCRIPTS):
        with ledger.read() as con:
            ((_, plan),) = con.execute(f"EXPLAIN ANALYZE {sql.format('?, ?')}", [job.id for job in jobs]).fetchall()
        assert "Index Scan" in plan
