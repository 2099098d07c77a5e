"""The status of all parts, and the load of the web process's machine."""

import os
import platform
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from importlib.metadata import version

import psutil
import streamlit as st

from dashboards import strings
from dashboards.clients import prefect_pools
from dashboards.pages import viewer
from dashboards.pages.admin import backup_list, charts
from dashboards.presenters import formatting
from dashboards.runtime import context
from dashboards.runtime.machine_load import Sample
from dashboards.strings import admin as words
from dashboards.strings import upkeep_texts
from storage.domain.clock import utc_now
from storage.domain.errors import TranscriberError
from storage.domain.records import JobState
from storage.domain.translation import gettext as _
from storage.remote.part_troubles import AWAY, PlatformPart
from storage.remote.worker_troubles import troubles

EVERY_S = 10.0
PARTS_EVERY_S = 2.5
POINTS = 360
Told = str | tuple[str, float | None]
"""What is said of a part, with how long its answer took if somebody else asked."""


@st.fragment(run_every=PARTS_EVERY_S)
def parts() -> None:
    """Show whether each part answers, and how quickly."""
    viewer.required_admin()
    checks: list[tuple[str, Callable[[], Told]]] = [
        (words.LEDGER, _ledger),
        (words.STORAGE, _storage),
        (words.PREFECT, _prefect),
        (words.WORKERS, _workers),
        (words.SEARCH_INDEX, _search),
    ]
    if context.settings().upkeep.canary_minutes:
        checks.append((upkeep_texts.CANARY, _canary))
    with st.container(key="tiles-parts"):
        columns = st.columns(len(checks))
    for column, (name, look) in zip(columns, checks, strict=True):
        with column.container(border=True, height="stretch", gap="small", key=f"part-{name.replace(' ', '-')}"):
            _part(name, look)
    process = psutil.Process()
    up = formatting.roughly(time.time() - process.create_time())
    facts = (
        words.process(os.getpid(), viewer.plain(platform.node()), up),
        words.versions(version("whisper-transcriber"), platform.python_version()),
        words.hardware(psutil.cpu_count(), formatting.size(psutil.virtual_memory().total)),
    )
    st.caption(" · ".join(facts))


def _part(name: str, look: Callable[[], Told]) -> None:
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
    said, took_s = told if isinstance(told, tuple) else (told, time.perf_counter() - began)
    st.caption(said if took_s is None else f"{said} · {1000 * took_s:.0f} ms")


def _require(part: PlatformPart) -> None:
    """Refuse to ask a part that the last look found away.

    It may hang, and the page with it.
    """
    if (reason := context.current().parts.reason(part)) is not None:
        raise PartAway(part, reason)


def _ledger() -> str:
    ledger = context.ledger()
    ledger.check()
    return words.ledger(formatting.size(ledger.path.stat().st_size), formatting.size(ledger.wal_bytes()))


def _storage() -> Told:
    """Tell what the last look found: storage that hangs would hold up the page."""
    _require(PlatformPart.STORAGE)
    url = context.settings().storage.root_url
    look = context.current().parts.looks.get(PlatformPart.STORAGE)
    return viewer.plain(url if "://" in url else words.FOLDER), look.took_s if look else None


def _prefect() -> str:
    _require(PlatformPart.PREFECT)
    return words.pools(len(prefect_pools.all_pools()))


def _workers() -> str:
    now = utc_now()
    if found := troubles(context.workers(), now):
        raise WorkersTroubled(found)
    alive = context.workers().alive(now)
    return words.workers(len(alive), hosts=len({beat.host for beat in alive}))


def _canary() -> str:
    state = context.current().canary
    if state.problem:
        raise CanaryFailed(state.problem)
    return upkeep_texts.canary(state.took_s)


class CanaryFailed(TranscriberError):
    """The last canary did not come back right."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return formatting.sentence(self.problem)


class PartAway(TranscriberError):
    """Storage or the Prefect server did not answer the last look."""

    def __init__(self, part: PlatformPart, reason: str) -> None:
        super().__init__(part, reason)
        self.part, self.reason = part, reason

    def __str__(self) -> str:
        return f"{AWAY[self.part]()} ({_(self.reason)})"


class WorkersTroubled(TranscriberError):
    """Workers are silent or missing."""

    def __init__(self, found: Sequence[str]) -> None:
        super().__init__(found)
        self.found = found

    def __str__(self) -> str:
        return " ".join(formatting.sentence(one) for one in self.found)


def _search() -> str:
    status = context.current().search.status
    return words.search_index(status.indexed, status.behind)


@st.fragment(run_every=EVERY_S)
def load() -> None:
    """Chart load, memory, disk and work of the last hours."""
    me = viewer.required_admin()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.header(words.LOAD, anchor=False, width="content")
        spans = {words.QUARTER: 15, words.LAST_HOUR: 60, words.SIX_HOURS: 360}
        chosen = st.segmented_control(words.TIME, list(spans), default=words.LAST_HOUR, label_visibility="collapsed")
    since = utc_now() - timedelta(minutes=spans[chosen or words.LAST_HOUR])
    samples = thinned([one for one in context.current().gauges.all() if one.at >= since])
    if len(samples) < 2:
        st.info(words.NO_SAMPLES)
        return
    rows = [_row(one, me) for one in samples]
    left, right = st.columns(2, gap="large")
    with left:
        _chart("machine", words.MACHINE_CHART, rows, [words.PROCESSOR, words.MEMORY, words.DISK])
        _chart("jobs", words.JOBS_CHART, rows, [strings.STATE[JobState.QUEUED], words.IN_WORK])
    with right:
        _chart("process", words.PROCESS_CHART, rows, [words.PROCESS])
        _chart("pages", words.PAGES_CHART, rows, [words.PAGES])


def thinned(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Return about `POINTS` evenly spaced samples, including the newest."""
    step = max(1, len(samples) // POINTS)
    return samples[::-1][::step][::-1]


def _row(one: Sample, me: viewer.Viewer) -> dict[str, object]:
    return {
        words.TIME: one.at.astimezone(me.zone),
        words.PROCESSOR: 100 * one.cpu,
        words.MEMORY: 100 * one.memory,
        words.DISK: 100 * one.disk,
        words.PROCESS: one.process_bytes / 1e6,
        words.PAGES: one.pages,
        strings.STATE[JobState.QUEUED]: one.waiting,
        words.IN_WORK: one.in_hand,
    }


def _chart(key: str, title: str, rows: Sequence[dict[str, object]], names: Sequence[str]) -> None:
    st.caption(title)
    charts.over_time("line", rows, key=key, at=words.TIME, names=names, height=220)


def page() -> None:
    """Show the status of all parts and the machine's load, for administrators."""
    viewer.required_admin()
    st.title(strings.PAGE["system"], anchor=False)
    parts()
    backup_list.backups()
    load()
