"""Whether every part answers, and how busy the web process's machine has been."""

import os
import platform
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from importlib.metadata import version

import psutil
import streamlit as st

from dashboards import context, prefect_pools, present, strings, viewer
from dashboards.gauges import Sample
from dashboards.strings import admin as words
from storage.clock import utc_now
from storage.errors import TranscriberError
from storage.records import JobState

EVERY_S = 10.0
POINTS = 360
COLORS = ("#2f8f7b", "#d08a2e", "#5b83c4")
SPANS = {words.QUARTER: 15, words.LAST_HOUR: 60, words.SIX_HOURS: 360}


@st.fragment(run_every=EVERY_S)
def parts() -> None:
    """Say of each part whether it answers, and how quickly."""
    viewer.required_admin()
    checks: list[tuple[str, Callable[[], str]]] = [
        (words.LEDGER, _ledger),
        (words.STORAGE, _storage),
        (words.PREFECT, _prefect),
        (words.WORKERS, _workers),
        (words.SEARCH_INDEX, _search),
    ]
    with st.container(key="tiles-parts"):
        columns = st.columns(len(checks))
    for column, (name, look) in zip(columns, checks, strict=True):
        with column.container(border=True, height="stretch", gap="small", key=f"part-{name.replace(' ', '-')}"):
            _part(name, look)
    process = psutil.Process()
    up = present.roughly(time.time() - process.create_time())
    facts = (
        words.process(os.getpid(), viewer.plain(platform.node()), up),
        words.versions(version("whisper-transcriber"), platform.python_version()),
        words.hardware(psutil.cpu_count(), present.size(psutil.virtual_memory().total)),
    )
    st.caption(" · ".join(facts))


def _part(name: str, look: Callable[[], str]) -> None:
    began = time.perf_counter()
    try:
        told = look()
    except TranscriberError as error:
        st.markdown(f"**{name}**")
        st.badge(words.AWAY, icon=":material/error:", color="red")
        st.caption(viewer.explained(error))
        return
    st.markdown(f"**{name}**")
    st.badge(words.ANSWERS, icon=":material/check:", color="green")
    st.caption(f"{told} · {1000 * (time.perf_counter() - began):.0f} ms")


def _ledger() -> str:
    ledger = context.ledger()
    viewer.look(lambda con: con.execute("SELECT 1").fetchall())
    return words.ledger(present.size(ledger.path.stat().st_size), present.size(ledger.wal_bytes()))


def _storage() -> str:
    context.files().exists("jobs/probe.json")
    url = context.settings().storage.root_url
    return viewer.plain(url if "://" in url else words.FOLDER)


def _prefect() -> str:
    return words.pools(len(prefect_pools.all_pools()))


def _workers() -> str:
    alive = context.workers().alive(utc_now())
    if not alive:
        raise NoWorker
    return words.workers(len(alive), hosts=len({beat.host for beat in alive}))


class NoWorker(TranscriberError):
    """Nobody is there to hear anything."""

    def __str__(self) -> str:
        return words.NO_WORKER_HEARD


def _search() -> str:
    status = context.current().search.status
    return words.search_index(status.indexed, status.behind)


@st.fragment(run_every=EVERY_S)
def load() -> None:
    """Draw load, memory, disk and work of the last hours."""
    me = viewer.required_admin()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader(words.LOAD, anchor=False, width="content")
        chosen = st.segmented_control(words.TIME, list(SPANS), default=words.LAST_HOUR, label_visibility="collapsed")
    since = utc_now() - timedelta(minutes=SPANS[chosen or words.LAST_HOUR])
    samples = thinned([one for one in context.current().gauges.all() if one.at >= since])
    if len(samples) < 2:
        st.info(words.NO_SAMPLES)
        return
    rows = [_row(one, me) for one in samples]
    left, right = st.columns(2, gap="large")
    with left:
        _chart(words.MACHINE_CHART, rows, [words.PROCESSOR, words.MEMORY, words.DISK])
        _chart(words.JOBS_CHART, rows, [strings.STATE[JobState.QUEUED], words.IN_WORK])
    with right:
        _chart(words.PROCESS_CHART, rows, [words.PROCESS])
        _chart(words.PAGES_CHART, rows, [words.PAGES])


def thinned(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Return at most about `POINTS` of them, evenly, the newest one in any case."""
    step = max(1, len(samples) // POINTS)
    return samples[::-1][::step][::-1]


def _row(one: Sample, me: viewer.Viewer) -> dict[str, object]:
    return {
        words.TIME: one.at.astimezone(me.zone).replace(tzinfo=None),
        words.PROCESSOR: 100 * one.cpu,
        words.MEMORY: 100 * one.memory,
        words.DISK: 100 * one.disk,
        words.PROCESS: one.process_bytes / 1e6,
        words.PAGES: one.pages,
        strings.STATE[JobState.QUEUED]: one.waiting,
        words.IN_WORK: one.in_hand,
    }


def _chart(title: str, rows: Sequence[dict[str, object]], names: Sequence[str]) -> None:
    st.caption(title)
    st.line_chart(rows, x=words.TIME, y=names, x_label="", y_label="", color=[*COLORS[: len(names)]], height=220)
