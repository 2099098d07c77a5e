"""What is done to a job: who may, what comes of it, and who is told."""

import asyncio
from datetime import timedelta

import pytest

from dashboards.services import job_access, jobs, sharing
from storage.domain.errors import JobMoved, NotAllowed, NotFound, TranscriberError
from storage.domain.job_actions import JobAction
from storage.domain.records import Job, JobState, Role, User
from storage.jobs import job_store, share_links
from storage.ledger import audit
from tests.dashboards.desk import Desk
from tests.waiting import PATIENCE_S

DONE_TO = {
    JobAction.CANCEL: JobState.TRANSCRIBING,
    JobAction.PAUSE: JobState.TRANSCRIBING,
    JobAction.FIRST: JobState.QUEUED,
    JobAction.RETRY: JobState.FAILED,
    JobAction.DELETE: JobState.COMPLETED,
    JobAction.RESTORE: JobState.COMPLETED,
    JobAction.PURGE: JobState.COMPLETED,
}
DAY = timedelta(days=1)


@pytest.fixture
def ada(desk: Desk) -> User:
    return desk.user("ada")


def job_for(desk: Desk, owner: User, action: JobAction) -> Job:
    """Make a job in a state for this action."""
    job = desk.job(owner, DONE_TO[action], name=action.value)
    return desk.ledger.run(job_store.delete, job.id, actor="system:test") if action.spec.on_deleted else job


def state_of(desk: Desk, job: Job) -> tuple[JobState, bool] | None:
    """Return state and whether the job is deleted; None of one that is gone."""
    try:
        now = desk.look(job)
    except NotFound:
        return None
    return now.state, now.deleted_at is not None


@pytest.mark.parametrize(
    ("action", "after"),
    [
        (JobAction.CANCEL, (JobState.CANCELLED, False)),
        (JobAction.PAUSE, (JobState.QUEUED, False)),
        (JobAction.FIRST, (JobState.QUEUED, False)),
        (JobAction.RETRY, (JobState.QUEUED, False)),
        (JobAction.DELETE, (JobState.COMPLETED, True)),
        (JobAction.RESTORE, (JobState.COMPLETED, False)),
        (JobAction.PURGE, None),
    ],
)
@pytest.mark.parametrize("by", ["ada", "root"])
def test_the_owner_and_administrators_may_and_it_stands_in_the_audit_log(
    desk: Desk, ada: User, action: JobAction, after: tuple[JobState, bool] | None, by: str
) -> None:
    user = ada if by == "ada" else desk.user("root", Role.ADMIN)
    job = job_for(desk, ada, action)
    jobs.perform(action, user, job.id)
    assert state_of(desk, job) == after
    with desk.ledger.read() as con:
        row = audit.page(con, subject=job.id, action=f"job.{action}")[0]
    assert row.actor == user.actor


@pytest.mark.parametrize("action", DONE_TO)
def test_nobody_else_may_and_nobody_learns_that_it_is_there(desk: Desk, ada: User, action: JobAction) -> None:
    job = job_for(desk, ada, action)
    before = desk.look(job)
    with pytest.raises(NotFound) as theirs:
        jobs.perform(action, desk.user("bob"), job.id)
    with pytest.raises(NotFound) as none:
        jobs.perform(action, ada, "no-such-job")
    assert str(theirs.value) == str(none.value).replace("no-such-job", job.id)
    with pytest.raises(NotAllowed):
        jobs.perform(action, desk.user("rex", Role.READER), job.id)
    assert desk.look(job) == before


@pytest.mark.parametrize("action", DONE_TO)
def test_what_may_be_done_is_what_is_offered(desk: Desk, ada: User, action: JobAction) -> None:
    job = job_for(desk, ada, action)
    assert job_access.may(ada, action, job)
    assert not job_access.may(desk.user("bob"), action, job)
    jobs.perform(action, ada, job.id)
    if state_of(desk, job):
        again = action is JobAction.FIRST  # another one may be at the front by then
        assert job_access.may(ada, action, desk.look(job)) is again


@pytest.mark.parametrize(
    ("action", "state", "refusal"),
    [
        (JobAction.CANCEL, JobState.COMPLETED, JobMoved),
        (JobAction.RETRY, JobState.QUEUED, JobMoved),
        (JobAction.DELETE, JobState.TRANSCRIBING, JobMoved),
        (JobAction.PURGE, JobState.COMPLETED, NotFound),  # delete it first
        (JobAction.SHARE, JobState.COMPLETED, NotFound),  # not a change of the job
    ],
)
def test_a_job_in_no_state_for_it_is_left_alone(
    desk: Desk, ada: User, action: JobAction, state: JobState, refusal: type[TranscriberError]
) -> None:
    job = desk.job(ada, state)
    with pytest.raises(refusal):
        jobs.perform(action, ada, job.id)
    assert desk.look(job) == job


@pytest.mark.parametrize(
    ("action", "said", "woken"),
    [
        (JobAction.CANCEL, "cancelled", {"dispatcher", "reconciler"}),
        (JobAction.RETRY, "queued", {"dispatcher", "reconciler"}),
        (JobAction.PAUSE, "queued", {"dispatcher", "reconciler"}),
        (JobAction.DELETE, "deleted", set()),
        (JobAction.RESTORE, "completed", {"dispatcher"}),
        (JobAction.PURGE, "deleted", set()),
    ],
)
async def test_open_pages_and_loops_are_told(
    desk: Desk, ada: User, action: JobAction, said: str, woken: set[str]
) -> None:
    woke: set[str] = set()
    desk.holder.wake_dispatcher = lambda: woke.add("dispatcher")
    desk.holder.wake_reconciler = lambda: woke.add("reconciler")
    job = job_for(desk, ada, action)
    with desk.holder.bus.listen(owner_id=ada.id) as listener:
        await asyncio.to_thread(jobs.perform, action, ada, job.id)
        (news,) = await listener.next(wait_s=PATIENCE_S)
    assert (news["job_id"], news["state"], woke) == (job.id, said, woken)


def test_a_link_is_made_and_ended_by_whoever_may(desk: Desk, ada: User) -> None:
    job, bob = desk.job(ada, JobState.COMPLETED), desk.user("bob")
    with pytest.raises(NotFound):
        sharing.share(bob, job.id, lasts=DAY, password=None)
    with pytest.raises(NotAllowed):
        sharing.share(desk.user("rex", Role.READER), job.id, lasts=DAY, password=None)
    assert sharing.share(ada, job.id, lasts=DAY, password=None).startswith("/shared/")
    with desk.ledger.read() as con:
        (link,) = share_links.list_of(con, job.id)
    with pytest.raises(NotFound):
        sharing.revoke(bob, job.id, link.id)
    sharing.revoke(ada, job.id, link.id)
    with desk.ledger.read() as con:
        (link,) = share_links.list_of(con, job.id)
    assert link.revoked_at


def test_everybodys_jobs_are_listed_for_administrators(desk: Desk, ada: User) -> None:
    root = desk.user("root", Role.ADMIN)
    assert job_access.listed_owner(ada, everybody=False, doing="looking") == ada.id
    assert job_access.listed_owner(root, everybody=True, doing="looking") is None
    with pytest.raises(NotAllowed):
        job_access.listed_owner(ada, everybody=True, doing="looking")
