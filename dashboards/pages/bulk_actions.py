"""Actions on several recordings; each is attempted separately, and refusals are reported."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import streamlit as st

from dashboards.pages.viewer import Viewer
from dashboards.services import jobs
from dashboards.strings import recordings as words
from storage.domain.errors import BadRequest, TranscriberError
from storage.domain.job_actions import JobAction
from storage.domain.records import Job, User
from storage.domain.tags import split_tags
from storage.domain.translation import gettext as _

SAID = "bulk_said"
MAX_AT_ONCE = 500


def act(told: Any, me: Viewer) -> None:
    """Perform the list's action on the permitted recordings, and store the message to show."""
    asked = str(told.get("act")) if isinstance(told, Mapping) else ""
    if asked not in set(JobAction) or not JobAction(asked).allows(me.user.role):
        return
    action, perform = JobAction(asked), partial(jobs.perform, JobAction(asked), me.user)
    if action is JobAction.TAG:
        perform = partial(_tag, me.user, told)
    done, refusals = 0, []
    for job_id in [str(one) for one in told.get("ids") or ()][:MAX_AT_ONCE]:
        try:
            perform(job_id)
        except TranscriberError as refusal:
            refusals.append(reason(refusal))
        else:
            done += 1
    st.session_state[SAID] = words.done(action, done, refusals)


def reason(refusal: TranscriberError) -> str:
    """Return why it was refused, without the name of a field."""
    return _(refusal.template, **refusal.values) if isinstance(refusal, BadRequest) else str(refusal)


def _tag(user: User, told: Mapping[str, Any], job_id: str) -> Job:
    """Add the tags to a recording, or take them away."""
    tags = split_tags(str(told.get("tags", "")))
    return jobs.change_tags(user, job_id, **{"remove" if told.get("remove") else "add": tags})
