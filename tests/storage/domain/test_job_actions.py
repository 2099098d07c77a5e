"""Job actions: permissions and states."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from storage.domain.clock import utc_now
from storage.domain.errors import JobMoved
from storage.domain.job_actions import JobAction
from storage.domain.records import Job, JobState, Role


@pytest.fixture
def in_state(make_job: Callable[..., Job]) -> Callable[..., Job]:
    job = make_job()
    return lambda state, *, deleted=False: replace(job, state=state, deleted_at=utc_now() if deleted else None)


@pytest.mark.parametrize(
    ("state", "actions"),
    [
        (JobState.QUEUED, {"cancel", "pause", "first", "lane", "rename", "tag", "grant"}),
        (JobState.TRANSCRIBING, {"cancel", "pause", "lane", "rename", "tag", "grant"}),
        (JobState.COMPLETED, {"download", "edit", "share", "delete", "rename", "tag", "grant"}),
        (JobState.FAILED, {"retry", "delete", "rename", "tag", "grant"}),
        (JobState.CANCELLED, {"retry", "delete", "rename", "tag", "grant"}),
    ],
)
def test_a_state_says_what_fits(in_state: Callable[..., Job], state: JobState, actions: set[str]) -> None:
    assert {action for action in JobAction if action.fits(in_state(state))} == actions


def test_a_paused_job_can_be_resumed_or_cancelled(in_state: Callable[..., Job]) -> None:
    paused = replace(in_state(JobState.QUEUED), held=True)
    fitting = {action for action in JobAction if action.fits(paused)}
    assert fitting == {"cancel", "resume", "lane", "rename", "tag", "grant"}
    with pytest.raises(JobMoved, match="is paused, so it cannot be moved to the front"):
        JobAction.FIRST.require(paused)


def test_a_deleted_job_can_be_restored_or_purged_and_nothing_else(in_state: Callable[..., Job]) -> None:
    deleted = in_state(JobState.COMPLETED, deleted=True)
    assert {action for action in JobAction if action.fits(deleted)} == {"restore", "purge"}
    with pytest.raises(JobMoved, match="is deleted, so it cannot be edited"):
        JobAction.EDIT.require(deleted)


def test_read_only_accounts_download_and_nothing_else() -> None:
    assert {action for action in JobAction if action.allows(Role.READER)} == {"download"}
    assert all(action.allows(role) for action in JobAction for role in (Role.MEMBER, Role.ADMIN))
