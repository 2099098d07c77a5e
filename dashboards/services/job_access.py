"""Decides who may see a job and act on it; `JobAction` decides by its state."""

from collections.abc import Iterable, Sequence

from duckdb import DuckDBPyConnection

from dashboards.runtime import db
from storage.domain.errors import NotAllowed, NotFound, NotYours
from storage.domain.job_actions import Access, JobAction
from storage.domain.records import Job, Role, User
from storage.domain.translation import marked
from storage.jobs import collaborators, job_store, listing

WRITERS = marked("the role member or admin")
OWNERS = marked("the owner of the recording")
EDITORS = marked("the right to edit this recording")


def may_see_all(user: User) -> bool:
    """Return whether the user may see everybody's jobs."""
    return user.role is Role.ADMIN


def access(con: DuckDBPyConnection, user: User, job: Job) -> Access:
    """Return what the user may do with the job.

    It is everything for its owner and administrators, and what the owner allows for others.
    """
    if may_see_all(user) or job.owner_id == user.id:
        return Access.OWN
    may_edit = collaborators.may_edit(con, job.id, user.id)
    return Access.NONE if may_edit is None else Access.EDIT if may_edit else Access.READ


def allowed(con: DuckDBPyConnection, user: User, action: JobAction, jobs: Iterable[Job]) -> list[Job]:
    """Return those of the jobs on which the user may perform this action now."""
    return [
        job
        for job in jobs
        if action.allows(user.role) and action.fits(job) and access(con, user, job) >= action.spec.needs
    ]


def all_visible(con: DuckDBPyConnection, user: User, jobs: Iterable[Job]) -> bool:
    """Return whether the user may see all of the jobs, deleted or not."""
    return all(access(con, user, job) is not Access.NONE for job in jobs)


def seen_among(con: DuckDBPyConnection, user: User, job_ids: Sequence[str]) -> list[Job]:
    """Return those of the jobs that the user may see, deleted or not."""
    return [job for job in listing.some(con, job_ids) if access(con, user, job) is not Access.NONE]


def may(user: User, action: JobAction, job: Job) -> bool:
    """Return whether the user may perform this action on the job now; for pages."""
    return bool(db.look(allowed, user, action, [job]))


def may_reuse(user: User, job: Job) -> bool:
    """Return whether the user, as its owner, may have a recording transcribed as another job."""
    return user.role.may_write and job.owner_id == user.id


def listed_owner(user: User, *, everybody: bool, doing: str) -> str | None:
    """Return the owner of listed jobs: the user, or None for `everybody`.

    Raises:
        NotAllowed: everybody's jobs are for administrators.
    """
    if everybody and not may_see_all(user):
        raise NotAllowed(doing, "an administrator")
    return None if everybody else user.id


def visible(con: DuckDBPyConnection, user: User, job_id: str, *, deleted: bool = False) -> Job:
    """Return a job that the user may see.

    Deleted ones are seen on request only, and never by colleagues.

    Raises:
        NotFound: there is none, or it is somebody else's who does not share it, which is not revealed.
    """
    job = job_store.get(con, job_id)
    if access(con, user, job) is Access.NONE:
        raise NotYours("job", job_id)
    if job.deleted_at and not deleted:
        raise NotFound("job", job_id)
    return job


def permitted(con: DuckDBPyConnection, user: User, action: JobAction, job_id: str) -> Job:
    """Return a job on which the user may perform this action, state permitting.

    Raises:
        NotAllowed: the user's role does not allow it, or the owner does not.
        NotFound: see `visible`.
    """
    if not action.allows(user.role):
        raise NotAllowed(action.spec.changing, WRITERS)
    job = visible(con, user, job_id, deleted=action.spec.on_deleted)
    if access(con, user, job) < action.spec.needs:
        raise NotAllowed(action.spec.changing, OWNERS if action.spec.needs is Access.OWN else EDITORS)
    return job


def annotated(con: DuckDBPyConnection, user: User, job_id: str) -> Job:
    """Return a job whose notes the user may change, whatever its state.

    Raises:
        NotAllowed: the user is read-only, or may only read this recording.
        NotFound: see `visible`.
    """
    require_writer(user, "writing notes")
    job = visible(con, user, job_id)
    if access(con, user, job) < Access.EDIT:
        raise NotAllowed("writing notes", EDITORS)
    return job


def commented(con: DuckDBPyConnection, user: User, job_id: str) -> Job:
    """Return a job whose passages the user may comment on.

    It is every one that the user may read.

    Raises:
        NotAllowed: the user is read-only.
        NotFound: see `visible`.
    """
    require_writer(user, "commenting")
    return visible(con, user, job_id)


def author_of_changes(con: DuckDBPyConnection, user: User, job: Job) -> str | None:
    """Return whose notes the user may change: only one's own, or, as the owner, everybody's."""
    return None if access(con, user, job) >= Access.OWN else user.actor


def require_writer(user: User, doing: str) -> None:
    """Check that the user may change own recordings.

    Raises:
        NotAllowed: the user is read-only.
    """
    if not user.role.may_write:
        raise NotAllowed(doing, WRITERS)
