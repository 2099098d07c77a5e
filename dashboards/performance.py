"""Requests by route and slow statements, as this process has seen them since it began."""

import streamlit as st

from dashboards import caches, context, present, timings, viewer
from storage import slow_queries

EVERY_S = 10.0
LABEL_CHARS = 60


@st.fragment(run_every=EVERY_S)
def requests() -> None:
    """Show how often each route was asked and how long it took."""
    viewer.required_admin()
    st.subheader("Requests by route", anchor=False)
    seen = context.current().timings.all()
    if not seen:
        st.info("No request has been answered yet.")
        return
    st.caption(f"Times of the last {timings.KEPT} requests of each route; counts since the process began.")
    rows = [
        {
            "Route": one.route,
            "Requests": one.requests,
            "Server errors": one.errors,
            "p50": one.p50_ms,
            "p95": one.p95_ms,
            "Slowest": one.slowest_ms,
        }
        for one in seen
    ]
    times = {name: st.column_config.NumberColumn(format="%.1f ms") for name in ("p50", "p95", "Slowest")}
    st.dataframe(rows, hide_index=True, column_config=times, height="content" if len(rows) < 14 else 520)


@st.fragment(run_every=EVERY_S)
def statements() -> None:
    """Show statements of the ledger and the search index that took more than 100 ms."""
    me = viewer.required_admin()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader("Slow queries", anchor=False, width="content")
        if st.button("Forget them", icon=":material/delete_sweep:", key="forget-queries"):
            slow_queries.SEEN.forget()
    found = slow_queries.SEEN.found()
    if not found:
        st.info(f"No query has taken more than {1000 * slow_queries.SLOW_S:.0f} ms.", icon=":material/speed:")
        return
    for one in found[:30]:
        mean = 1000 * one.total_s / one.times
        times = f"{one.times}×, {mean:.0f} ms on average" if one.times > 1 else "once"
        begins = viewer.plain(" ".join(one.text.split())[:LABEL_CHARS])
        when = present.when(one.last_at, me.zone)
        label = f"**{1000 * one.longest_s:.0f} ms** · {times} · last {when} · :gray[{begins}…]"
        with st.expander(label):
            st.code(one.text, language="sql")


@st.fragment(run_every=EVERY_S)
def kept() -> None:
    """Show what pages keep for a moment, how often that helped, and clear it on demand."""
    viewer.required_admin()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader("Caches", anchor=False, width="content")
        if st.button("Clear them", icon=":material/mop:", key="clear-caches"):
            for one in caches.KNOWN.values():
                one.clear()
            st.toast("The caches are empty.", icon=":material/check:")
    rows = [
        {"Cache": one.name, "Asked": one.asked, "Hits": one.hits, "Share": one.hits / one.asked if one.asked else None}
        for one in caches.KNOWN.values()
    ]
    if not rows:
        st.info("No page that keeps anything has been opened yet.")
        return
    share = {"Share": st.column_config.ProgressColumn(min_value=0, max_value=1, format="percent")}
    st.dataframe(rows, hide_index=True, column_config=share, height="content")
