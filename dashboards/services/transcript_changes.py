"""Changes a transcript or its notes for a person, if allowed, and notifies pages.

The functions block, and may be called from any thread.
"""

from dashboards.runtime import context, db, notify
from dashboards.services import job_access
from storage.domain.job_actions import JobAction
from storage.domain.records import Note, User, Version
from storage.jobs import save_edit
from storage.jobs.annotations import notes
from storage.transcripts.edits import Draft


def edit(user: User, job_id: str, draft: Draft) -> Version:
    """Save an edit as a new version; raises as `permitted` and `save_edit.edit` do."""
    job = db.look(job_access.permitted, user, JobAction.EDIT, job_id)
    version = save_edit.edit(context.ledger(), context.files(), job.id, draft, actor=user.actor)
    notify.tell(job.id, job.owner_id, version=version.number)
    return version


def restore(user: User, job_id: str, number: int, *, base: int) -> Version:
    """Make an earlier version current again; raises as `permitted` and `save_edit.restore` do."""
    job = db.look(job_access.permitted, user, JobAction.EDIT, job_id)
    version = save_edit.restore(context.ledger(), context.files(), job.id, number, base=base, actor=user.actor)
    notify.tell(job.id, job.owner_id, version=version.number)
    return version


def add_note(user: User, job_id: str, *, text: str, at_s: float | None) -> Note:
    """Add a note; raises as `job_access.annotated` and `notes.add` do."""
    job = db.look(job_access.annotated, user, job_id)
    note = db.change(notes.add, job.id, text=text, at_s=at_s, actor=user.actor)
    notify.tell(job.id, job.owner_id)
    return note


def change_note(user: User, job_id: str, note_id: str, *, text: str, at_s: float | None) -> Note:
    """Change a note; raises as `job_access.annotated` and `notes.change` do."""
    job = db.look(job_access.annotated, user, job_id)
    author = db.look(job_access.author_of_changes, user, job)
    note = db.change(notes.change, job.id, note_id, text=text, at_s=at_s, actor=user.actor, author=author)
    notify.tell(job.id, job.owner_id)
    return note


def remove_note(user: User, job_id: str, note_id: str) -> None:
    """Delete a note; raises as `job_access.annotated` and `notes.remove` do."""
    job = db.look(job_access.annotated, user, job_id)
    author = db.look(job_access.author_of_changes, user, job)
    db.change(notes.remove, job.id, note_id, actor=user.actor, author=author)
    notify.tell(job.id, job.owner_id)
