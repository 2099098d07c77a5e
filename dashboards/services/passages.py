"""Comments on passages and highlights of a person, if allowed; open pages are told.

Everybody who may read a recording may comment and highlight, unless the account is read-only. The functions block, and
may be called from any thread.
"""

from typing import Any

from dashboards.runtime import context, db, notify
from dashboards.services import job_access
from storage.domain.records import HighlightColour, Job, Note, User
from storage.jobs.annotations import comments
from storage.jobs.annotations.comments import Passage, Unseen


def comment(user: User, job_id: str, passage: Passage, text: str) -> Note:
    """Comment on a passage; raises as `job_access.commented` and `comments.add` do."""
    job = db.look(job_access.commented, user, job_id)
    return _told(job, db.change(comments.add, job.id, passage=passage, text=text, actor=user.actor), is_new=True)


def reply(user: User, job_id: str, comment_id: str, text: str) -> Note:
    """Answer a comment; raises as `job_access.commented` and `comments.reply` do."""
    job = db.look(job_access.commented, user, job_id)
    return _told(job, db.change(comments.reply, job.id, comment_id, text=text, actor=user.actor), is_new=True)


def change(user: User, job_id: str, comment_id: str, text: str) -> Note:
    """Change one's own comment; raises as `job_access.commented` and `comments.change` do."""
    job = db.look(job_access.commented, user, job_id)
    return _told(job, db.change(comments.change, job.id, comment_id, text=text, actor=user.actor))


def resolve(user: User, job_id: str, comment_id: str, *, resolved: bool) -> Note:
    """Resolve a comment or open it again; raises as `job_access.commented` and `comments.resolve` do."""
    job = db.look(job_access.commented, user, job_id)
    return _told(job, db.change(comments.resolve, job.id, comment_id, resolved=resolved, actor=user.actor))


def remove(user: User, job_id: str, comment_id: str) -> None:
    """Delete a comment; raises as `job_access.commented` and `comments.remove` do."""
    job = db.look(job_access.commented, user, job_id)
    author = db.look(job_access.author_of_changes, user, job)
    db.change(comments.remove, job.id, comment_id, actor=user.actor, author=author)
    notify.tell(job.id, job.owner_id)


def highlight(user: User, job_id: str, passage: Passage, colour: HighlightColour) -> Note:
    """Highlight a passage; raises as `job_access.commented` and `comments.highlight` do."""
    job = db.look(job_access.commented, user, job_id)
    return _told(job, db.change(comments.highlight, job.id, passage=passage, colour=colour, actor=user.actor))


def recolour(user: User, job_id: str, highlight_id: str, colour: HighlightColour) -> Note:
    """Give a highlight another colour; raises as `job_access.commented` and `comments.recolour` do."""
    job = db.look(job_access.commented, user, job_id)
    author = db.look(job_access.author_of_changes, user, job)
    made = db.change(comments.recolour, job.id, highlight_id, colour=colour, actor=user.actor, author=author)
    return _told(job, made)


def unhighlight(user: User, job_id: str, highlight_id: str) -> None:
    """Remove a highlight; raises as `job_access.commented` and `comments.unhighlight` do."""
    job = db.look(job_access.commented, user, job_id)
    author = db.look(job_access.author_of_changes, user, job)
    db.change(comments.unhighlight, job.id, highlight_id, actor=user.actor, author=author)
    notify.tell(job.id, job.owner_id)


def unseen(user: User) -> list[Unseen]:
    """Return the comments of others on the user's recordings that the user has not seen."""
    return db.look(comments.unseen, user.id)


def seen(user: User, job_id: str) -> None:
    """Note that the owner of a recording has seen its comments.

    Nothing happens for anybody else.

    Raises:
        NotFound: the user may not see it.
    """
    job = db.look(job_access.visible, user, job_id)
    if job.owner_id == user.id:
        context.ledger().note(comments.seen, job.id)


def _told(job: Job, note: Note, *, is_new: bool = False) -> Note:
    facts: dict[str, Any] = {"comment": note.id} if is_new else {}
    notify.tell(job.id, job.owner_id, **facts)
    return note
