"""Decides who may see a job and act on it; `JobAction` decides by its state."""

from duckdb import DuckDBPyConnection

from storage.domain.errors import NotAllowed, NotFound, NotYours
from storage.domain.job_actions import JobAction
from storage.domain.records import Job, Role, User
from storage.jobs import job_store

WRITERS = "the role member or admin"


def may_see(user: User, job: Job) -> bool:
    """Return whether the user owns the job or is an administrator."""
    return may_see_all(user) or job.owner_id == user.id


def may_see_all(user: User) -> bool:
    """Return whether the user may see everybody's jobs."""
    return user.role is Role.ADMIN


def may(user: User, action: JobAction, job: Job) -> bool:
    """Return whether the user may perform this action on the job now."""
    return action.allows(user.role) and may_see(user, job) and action.fits(job)


def listed_owner(user: User, *, everybody: bool, doing: str) -> str | None:
    """Return the owner of listed jobs: the user, or None for `everybody`.

    Raises:
        NotAllowed: everybody's jobs are for administrators.
    """
    if everybody and not may_see_all(user):
        raise NotAllowed(doing, "an administrator")
    return None if everybody else user.id


def visible(con: DuckDBPyConnection, user: User, job_id: str, *, deleted: bool = False) -> Job:
    """Return a job that the user may see; deleted ones only on request.

    Raises:
        NotFound: there is none, or it belongs to somebody else, which is not revealed.
    """
    job = job_store.get(con, job_id)
    if not may_see(user, job):
        raise NotYours("job", job_id)
    if job.deleted_at and not deleted:
        raise NotFound("job", job_id)
    return job


def permitted(con: DuckDBPyConnection, user: User, action: JobAction, job_id: str) -> Job:
    """Return a job on which the user may perform this action, state permitting.

    Raises:
        NotAllowed: the user's role does not allow it.
        NotFound: see `visible`.
    """
    if not action.allows(user.role):
        raise NotAllowed(action.spec.changing, WRITERS)
    return visible(con, user, job_id, deleted=action.spec.on_deleted)


def require_writer(user: User, doing: str) -> None:
    """Check that the user may change own recordings.

    Raises:
        NotAllowed: the user is read-only.
    """
    if not user.role.may_write:
        raise NotAllowed(doing, WRITERS)
