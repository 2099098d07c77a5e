"""Performs a person's action on a job, if allowed, and notifies pages and loops."""

from typing import assert_never

from dashboards.runtime import context, db, notify
from dashboards.services import job_access
from storage.domain.batch_outcomes import BatchOutcome, KnownRecording
from storage.domain.errors import NotFound
from storage.domain.job_actions import JobAction
from storage.domain.records import Job, User
from storage.jobs import intake, job_store, known_recordings, renaming


def perform(action: JobAction, user: User, job_id: str) -> Job:
    """Perform the action for the job's owner or an administrator; blocks, from any thread.

    Returns the job as it is then.

    Raises:
        NotAllowed: the user's role does not allow it.
        NotFound: there is no such job, it belongs to somebody else, or the action does not apply to jobs.
        JobMoved: the job's state does not allow it.
    """
    job = _change(action, db.look(job_access.permitted, user, action, job_id), actor=user.actor)
    if action in {JobAction.DELETE, JobAction.PURGE}:
        notify.removed(job.id, job.owner_id)
    else:
        notify.announce(job)
    return job


def rename(user: User, job_id: str, name: str) -> Job:
    """Rename a recording for its owner or an administrator; return the job.

    Raises:
        NotAllowed, NotFound: the user may not rename the recording.
        JobMoved: it is deleted.
        BadRequest: nothing is left of the name.
    """
    job = db.look(job_access.permitted, user, JobAction.RENAME, job_id)
    renamed = db.change(renaming.rename, job.id, name=name, actor=user.actor)
    notify.announce(renamed)
    return renamed


def known_to_batch(owner_id: str, key: str, *, again: bool, actor: str) -> KnownRecording:
    """Return what earlier batches did with a recording; blocks.

    With `again`, one that failed is retried, and one that was deleted counts as new.

    Raises:
        JobMoved: it is no longer failed.
    """
    known = db.look(known_recordings.find, owner_id, key)
    if again and known.outcome is BatchOutcome.DELETED_BEFORE:
        return KnownRecording()
    if again and known.job and known.outcome is BatchOutcome.FAILED_BEFORE:
        retried = _change(JobAction.RETRY, known.job, actor=actor)
        notify.announce(retried)
        return KnownRecording(outcome=BatchOutcome.RETRIED, job=retried)
    return known


def delete_part(part_id: str, whole: Job, *, actor: str) -> None:
    """Delete the job of a file that was incomplete; `whole` is its new job.

    It can be restored like all deleted jobs. Nothing happens to a job that is not of the same owner, file and lane.
    """
    try:
        part = db.look(job_store.get, part_id)
    except NotFound:
        return
    if part.id == whole.id or (part.owner_id, part.name, part.lane) != (whole.owner_id, whole.name, whole.lane):
        return
    if not part.state.finished:
        part = _change(JobAction.CANCEL, part, actor=actor)
        notify.announce(part)
    _change(JobAction.DELETE, part, actor=actor)
    notify.removed(part.id, part.owner_id)


def _change(action: JobAction, job: Job, *, actor: str) -> Job:
    ledger, files = context.ledger(), context.files()
    match action:
        case JobAction.CANCEL:
            return ledger.run(job_store.cancel, job.id, actor=actor)
        case JobAction.RETRY:
            return ledger.run(job_store.retry, job.id, actor=actor)
        case JobAction.DELETE:
            return intake.delete(ledger, files, job.id, actor=actor)
        case JobAction.RESTORE:
            return intake.restore(ledger, files, job.id, actor=actor)
        case JobAction.PURGE:
            if job.deleted_at is None:
                raise NotFound("deleted job", job.id)
            intake.throw_out(ledger, files, job.id, actor=actor)
            return job
        case JobAction.DOWNLOAD | JobAction.EDIT | JobAction.RENAME | JobAction.SHARE:
            raise NotFound("action", action)
        case _:
            assert_never(action)
