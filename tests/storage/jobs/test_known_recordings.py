"""What earlier batches did with a recording, by its idempotency key."""

from typing import Any

import pytest

from storage.domain.batch_outcomes import BatchOutcome
from storage.domain.records import Job, Lane, User
from storage.files.file_store import Files
from storage.jobs import job_store, known_recordings
from storage.ledger.database import Ledger
from storage.maintenance import account_deletion


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


def test_nothing_is_remembered_of_a_deleted_account(ledger: Ledger, files: Files, ann: User, job: Job) -> None:
    ledger.run(account_deletion.leave, ann.id, actor=f"user:{ann.id}")
    account_deletion.erase(ledger, files, ann.id)
    assert known(ledger, ann) == (None, None)
