"""Whether every part answers, and how busy the web process's machine has been."""

import os
import platform
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from importlib.metadata import version

import psutil
import streamlit as st

from dashboards import context, prefect_pools, present, viewer
from dashboards.gauges import Sample
from storage.clock import utc_now
from storage.errors import TranscriberError

EVERY_S = 10.0
POINTS = 360
COLORS = ("#2f8f7b", "#d08a2e", "#5b83c4")
SPANS = {"Last 15 minutes": 15, "Last hour": 60, "Last 6 hours": 360}


@st.fragment(run_every=EVERY_S)
def parts() -> None:
    """Say of each part whether it answers, and how quickly."""
    viewer.required_admin()
    checks: list[tuple[str, Callable[[], str]]] = [
        ("Ledger", _ledger),
        ("Storage", _storage),
        ("Prefect server", _prefect),
        ("Workers", _workers),
        ("Search index", _search),
    ]
    with st.container(key="tiles-parts"):
        columns = st.columns(len(checks))
    for column, (name, look) in zip(columns, checks, strict=True):
        with column.container(border=True, height="stretch", gap="small", key=f"part-{name.replace(' ', '-')}"):
            _part(name, look)
    process = psutil.Process()
    up = present.roughly(time.time() - process.create_time())
    st.caption(
        f"Web process {os.getpid()} on {viewer.plain(platform.node())}, up for {up} · version "
        f"{version('whisper-transcriber')} · Python {platform.python_version()} · "
        f"{psutil.cpu_count()} cores, {present.size(psutil.virtual_memory().total)} memory"
    )


def _part(name: str, look: Callable[[], str]) -> None:
    began = time.perf_counter()
    try:
        told = look()
    except TranscriberError as error:
        st.markdown(f"**{name}**")
        st.badge("away", icon=":material/error:", color="red")
        st.caption(viewer.explained(error))
        return
    st.markdown(f"**{name}**")
    st.badge("answers", icon=":material/check:", color="green")
    st.caption(f"{told} · {1000 * (time.perf_counter() - began):.0f} ms")


def _ledger() -> str:
    ledger = context.ledger()
    viewer.look(lambda con: con.execute("SELECT 1").fetchall())
    return f"{present.size(ledger.path.stat().st_size)}, log {present.size(ledger.wal_bytes())}"


def _storage() -> str:
    context.files().exists("jobs/probe.json")
    url = context.settings().storage.root_url
    return viewer.plain(url if "://" in url else "a folder")


def _prefect() -> str:
    return f"{len(prefect_pools.all_pools())} work pools"


def _workers() -> str:
    alive = context.workers().alive(utc_now())
    if not alive:
        raise NoWorker
    hosts = len({beat.host for beat in alive})
    return f"{len(alive)} on " + ("one machine" if hosts == 1 else f"{hosts} machines")


class NoWorker(TranscriberError):
    """Nobody is there to hear anything."""

    def __str__(self) -> str:
        return "no worker was heard in the last 20 seconds; start one with `transcriber worker`"


def _search() -> str:
    status = context.current().search.status
    return f"{status.indexed:,} in it, {status.behind:,} to come"


@st.fragment(run_every=EVERY_S)
def load() -> None:
    """Draw load, memory, disk and work of the last hours."""
    me = viewer.required_admin()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader("Load of the web process's machine", anchor=False, width="content")
        chosen = st.segmented_control("Time", list(SPANS), default="Last hour", label_visibility="collapsed")
    since = utc_now() - timedelta(minutes=SPANS[chosen or "Last hour"])
    samples = thinned([one for one in context.current().gauges.all() if one.at >= since])
    if len(samples) < 2:
        st.info("Samples are taken every 10 seconds since this process began. There will be a curve in a moment.")
        return
    rows = [_row(one, me) for one in samples]
    left, right = st.columns(2, gap="large")
    with left:
        _chart("Processor, memory and disk in use (%)", rows, ["Processor", "Memory", "Disk"])
        _chart("Recordings", rows, ["Waiting", "In work"])
    with right:
        _chart("Memory of the web process (MB)", rows, ["Web process"])
        _chart("Open pages", rows, ["Pages"])


def thinned(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Return at most about `POINTS` of them, evenly, the newest one in any case."""
    step = max(1, len(samples) // POINTS)
    return samples[::-1][::step][::-1]


def _row(one: Sample, me: viewer.Viewer) -> dict[str, object]:
    return {
        "Time": one.at.astimezone(me.zone).replace(tzinfo=None),
        "Processor": 100 * one.cpu,
        "Memory": 100 * one.memory,
        "Disk": 100 * one.disk,
        "Web process": one.process_bytes / 1e6,
        "Pages": one.pages,
        "Waiting": one.waiting,
        "In work": one.in_hand,
    }


def _chart(title: str, rows: Sequence[dict[str, object]], names: Sequence[str]) -> None:
    st.caption(title)
    st.line_chart(rows, x="Time", y=names, x_label="", y_label="", color=[*COLORS[: len(names)]], height=220)
