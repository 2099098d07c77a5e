"""Performs a person's action on a job, if allowed, and notifies pages and loops."""

from collections.abc import Iterable
from typing import assert_never

from duckdb import DuckDBPyConnection

from dashboards.runtime import context, db, notify
from dashboards.services import job_access
from storage.domain.batch_outcomes import BatchOutcome, KnownRecording
from storage.domain.errors import BadRequest, NotFound
from storage.domain.job_actions import JobAction
from storage.domain.records import Job, Lane, User
from storage.jobs import intake, job_store, known_recordings, queue_control, renaming
from storage.jobs.annotations import tagging


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


def change(
    user: User, job_id: str, *, name: str | None = None, tags: Iterable[str] | None = None, lane: Lane | None = None
) -> Job:
    """Rename a recording, replace its tags, or move it to another lane; return the job.

    Raises:
        NotAllowed, NotFound: the user may not change the recording.
        JobMoved: it is deleted, or finished and so in no lane.
        BadRequest: nothing is left of the name, or the tags are not acceptable.
    """
    asked = {JobAction.RENAME: name, JobAction.TAG: tags, JobAction.LANE: lane}
    for action in [action for action, value in asked.items() if value is not None]:
        db.look(job_access.permitted, user, action, job_id)
    changed = db.change(_change_facts, job_id, name, tags, lane, actor=user.actor)
    notify.announce(changed)
    return changed


def _change_facts(
    con: DuckDBPyConnection,
    job_id: str,
    name: str | None,
    tags: Iterable[str] | None,
    lane: Lane | None,
    *,
    actor: str,
) -> Job:
    if name is None and tags is None and lane is None:
        raise BadRequest("body", "it changes nothing; give a name, tags or a lane")
    if lane is not None:
        queue_control.change_lane(con, job_id, lane, actor=actor)
    if name is not None:
        renaming.rename(con, job_id, name=name, actor=actor)
    if tags is not None:
        tagging.set_tags(con, job_id, tags, actor=actor)
    return job_store.get(con, job_id)


def change_tags(user: User, job_id: str, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Job:
    """Add tags to a recording, and take others away; raises as `change` does."""
    job = db.look(job_access.permitted, user, JobAction.TAG, job_id)
    tagged = db.change(tagging.change_tags, job.id, add=add, remove=remove, actor=user.actor)
    notify.announce(tagged)
    return tagged


def order(action: JobAction, job_id: str, *, actor: str, lane: Lane | None = None) -> Job:
    """Perform an action for the platform's operator at the command line.

    With `lane`, move the job there.

    Raises:
        NotFound: there is no such job, or the action is not one of the command line's.
        JobMoved: the job's state does not allow it.
    """
    job = db.look(job_store.get, job_id)
    if lane is not None:
        job = db.change(queue_control.change_lane, job_id, lane, actor=actor)
    else:
        job = _change(action, job, actor=actor)
    notify.announce(job)
    return job


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
        case JobAction.CANCEL | JobAction.RETRY | JobAction.PAUSE | JobAction.RESUME | JobAction.FIRST:
            return ledger.run(queue_control.ORDERS[action], job.id, actor=actor)
        case JobAction.DELETE:
            return intake.delete(ledger, files, job.id, actor=actor)
        case JobAction.RESTORE:
            return intake.restore(ledger, files, job.id, actor=actor)
        case JobAction.PURGE:
            if job.deleted_at is None:
                raise NotFound("deleted job", job.id)
            intake.throw_out(ledger, files, job.id, actor=actor)
            return job
        case (
            JobAction.DOWNLOAD
            | JobAction.EDIT
            | JobAction.RENAME
            | JobAction.TAG
            | JobAction.LANE
            | JobAction.SHARE
            | JobAction.GRANT
        ):
            raise NotFound("action", action)
        case _:
            assert_never(action)
