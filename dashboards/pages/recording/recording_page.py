"""One recording: live progress, then player, transcript and files."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator as Place

from dashboards import components, job_parts, provenance, sharing, viewer
from dashboards.strings import recordings as words
from storage import jobs, transcripts, users
from storage.errors import NotFound
from storage.records import Job, JobState


def asked(me: viewer.Viewer) -> Job | None:
    """Return the job in the address, if it is this reader's to see."""
    try:
        job = viewer.look(jobs.get, st.query_params.get("id", ""))
    except NotFound:
        return None
    return job if me.may_see(job) else None


@st.fragment
def recording() -> None:
    """Show the recording as it is now; runs again whenever it changes."""
    me = viewer.required()
    job = asked(me)
    if job is None:
        nowhere()
        return
    components.live(key="job-live", job=job.id, everybody=me.is_admin)
    owner = viewer.look(users.get, job.owner_id).name if job.owner_id != me.user.id else None
    job_parts.heading(job, me, owner)
    if job.deleted_at:
        job_parts.deleted(job, me)
        return
    if job.state.finished and job.state is not JobState.COMPLETED:
        job_parts.broken_off(job, me)
        job_parts.delete_button(job, me)
        return
    above = st.container()  # the player stays in its place, and goes on playing, when the recording is finished
    text, side = st.columns([7, 3], gap="large")
    if job.state is JobState.COMPLETED:
        completed(job, me, above, text, side)
        return
    with above:
        job_parts.under_way(job, me)
    with text:
        job_parts.player_along(job)
    with side:
        st.subheader(words.DOWNLOAD, anchor=False)
        st.caption(words.FILES_COME)


def completed(job: Job, me: viewer.Viewer, above: Place, text: Place, side: Place) -> None:
    """Show a finished recording: text to the left, files and facts to the right, below it on a phone."""
    transcript = viewer.look(transcripts.head, job.id)
    with above:
        job_parts.warnings(job)
    with text:
        job_parts.player(job, me, transcript)
    with side:
        job_parts.files(job)
        sharing.panel(job, me)
        provenance.show(job, viewer.look(jobs.spans_of, job.id), transcript)
        job_parts.delete_button(job, me)


def nowhere() -> None:
    """Say that there is no such recording, and lead back."""
    st.title(words.NOT_HERE, anchor=False)
    st.write(words.NOT_HERE_HELP)
    st.page_link("views/jobs.py", label=words.BACK_TO_OWN, icon=":material/arrow_back:")


recording()
