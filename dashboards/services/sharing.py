"""Shares recordings: by links, which administrators list, and with colleagues."""

from datetime import timedelta

from dashboards.runtime import context, db, notify
from dashboards.services import job_access
from storage.domain.job_actions import JobAction
from storage.domain.records import User
from storage.jobs import collaborators, share_links
from storage.jobs.collaborators import Collaborator
from storage.jobs.share_links import SharedRecording

PREFIX = "/shared/"


def share(user: User, job_id: str, *, lasts: timedelta, password: str | None) -> str:
    """Create a share link, and return its path, which is shown only once.

    Raises:
        NotAllowed, NotFound: the user may not share the recording.
        BadRequest: the duration is invalid, or the password is too short.
        JobMoved: the job is not completed, or is deleted.
    """
    job = db.look(job_access.permitted, user, JobAction.SHARE, job_id)
    token, _ = db.change(share_links.create, job.id, lasts=lasts, password=password, actor=user.actor)
    return f"{PREFIX}{token}"


def revoke(user: User, job_id: str, share_id: str) -> None:
    """Revoke a link at once; a revoked link is not changed.

    Raises:
        NotAllowed, NotFound: the user may not share the recording, or it has no such link.
    """
    job = db.look(job_access.permitted, user, JobAction.SHARE, job_id)
    db.change(share_links.revoke, job.id, share_id, actor=user.actor)


def let(user: User, job_id: str, name: str, *, may_edit: bool) -> Collaborator:
    """Let a colleague read a recording, or edit it as well.

    Raises as `permitted` and `collaborators.put` do.
    """
    job = db.look(job_access.permitted, user, JobAction.GRANT, job_id)
    colleague = db.change(collaborators.put, job.id, name, may_edit=may_edit, actor=user.actor)
    context.current().audiences.changed()
    notify.announce(job)
    return colleague


def end_for(user: User, job_id: str, name: str) -> None:
    """End a colleague's right to a recording; raises as `permitted` and `collaborators.remove` do."""
    job = db.look(job_access.permitted, user, JobAction.GRANT, job_id)
    colleague = db.change(collaborators.remove, job.id, name, actor=user.actor)
    context.current().audiences.changed()
    notify.tell(job.id, job.owner_id, also=(colleague.user_id,))


def colleagues(user: User, job_id: str) -> list[Collaborator]:
    """Return the colleagues who have a right to a recording; raises as `permitted` does."""
    job = db.look(job_access.permitted, user, JobAction.GRANT, job_id)
    return db.look(collaborators.list_of, job.id)


def everybodys(user: User, *, before: str | None, limit: int) -> list[SharedRecording]:
    """Return everybody's working links, newest first.

    Raises:
        NotAllowed: the user is no administrator.
    """
    job_access.listed_owner(user, everybody=True, doing="listing share links")
    return db.look(share_links.page, before=before, limit=limit)


def end(user: User, job_id: str, share_id: str) -> None:
    """Revoke anybody's link, whatever the state of its recording.

    Raises:
        NotAllowed: the user is no administrator.
        NotFound: there is no such link.
    """
    job_access.listed_owner(user, everybody=True, doing="ending share links")
    db.change(share_links.revoke, job_id, share_id, actor=user.actor)
