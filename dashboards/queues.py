"""The backlog in the ledger by lane, and the queues in Prefect that hold what is in flight."""

import streamlit as st

from dashboards import prefect_pools, present, viewer
from dashboards.prefect_pools import Pool, Queue
from storage import audit, overview
from storage.clock import utc_now
from storage.errors import TranscriberError
from storage.records import Lane

EVERY_S = 10.0
LANES = {Lane.INTERACTIVE: "Now", Lane.BATCH: "When the machine is free", Lane.BACKFILL: "Last of all"}
DOES = {"cpu": "reading, cutting and exporting", "gpu": "listening"}


@st.fragment(run_every=EVERY_S)
def backlog() -> None:
    """Show what waits in each lane."""
    viewer.required_admin()
    st.subheader("Backlog", anchor=False)
    st.caption("What waits lies in the ledger; Prefect is given a few recordings at a time, the upper lanes first.")
    with st.container(key="tiles-backlog"):
        columns = st.columns(len(Lane))
    for column, lane in zip(columns, viewer.look(overview.backlog), strict=True):
        since = f"oldest: {present.roughly((utc_now() - lane.oldest).total_seconds())}" if lane.oldest else None
        told = f"Lane “{lane.lane}”. {lane.in_hand:,} more are in hand."
        column.metric(
            LANES[lane.lane],
            f"{lane.waiting:,}",
            since,
            delta_color="off",
            delta_arrow="off",
            border=True,
            height="stretch",
            help=told,
        )


@st.fragment
def pools() -> None:
    """Show every pool and queue with a way to pause it."""
    me = viewer.required_admin()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader("Work pools", anchor=False, width="content")
        st.button("Look again", icon=":material/refresh:", key="look-again")
    try:
        found = prefect_pools.all_pools()
    except TranscriberError as error:
        viewer.refused(error)
        return
    if not found:
        st.info("The Prefect server knows no work pools yet. They are made when the first worker starts.")
    for pool in found:
        _pool(pool, me)


def _pool(pool: Pool, me: viewer.Viewer) -> None:
    with st.container(border=True, key=f"pool-{pool.name}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{viewer.plain(pool.name)}**", width="content")
            word, color = {"ready": ("workers are there", "green"), "paused": ("paused", "orange")}.get(
                pool.status, ("no worker", "gray")
            )
            st.badge(word, color=color)  # type: ignore[arg-type]
            st.caption(DOES.get(pool.name, ""))
            _switch(pool, me)
        st.caption(" · ".join(_queue(queue) for queue in pool.queues))


def _queue(queue: Queue) -> str:
    limit = f", at most {queue.limit} at once" if queue.limit is not None else ""
    paused = ", **paused**" if queue.paused else ""
    return f"{viewer.plain(queue.name)} (priority {queue.priority}{limit}{paused})"


def _switch(pool: Pool, me: viewer.Viewer) -> None:
    """Pause or go on; what workers have in hand is finished in either case."""
    label, icon = ("Go on", ":material/play_arrow:") if pool.paused else ("Pause", ":material/pause:")
    told = None if pool.paused else "Workers take no more of it; what they have in hand is finished."
    if not st.button(label, icon=icon, key=f"pause-{pool.name}", help=told):
        return
    try:
        prefect_pools.pause(pool.name, paused=not pool.paused)
    except TranscriberError as error:
        viewer.refused(error)
        return
    action = "pool.resume" if pool.paused else "pool.pause"
    viewer.change(audit.record, actor=me.actor, action=action, subject=pool.name)
    st.rerun(scope="fragment")
