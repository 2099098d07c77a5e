"""Request times by route, slow statements and caches of this process."""

import streamlit as st

from dashboards import strings
from dashboards.pages import viewer
from dashboards.presenters import formatting
from dashboards.runtime import cache_stats, context, request_timings
from dashboards.services import cache_clearing
from dashboards.strings import admin as words
from dashboards.strings import recordings
from storage.ledger import slow_queries

EVERY_S = 10.0
LABEL_CHARS = 60


@st.fragment(run_every=EVERY_S)
def requests() -> None:
    """Show the number and duration of requests per route."""
    viewer.required_admin()
    st.header(words.REQUESTS_BY_ROUTE, anchor=False)
    seen = context.current().timings.all()
    if not seen:
        st.info(words.NO_REQUESTS)
        return
    st.caption(words.requests_about(request_timings.KEPT))
    names = {request_timings.PAGE_FILES: words.PAGE_FILES, request_timings.ELSEWHERE: words.OTHER_PATHS}
    rows = [
        {
            words.ROUTE: names.get(one.route, one.route),
            words.REQUESTS: one.requests,
            words.SERVER_ERRORS: one.errors,
            words.P50: one.p50_ms,
            words.P95: one.p95_ms,
            words.SLOWEST: one.slowest_ms,
        }
        for one in seen
    ]
    times = {name: st.column_config.NumberColumn(format="%.1f ms") for name in (words.P50, words.P95, words.SLOWEST)}
    with st.container(key="table-requests"):
        st.dataframe(rows, hide_index=True, column_config=times, height="content" if len(rows) < 14 else 520)


@st.fragment(run_every=EVERY_S)
def statements() -> None:
    """Show statements of the ledger and search index that took more than 100 ms."""
    me = viewer.required_admin()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.header(words.SLOW_QUERIES, anchor=False, width="content")
        if st.button(words.FORGET, icon=":material/delete_sweep:", key="forget-queries"):
            slow_queries.SEEN.forget()
    found = slow_queries.SEEN.found()
    if not found:
        st.info(words.no_slow_queries(1000 * slow_queries.SLOW_S), icon=":material/speed:")
        return
    for one in found[:30]:
        times = words.times(one.times, 1000 * one.total_s / one.times) if one.times > 1 else words.ONCE
        begins = viewer.plain(" ".join(one.text.split())[:LABEL_CHARS])
        when = formatting.when(one.last_at, me.zone)
        label = f"**{1000 * one.longest_s:.0f} ms** · {times} · {words.last(when)} · :gray[{begins}…]"
        with st.expander(label):
            st.code(one.text, language="sql")


@st.fragment(run_every=EVERY_S)
def kept() -> None:
    """Show the caches of pages and API with hit rates, and clear them on request."""
    me = viewer.required_admin()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.header(words.CACHES, anchor=False, width="content")
        if st.button(words.CLEAR, icon=":material/mop:", key="clear-caches"):
            cache_clearing.clear(me.user)
            st.toast(words.CLEARED, icon=":material/check:")
    answers = context.current().answers
    counts = [(words.API_ANSWERS, answers.asked, answers.hits)]
    counts += [(recordings.CACHE.get(one.name, one.name), one.asked, one.hits) for one in cache_stats.KNOWN.values()]
    rows = [
        {words.CACHE: name, words.ASKED: asked, words.HITS: hits, words.SHARE: hits / asked if asked else None}
        for name, asked, hits in counts
    ]
    share = {words.SHARE: st.column_config.ProgressColumn(min_value=0, max_value=1, format="percent")}
    st.dataframe(rows, hide_index=True, column_config=share, height="content")


def page() -> None:
    """Show request times, slow statements and caches, for administrators."""
    viewer.required_admin()
    st.title(strings.PAGE["performance"], anchor=False)
    requests()
    statements()
    kept()
