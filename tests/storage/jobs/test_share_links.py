"""Share links: stored as hashes, counted, expired or revoked."""

from datetime import timedelta
from typing import Any

import pytest

from storage.domain.clock import utc_now
from storage.domain.errors import BadRequest, JobMoved, NotFound, ShareOver, TooManyTries
from storage.domain.records import Job
from storage.jobs import job_store, share_links
from storage.ledger import audit
from storage.ledger.database import Ledger

ACTOR = "user:ann"
WEEK = timedelta(days=7)


@pytest.fixture
def job(make_job: Any, run_of: Any) -> Job:
    done: Job = run_of(make_job()).whole_way()
    return done


def make(ledger: Ledger, job: Job, **more: Any) -> tuple[str, share_links.Share]:
    values: dict[str, Any] = {"lasts": WEEK, "actor": f"user:{job.owner_id}"} | more
    return ledger.run(share_links.create, job.id, **values)


def lookup(ledger: Ledger, token: str, after: timedelta = timedelta()) -> share_links.Share:
    with ledger.read() as con:
        return share_links.lookup(con, token, now=utc_now() + after)


def test_a_link_is_found_by_its_token_which_is_nowhere_in_the_ledger(ledger: Ledger, job: Job) -> None:
    token, share = make(ledger, job)
    assert lookup(ledger, token) == share
    with ledger.read() as con:
        rows = str(con.execute("SELECT * FROM shares").fetchall()) + str(audit.page(con))
    assert token not in rows
    with pytest.raises(NotFound):
        lookup(ledger, token[:-1])


def test_a_link_ends_by_time_by_hand_and_with_its_recording(ledger: Ledger, job: Job) -> None:
    token, share = make(ledger, job)
    lookup(ledger, token, timedelta(days=6, hours=23))
    with pytest.raises(ShareOver):
        lookup(ledger, token, WEEK)
    ledger.run(job_store.delete, job.id, actor=ACTOR)
    with pytest.raises(ShareOver):
        lookup(ledger, token)
    ledger.run(job_store.restore, job.id, actor=ACTOR)
    lookup(ledger, token)
    ledger.run(share_links.revoke, job.id, share.id, actor=ACTOR)
    ledger.run(share_links.revoke, job.id, share.id, actor=ACTOR)
    with pytest.raises(ShareOver, match="new one"):
        lookup(ledger, token)
    with ledger.read() as con:
        assert [row.action for row in audit.page(con, subject=job.id) if row.action.startswith("share")] == [
            "share.revoke",
            "share.create",
        ]


def test_openings_are_counted(ledger: Ledger, job: Job) -> None:
    _, share = make(ledger, job)
    for part in (share_links.PAGE, share_links.PAGE, "file srt"):
        ledger.run(share_links.opened, share, part=part, client="192.0.2.1")
    with ledger.read() as con:
        (listed,) = share_links.list_of(con, job.id)
    assert listed.opened == 2
    assert listed.last_opened_at


def test_a_password_is_asked_for_a_bounded_number_of_times(ledger: Ledger, job: Job) -> None:
    token, share = make(ledger, job, password="open sesame")
    assert share_links.unlock(ledger, share, "open sesame", client="a")
    for _ in range(5):
        assert not share_links.unlock(ledger, share, "guess", client="a")
    with pytest.raises(TooManyTries):
        share_links.unlock(ledger, share, "open sesame", client="a")
    _, other = make(ledger, job, password="open sesame")
    assert share_links.grant(token, share) != share_links.grant(token, other)


def test_what_cannot_be_shared_is_refused(ledger: Ledger, make_job: Any, job: Job) -> None:
    with pytest.raises(JobMoved, match="shared"):
        make(ledger, make_job())
    for lasts in (timedelta(0), timedelta(days=400)):
        with pytest.raises(BadRequest):
            make(ledger, job, lasts=lasts)
    with pytest.raises(BadRequest):
        make(ledger, job, password="short")
    with pytest.raises(NotFound):
        ledger.run(share_links.revoke, job.id, "nothing", actor=ACTOR)
