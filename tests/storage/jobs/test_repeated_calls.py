"""A call that is sent again without a key: which job answers it, and for how long."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from storage.domain.clock import utc_now
from storage.domain.records import Job, JobState, Options, User
from storage.files.file_store import Files
from storage.jobs import job_store, repeated_calls
from storage.jobs.repeated_calls import Repeats
from storage.ledger.database import Ledger
from tests.factories import job_in

KEPT_FOR = timedelta(minutes=15)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def finish(ledger: Ledger, files: Files, ann: User) -> Callable[[JobState], Job]:
    return lambda state: job_in(ledger, files, ann, state)


@pytest.mark.parametrize(
    ("state", "minutes", "found"),
    [
        (JobState.QUEUED, 600, True),
        (JobState.TRANSCRIBING, 600, True),
        (JobState.COMPLETED, 14, True),
        (JobState.COMPLETED, 16, False),
        (JobState.FAILED, 0.5, True),
        (JobState.FAILED, 2, False),
        (JobState.CANCELLED, 2, False),
    ],
)
def test_a_job_answers_while_it_runs_and_for_a_while_after(
    finish: Callable[[JobState], Job], state: JobState, minutes: float, found: bool
) -> None:
    job = finish(state)
    assert Repeats(called_at=utc_now() + minutes * MINUTE, kept_for=KEPT_FOR).find(job) is found


def test_a_key_answers_again_until_its_job_is_old_or_deleted(ledger: Ledger, make_job: Any) -> None:
    now, later = (Repeats(called_at=utc_now() + minutes * MINUTE, kept_for=KEPT_FOR) for minutes in (0, 20))
    call: dict[str, Any] = {"idempotency_key": "call:1", "repeats": now}
    first = make_job(**call)
    assert make_job(**call).id == first.id
    ledger.run(job_store.cancel, first.id, actor="cli:me")
    assert make_job(**call).id == first.id
    second = make_job(**call | {"repeats": later})
    assert second.id != first.id
    ledger.run(job_store.cancel, second.id, actor="cli:me")
    ledger.run(job_store.delete, second.id, actor="cli:me")
    assert make_job(**call).id not in {first.id, second.id}


def test_calls_are_the_same_only_with_all_that_was_asked() -> None:
    usual = ("00aa", "talk.wav", Options(), "Nuuk")
    others = [
        ("11bb", *usual[1:]),
        ("00aa", "a.wav", *usual[2:]),
        (*usual[:2], replace(Options(), language="de"), "Nuuk"),
    ]
    keys = {repeated_calls.key_of(*call) for call in (usual, usual, *others, (*usual[:3], "Disko"))}
    assert len(keys) == 5


def test_only_jobs_of_recent_calls_may_be_repeated(ledger: Ledger, ann: User, make_job: Any) -> None:
    repeats = Repeats(called_at=utc_now(), kept_for=KEPT_FOR)
    make_job(idempotency_key="http:1")
    with ledger.read() as con:
        assert not repeated_calls.may_have_job(con, ann.id, repeats)
    job = make_job(idempotency_key="call:1")
    ledger.run(job_store.cancel, job.id, actor="cli:me")
    with ledger.read() as con:
        assert repeated_calls.may_have_job(con, ann.id, repeats)
        later = replace(repeats, called_at=utc_now() + 20 * MINUTE)
        assert not repeated_calls.may_have_job(con, ann.id, later)
