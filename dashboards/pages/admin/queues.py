"""The ledger's backlog by lane, and Prefect's queues with the runs in flight."""

import streamlit as st

from dashboards import strings
from dashboards.clients import prefect_pools
from dashboards.clients.prefect_pools import Pool, Queue
from dashboards.pages import viewer
from dashboards.presenters import formatting
from dashboards.runtime import db
from dashboards.runtime.site_paths import site_path
from dashboards.services import platform_control
from dashboards.strings import admin as words
from storage.domain.clock import utc_now
from storage.domain.errors import TranscriberError
from storage.domain.records import Lane
from storage.domain.translation import number
from storage.jobs import statistics
from storage.jobs.platform_pause import MAX_REASON_CHARS
from storage.ledger import audit

EVERY_S = 10.0
MAINTENANCE_EVERY_S = 2.5


@st.fragment(run_every=EVERY_S)
def backlog() -> None:
    """Show the waiting jobs of each lane."""
    viewer.required_admin()
    st.header(words.BACKLOG, anchor=False)
    st.caption(words.BACKLOG_ABOUT)
    with st.container(key="tiles-backlog"):
        columns = st.columns(len(Lane))
    for column, lane in zip(columns, db.look(statistics.backlog), strict=True):
        waited = (utc_now() - lane.oldest).total_seconds() if lane.oldest else None
        since = words.NOTHING_WAITS if waited is None else words.oldest(formatting.roughly(waited))
        column.metric(
            words.LANE[lane.lane],
            number(lane.waiting),
            since,
            delta_color="off",
            delta_arrow="off",
            border=True,
            height="stretch",
            help=words.lane_help(lane.lane, lane.in_hand),
        )


@st.fragment
def pools() -> None:
    """Show every pool and queue with a button to pause it."""
    me = viewer.required_admin()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.header(words.POOLS, anchor=False, width="content")
        with st.container(horizontal=True, width="content"):
            ui = site_path("/prefect")
            st.link_button(words.OPEN_PREFECT, ui, icon=":material/open_in_new:", help=words.OPEN_PREFECT_HELP)
            st.button(words.LOOK_AGAIN, icon=":material/refresh:", key="look-again")
    try:
        found = prefect_pools.all_pools()
    except TranscriberError as error:
        viewer.refused(error)
        return
    if not found:
        st.info(words.NO_POOLS)
    for pool in found:
        _pool(pool, me)


def _pool(pool: Pool, me: viewer.Viewer) -> None:
    with st.container(border=True, key=f"pool-{pool.name}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{viewer.plain(pool.name)}**", width="content")
            word, color = {"ready": (words.POOL_READY, "green"), "paused": (words.POOL_PAUSED, "orange")}.get(
                pool.status, (words.POOL_ALONE, "gray")
            )
            st.badge(word, color=color)  # type: ignore[arg-type]
            st.caption(words.POOL_DOES.get(pool.name, ""))
            _switch(pool, me)
        st.caption(" · ".join(_queue(queue) for queue in pool.queues))


def _queue(queue: Queue) -> str:
    return words.queue(viewer.plain(queue.name), queue.priority, queue.limit, paused=queue.paused)


def _switch(pool: Pool, me: viewer.Viewer) -> None:
    """Pause or resume a pool; runs in progress are finished either way."""
    label, icon = (words.GO_ON, ":material/play_arrow:") if pool.paused else (words.PAUSE, ":material/pause:")
    told = None if pool.paused else words.PAUSE_HELP
    if not st.button(label, icon=icon, key=f"pause-{pool.name}", help=told):
        return
    try:
        prefect_pools.pause(pool.name, paused=not pool.paused)
    except TranscriberError as error:
        viewer.refused(error)
        return
    action = "pool.resume" if pool.paused else "pool.pause"
    db.change(audit.record, actor=me.actor, action=action, subject=pool.name)
    st.rerun(scope="fragment")


@st.fragment(run_every=MAINTENANCE_EVERY_S)
def maintenance() -> None:
    """Pause and resume the whole platform, and show what still runs."""
    me = viewer.required_admin()
    st.header(words.MAINTENANCE, anchor=False)
    state = platform_control.state()
    if state.pause is None:
        st.caption(words.MAINTENANCE_ABOUT)
        with st.popover(words.MAINTENANCE_PAUSE, icon=":material/construction:"), st.form("maintenance", border=False):
            reason = st.text_input(words.MAINTENANCE_REASON, max_chars=MAX_REASON_CHARS)
            if st.form_submit_button(words.MAINTENANCE_PAUSE, type="primary"):
                _set_pause(me, reason)
        return
    if state.running:
        st.info(words.maintenance_running(state.running), icon=":material/hourglass_top:")
    else:
        st.success(words.MAINTENANCE_QUIET, icon=":material/check:")
    if st.button(words.MAINTENANCE_RESUME, icon=":material/play_arrow:", type="primary", key="maintenance-resume"):
        _set_pause(me, None)


def _set_pause(me: viewer.Viewer, reason: str | None) -> None:
    try:
        platform_control.set_pause(me.user, reason)
    except TranscriberError as error:
        viewer.refused(error)
        return
    st.rerun()


def page() -> None:
    """Show the backlog, the maintenance pause, and Prefect's pools and queues, for administrators."""
    viewer.required_admin()
    st.title(strings.PAGE["queues"], anchor=False)
    backlog()
    maintenance()
    pools()
