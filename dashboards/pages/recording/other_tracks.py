"""Offer the audio tracks of a file that were not transcribed."""

import streamlit as st

from dashboards.pages import registry, viewer
from dashboards.pages.viewer import Viewer
from dashboards.services import accept_recording, job_access
from dashboards.strings import recordings as words
from storage.domain.errors import TranscriberError
from storage.domain.job_messages import decode
from storage.domain.records import Job
from storage.domain.transcript_notes import TrackChosen


def panel(job: Job, me: Viewer) -> None:
    """Let the owner have another audio track transcribed, as a recording of its own."""
    notes = [note for note in map(decode, job.given_up) if isinstance(note, TrackChosen)]
    tracks = {track: words.audio_track(track + 1, note.described(track)) for note in notes for track in note.others}
    if not tracks or not job_access.may_reuse(me.user, job):
        return
    with st.popover(words.OTHER_TRACK, icon=":material/tune:", type="tertiary"):
        track = st.selectbox(words.TRACK, tracks, format_func=tracks.__getitem__, key="track")
        if st.button(words.TRANSCRIBE_TRACK, type="primary", key="other-track"):
            _transcribe(job, me, track)


def _transcribe(job: Job, me: Viewer, track: int) -> None:
    try:
        other = accept_recording.transcribe_track(me.user, job.id, track)
    except TranscriberError as error:
        viewer.refused(error)
        return
    st.switch_page(registry.page("job"), query_params={"id": other.id})
