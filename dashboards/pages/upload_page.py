"""The upload page: options, drop zone, and each file's progress to its transcript."""

import streamlit as st

from dashboards import components, strings
from dashboards.components.contracts import UploaderData, UploadSettings
from dashboards.pages import recording_list, registry, upload_options, viewer
from dashboards.pages.settings import profile
from dashboards.presenters import job_row
from dashboards.runtime import context
from dashboards.services import job_access
from dashboards.strings import recordings as words
from storage.domain.records import Job, Lane, Options, to_json

SENT = "sent_jobs"


def kept_jobs(me: viewer.Viewer) -> dict[str, Job]:
    """Return the existing jobs of this page's uploads."""
    if not (sent := st.session_state.get(SENT)):
        return {}
    with context.ledger().read() as con:
        found = {job.id: job for job in job_access.seen_among(con, me.user, sent)}
    return {job_id: found[job_id] for job_id in sent if job_id in found}


def note(job_ids: list[str]) -> None:
    """Remember the jobs of this page's uploads, to follow them."""
    st.session_state[SENT] = list(dict.fromkeys([*st.session_state.get(SENT, []), *job_ids]))[-500:]


@st.fragment
def drop_zone(options: Options, lane: Lane, tags: str) -> None:
    """Show the uploader, with the progress of its jobs."""
    me = viewer.required()
    shared = st.query_params.get("shared", "")
    if shared in strings.SHARED:
        st.warning(strings.SHARED[shared], icon=":material/ios_share:")
    components.live(key="upload-live", owner=me.user.id, everybody=me.is_admin)
    recording_list.banner(me)
    max_bytes, free_bytes = context.settings().web.max_upload_bytes, upload_options.room_for(me)
    text = strings.UPLOADER | upload_options.limits(me, free_bytes)
    settings: UploadSettings = {
        "owner": me.user.id,
        "options": to_json(options).decode(),
        "lane": lane.value,
        "tags": tags,
        "max_bytes": max_bytes,
        "free_bytes": free_bytes,
        "shared": shared.isdigit(),
        "direct": (direct := context.current().direct_parts) is not None and direct.offered,
    }
    rows = {job_id: job_row.upload_row(job) for job_id, job in kept_jobs(me).items()}
    data: UploaderData = {"settings": settings, "headerless": upload_options.headerless(), "jobs": rows}
    opened = components.uploader(data, text=text, on_uploaded=note)
    if opened:
        st.switch_page(registry.page("job"), query_params={"id": opened})


def page() -> None:
    """Show the upload page."""
    me = viewer.required()
    st.title(strings.PAGE["upload"], anchor=False)
    if me.may_write:
        profile.used(me.user)
        drop_zone(*upload_options.choose(me))
    else:
        st.info(words.MAY_NOT_UPLOAD)
