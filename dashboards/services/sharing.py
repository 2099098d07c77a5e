"""Creates and revokes share links, and lists everybody's for administrators."""

from datetime import timedelta

from dashboards.runtime import db
from dashboards.services import job_access
from storage.domain.job_actions import JobAction
from storage.domain.records import User
from storage.jobs import share_links
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
