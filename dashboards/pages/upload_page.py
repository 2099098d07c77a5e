"""Send recordings: choices, drop zone, and the way of each file from there to its transcript."""

import streamlit as st

from dashboards import components, context, present, profile, recordings, strings, uploading, viewer
from dashboards.strings import recordings as words
from storage import jobs
from storage.errors import NotFound
from storage.records import Job, Lane, Options, to_json

SENT = "sent_jobs"


def kept_jobs(me: viewer.Viewer) -> dict[str, Job]:
    """Return the jobs that came out of this page's uploads and are still there."""
    found = {}
    with context.ledger().read() as con:
        for job_id in st.session_state.get(SENT, []):
            try:
                job = jobs.get(con, job_id)
            except NotFound:
                continue
            if job.owner_id == me.user.id:
                found[job_id] = job
    return found


def note(job_ids: list[str]) -> None:
    """Keep in mind which jobs came out of this page's uploads, so that they are followed."""
    st.session_state[SENT] = list(dict.fromkeys([*st.session_state.get(SENT, []), *job_ids]))[-500:]


@st.fragment
def drop_zone(options: Options, lane: Lane) -> None:
    """Show the uploader, with how its jobs are doing now."""
    me = viewer.required()
    shared = st.query_params.get("shared", "")
    if shared in strings.SHARED:
        st.warning(strings.SHARED[shared], icon=":material/ios_share:")
    components.live(key="upload-live", owner=me.user.id, everybody=me.is_admin)
    recordings.banner(me)
    max_bytes, free_bytes = context.settings().web.max_upload_bytes, uploading.room_for(me)
    text = strings.UPLOADER | uploading.limits(me, free_bytes)
    settings = {
        "owner": me.user.id,
        "options": to_json(options).decode(),
        "lane": lane.value,
        "max_bytes": max_bytes,
        "free_bytes": free_bytes,
        "shared": shared.isdigit(),
    }
    rows = {job_id: present.upload_row(job) for job_id, job in kept_jobs(me).items()}
    opened = components.uploader(settings=settings, text=text, jobs=rows, on_uploaded=note)
    if opened:
        st.switch_page("views/job.py", query_params={"id": opened})


me = viewer.required()
st.title(strings.PAGE["upload"], anchor=False)
if me.may_write:
    components.uploads()
    profile.used(me.user)
    drop_zone(*uploading.choose(me))
else:
    st.info(words.MAY_NOT_UPLOAD)
