"""The page of one recording: live progress, then player, transcript and files."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator as Place

from dashboards import components
from dashboards.pages import platform_notice, registry, viewer
from dashboards.pages.recording import other_tracks, provenance, sections, share_panel
from dashboards.runtime import db, security_log
from dashboards.services import job_access
from dashboards.strings import recordings as words
from storage.accounts import users
from storage.domain.errors import NotFound, NotYours
from storage.domain.records import Job, JobState
from storage.jobs import job_store
from storage.transcripts import transcript_store


def asked(me: viewer.Viewer) -> Job | None:
    """Return the job in the address, if the reader may see it."""
    try:
        job = db.look(job_access.visible, me.user, st.query_params.get("id", ""), deleted=True)
    except NotYours as error:
        security_log.page_refused(me.actor, subject=error.ident, code=error.code)
        return None
    except NotFound:
        return None
    security_log.others_read(me.user, job)
    return job


@st.fragment
def recording() -> None:
    """Show the recording; reruns whenever it changes."""
    me = viewer.required()
    job = asked(me)
    if job is None:
        nowhere()
        return
    components.live(key="job-live", job=job.id, everybody=me.is_admin)
    owner = db.look(users.get, job.owner_id).name if job.owner_id != me.user.id else None
    sections.heading(job, me, owner)
    if job.deleted_at:
        sections.deleted(job, me)
        return
    if job.state.finished and job.state is not JobState.COMPLETED:
        sections.broken_off(job, me)
        sections.delete_button(job, me)
        return
    above = st.container()  # the player keeps its place, and keeps playing, when the recording completes
    text, side = st.columns([7, 3], gap="large")
    if job.state is JobState.COMPLETED:
        completed(job, me, above, text, side)
        return
    with above:
        platform_notice.show(me)
        sections.under_way(job, me)
    with text:
        sections.player_along(job)
    with side:
        st.header(words.DOWNLOAD, anchor=False)
        st.caption(words.FILES_COME)


def completed(job: Job, me: viewer.Viewer, above: Place, text: Place, side: Place) -> None:
    """Show a completed recording: text left, files and facts right (below on a phone)."""
    transcript = db.look(transcript_store.head, job.id)
    with above:
        platform_notice.storage()
        sections.warnings(job)
        other_tracks.panel(job, me)
        sections.without_times(transcript)
    with text:
        sections.player(job, me, transcript)
    with side:
        sections.files(job, timed=transcript is None or transcript.timed)
        share_panel.panel(job, me)
        provenance.show(job, db.look(job_store.spans_of, job.id), transcript)
        sections.delete_button(job, me)


def nowhere() -> None:
    """Show that there is no such recording, with a link back."""
    st.title(words.NOT_HERE, anchor=False)
    st.write(words.NOT_HERE_HELP)
    st.page_link(registry.page("jobs"), label=words.BACK_TO_OWN, icon=":material/arrow_back:")
