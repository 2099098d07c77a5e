"""The list of recordings, one's own or everybody's: filter, pages, live rows."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboards import components, context, present, strings, viewer
from dashboards.viewer import Viewer
from storage import jobs, users
from storage.clock import utc_now
from storage.records import Job, JobState, Role

PAGE_ROWS = 25
GOING_ON = (JobState.QUEUED, JobState.INGESTING, JobState.TRANSCRIBING, JobState.EXPORTING)
FILTERS: dict[str, tuple[str, tuple[JobState, ...] | None]] = {
    "all": ("All", None),
    "going": ("In progress", GOING_ON),
    "ready": ("Ready", (JobState.COMPLETED,)),
    "failed": ("Failed", (JobState.FAILED,)),
    "cancelled": ("Cancelled", (JobState.CANCELLED,)),
}
NOTHING = {
    "all": "Nothing older is here. “Newest” leads back to the top.",
    "going": "Nothing is in progress. New recordings start by themselves as soon as they are uploaded.",
    "ready": "No transcript is ready yet. Look under “In progress”.",
    "failed": "Nothing has failed. If something does, it says here why and what to do.",
    "cancelled": "Nothing was cancelled.",
}


@st.fragment
def show(*, everybody: bool = False) -> None:
    """Show the reader's recordings, or everybody's to an administrator."""
    me = viewer.required_admin() if everybody else viewer.required()
    owner = None if everybody else me.user.id
    components.live(key="list-live", owner=owner, everybody=me.is_admin)
    banner(me)
    counts = viewer.look(jobs.counts, owner)
    if not sum(counts.values()):
        _first_steps(me)
        return
    wanted = st.query_params.get("show", "all")
    wanted = wanted if wanted in FILTERS else "all"
    before = st.query_params.get("before")
    found = viewer.look(jobs.page, owner_id=owner, state=FILTERS[wanted][1], before=before, limit=PAGE_ROWS + 1)
    people = {user.id: user.name for user in viewer.look(users.list_all)} if everybody else {}
    opened = components.job_list(
        [present.job_row(job, me.zone, people.get(job.owner_id)) for job in found[:PAGE_ROWS]],
        filters=_filters(counts, wanted),
        nothing=NOTHING[wanted],
        on_show=_show_only,
    )
    if opened:
        st.switch_page("views/job.py", query_params={"id": opened})
    _pages(found, before)


def banner(me: Viewer) -> None:
    """Say what keeps recordings from being heard well, or at all: no worker, no model yet, the demo model."""
    workers = context.workers()
    alive = workers.alive(utc_now())
    if not alive:
        st.warning(strings.NO_WORKER_ADMIN if me.is_admin else strings.NO_WORKER, icon=":material/hourglass_disabled:")
        return
    model = workers.default_model()
    if model and model.state == "downloading":
        share = "" if model.progress is None else f" ({100 * model.progress:.0f}%)"
        st.info(f"The model **{model.name}** is being downloaded{share}. Recordings start when it is here.")
    elif model and model.name == present.DEMO_MODEL:
        st.warning(strings.ONLY_DEMO_ADMIN if me.is_admin else strings.ONLY_DEMO, icon=":material/info:")
    elif model and model.warning:
        st.warning(present.sentence(model.warning), icon=":material/info:")


def _filters(counts: Mapping[JobState, int], wanted: str) -> list[dict[str, Any]]:
    """Return the filters that find something, the usual ones, and the one that is on."""
    shown = []
    for key, (label, states) in FILTERS.items():
        count = sum(counts[state] for state in states or tuple(JobState))
        if count or key in {"all", "going", "ready", wanted}:
            shown.append({"key": key, "label": label, "count": count, "on": key == wanted})
    return shown


def _show_only(wanted: str) -> None:
    st.query_params.pop("before", None)
    if wanted == "all":
        st.query_params.pop("show", None)
    else:
        st.query_params["show"] = wanted


def _pages(found: list[Job], before: str | None) -> None:
    more = len(found) > PAGE_ROWS
    if not before and not more:
        return
    with st.container(horizontal=True, horizontal_alignment="right"):
        if before:
            st.button("Newest", icon=":material/first_page:", type="tertiary", on_click=_turn_to, args=(None,))
        if more:
            last = found[PAGE_ROWS - 1].id
            st.button("Older", icon=":material/chevron_right:", icon_position="right", on_click=_turn_to, args=(last,))


def _turn_to(before: str | None) -> None:
    if before:
        st.query_params["before"] = before
    else:
        st.query_params.pop("before", None)


def _first_steps(me: Viewer) -> None:
    with st.container(key="empty", horizontal_alignment="center"):
        st.image(str(components.SVG_MARK), width=64)
        st.subheader("Nothing here yet", anchor=False)
        if me.user.role is Role.READER:
            st.write("Recordings that are put in your account appear here, with transcript and subtitles.")
            return
        st.write("Upload a recording and its transcript appears here, ready to read, play along and download.")
        if st.button("Upload a recording", type="primary", icon=":material/upload:"):
            st.switch_page("views/upload.py")
