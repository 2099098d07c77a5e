"""Recordings that are shared with colleagues: who has which right, and when it ends."""

from collections.abc import Callable

import pytest

from storage.accounts import users
from storage.domain.errors import BadRequest, NoSuchPerson, NotFound
from storage.domain.records import Job, Role, User
from storage.jobs import collaborators, job_store, listing
from storage.jobs.listing import JobFilter
from storage.ledger import audit
from storage.ledger.database import Ledger
from storage.maintenance import account_deletion
from tests.storage.conftest import MakeJob

ACTOR = "user:ann"


@pytest.fixture
def bob(make_user: Callable[[str], User]) -> User:
    return make_user("Bob")


def may_edit(ledger: Ledger, job: Job, user: User) -> bool | None:
    with ledger.read() as con:
        assert (job.id in collaborators.shared_with(con, user.id)) is (job.id in collaborators.everyone(con))
        return collaborators.may_edit(con, job.id, user.id)


def test_a_right_is_given_changed_and_ended_with_audit_rows(ledger: Ledger, make_job: MakeJob, bob: User) -> None:
    job = make_job()
    assert may_edit(ledger, job, bob) is None
    for wanted in (False, False, True):
        ledger.run(collaborators.put, job.id, "bob", may_edit=wanted, actor=ACTOR)
        assert may_edit(ledger, job, bob) is wanted
    ledger.run(collaborators.remove, job.id, "BOB", actor=ACTOR)
    assert may_edit(ledger, job, bob) is None
    with pytest.raises(NotFound):
        ledger.run(collaborators.remove, job.id, "Bob", actor=ACTOR)
    with ledger.read() as con:
        rows = audit.page(con, subject=job.id)[:3]
    assert [row.action for row in rows] == ["collaborator.remove", "collaborator.set", "collaborator.set"]
    assert rows[1].detail == {"user": bob.id, "may_edit": True}


def test_nobody_and_the_owner_are_refused(ledger: Ledger, make_job: MakeJob, ann: User, bob: User) -> None:
    job = make_job()
    ledger.run(users.set_disabled, bob.id, disabled=True, actor=ACTOR)
    for name, error in (("nobody", NoSuchPerson), (ann.name, BadRequest), (bob.name, BadRequest)):
        with pytest.raises(error):
            ledger.run(collaborators.put, job.id, name, may_edit=False, actor=ACTOR)


def test_a_right_ends_with_the_recording_and_either_account(
    ledger: Ledger, make_job: MakeJob, make_user: Callable[..., User], ann: User, bob: User
) -> None:
    make_user("Root", role=Role.ADMIN)
    first, second = make_job(content="a"), make_job(content="b")
    for job in (first, second):
        ledger.run(collaborators.put, job.id, "Bob", may_edit=True, actor=ACTOR)
        ledger.run(job_store.cancel, job.id, actor=ACTOR)
    ledger.run(job_store.delete, first.id, actor=ACTOR)
    assert (may_edit(ledger, first, bob), may_edit(ledger, second, bob)) == (None, True)
    ledger.run(users.set_disabled, ann.id, disabled=True, actor=ACTOR)
    assert may_edit(ledger, second, bob) is None
    ledger.run(users.set_disabled, ann.id, disabled=False, actor=ACTOR)
    ledger.run(job_store.purge, first.id, actor=ACTOR)
    with ledger.read() as con:
        assert collaborators.list_of(con, first.id) == []
    ledger.run(account_deletion.leave, bob.id, actor=ACTOR)
    with ledger.read() as con:
        assert collaborators.list_of(con, second.id) == []


def test_shared_recordings_stand_in_the_list_beside_own_ones(ledger: Ledger, make_job: MakeJob, bob: User) -> None:
    theirs, own = make_job(content="a", name="b"), make_job(bob, content="b", name="a")
    make_job(content="c")
    for sort, found in ((listing.Sort.NEWEST, [own.id, theirs.id]), (listing.Sort.OLDEST, [theirs.id, own.id])):
        with ledger.read() as con:
            beside = JobFilter(owner_id=bob.id, shared=(theirs.id,))
            assert [job.id for job in listing.page(con, beside, sort=sort).jobs] == found
            assert [job.id for job in listing.page(con, beside, sort=listing.Sort.NAME).jobs] == [own.id, theirs.id]
            assert sum(listing.counts(con, beside).values()) == 2
            alone = JobFilter(owner_id=bob.id, shared=(theirs.id,), only_shared=True)
            assert [job.id for job in listing.page(con, alone, sort=sort).jobs] == [theirs.id]
            nothing = JobFilter(owner_id=bob.id, only_shared=True)
            assert listing.page(con, nothing).jobs == ()
