"""What is done to several recordings at once; each is tried by itself, and what was refused is said."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from dashboards import context, viewer
from dashboards.strings import recordings as words
from dashboards.viewer import Viewer
from storage import intake, jobs
from storage.errors import NotFound, TranscriberError
from storage.records import Job

SAID = "bulk_said"
MAX_AT_ONCE = 500


def _cancel(job: Job, actor: str) -> None:
    context.announce(viewer.change(jobs.cancel, job.id, actor=actor))


def _retry(job: Job, actor: str) -> None:
    context.announce(viewer.change(jobs.retry, job.id, actor=actor))


def _delete(job: Job, actor: str) -> None:
    intake.delete(context.ledger(), context.files(), job.id, actor=actor)
    context.removed(job.id, job.owner_id)


def _restore(job: Job, actor: str) -> None:
    context.announce(intake.restore(context.ledger(), context.files(), job.id, actor=actor))


def _purge(job: Job, actor: str) -> None:
    if job.deleted_at is None:
        raise NotFound("deleted job", job.id)
    intake.throw_out(context.ledger(), context.files(), job.id, actor=actor)
    context.removed(job.id, job.owner_id)


ACTS: dict[str, Callable[[Job, str], None]] = {
    "cancel": _cancel,
    "retry": _retry,
    "delete": _delete,
    "restore": _restore,
    "purge": _purge,
}


def act(told: Any, me: Viewer, *, everybody: bool) -> None:
    """Do what the list asks for to the recordings that it names, as far as they are the reader's; keep what to say."""
    if not isinstance(told, Mapping) or told.get("act") not in ACTS or not me.may_write:
        return
    work = ACTS[told["act"]]
    done, refusals = 0, []
    for job_id in [str(one) for one in told.get("ids") or ()][:MAX_AT_ONCE]:
        try:
            job = viewer.look(jobs.get, job_id)
            if not (me.may_see(job) if everybody else job.owner_id == me.user.id):
                raise NotFound("job", job_id)
            work(job, me.actor)
        except TranscriberError as refusal:
            refusals.append(str(refusal))
        else:
            done += 1
    st.session_state[SAID] = words.done(told["act"], done, refusals)
