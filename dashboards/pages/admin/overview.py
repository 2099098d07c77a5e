"""The overview: what was done, what waits, what failed, what is stored, and whether search is up to date."""

from collections.abc import Sequence
from datetime import timedelta

import streamlit as st

from dashboards import context, present, strings, viewer
from dashboards.strings import admin as words
from dashboards.viewer import Viewer
from storage import jobs, users
from storage import overview as facts
from storage.clock import utc_now
from storage.overview import Hour
from storage.records import Job, JobState

EVERY_S = 10.0


@st.fragment(run_every=EVERY_S)
def overview() -> None:
    """Show the numbers, then the day's course, then what failed last."""
    me = viewer.required_admin()
    now = utc_now()
    hours = viewer.look(facts.hours, now=now)
    if not context.workers().alive(now):
        st.warning(strings.NO_WORKER_ADMIN, icon=":material/hourglass_disabled:")
    _now()
    _day(hours)
    left, right = st.columns(2, gap="large")
    with right:
        st.subheader(words.FAILED_LAST, anchor=False)
        _failures(viewer.look(facts.failures), me)
    with left:
        st.subheader(words.COURSE, anchor=False)
        _course(hours, me)


def _metrics(values: Sequence[tuple[str, str, str]]) -> None:
    with st.container(key=f"tiles-{values[0][0]}"):
        for column, (name, value, told) in zip(st.columns(len(values)), values, strict=True):
            column.metric(name, value, border=True, help=told or None)


def _now() -> None:
    counts = viewer.look(jobs.counts)
    alive = context.workers().alive(utc_now())
    working = sum(counts[state] for state in (JobState.INGESTING, JobState.TRANSCRIBING, JobState.EXPORTING))
    busy, slots = sum(beat.busy for beat in alive), sum(beat.slots for beat in alive)
    _metrics(
        [
            (words.IN_WORK, f"{working:,}", words.IN_WORK_HELP),
            (strings.STATE[JobState.QUEUED], f"{counts[JobState.QUEUED]:,}", words.WAITING_HELP),
            (words.SLOTS_BUSY, words.out_of(busy, slots), words.SLOTS_BUSY_HELP),
            (words.PEOPLE, f"{sum(not user.disabled for user in viewer.look(users.list_all)):,}", words.PEOPLE_HELP),
        ]
    )


def _day(hours: Sequence[Hour]) -> None:
    done, failed = sum(hour.completed for hour in hours), sum(hour.failed for hour in hours)
    heard_s = sum(hour.heard_s for hour in hours)
    speed = viewer.look(facts.speed, since=utc_now() - timedelta(hours=24))
    kept, size_bytes = viewer.look(facts.stored)
    index = context.current().search.status
    _metrics(
        [
            (words.FINISHED_TODAY, f"{done:,}", words.FINISHED_TODAY_HELP),
            (words.FAILED_TODAY, f"{failed:,}", ""),
            (words.HEARD_TODAY, f"{heard_s / 3600:,.1f} h", words.HEARD_TODAY_HELP),
            (words.SPEED, f"{speed:.1f}×" if speed else "–", words.SPEED_HELP),
        ]
    )
    free = context.current().shelf.free_bytes()
    searched = f"{index.share:.0%}" if index.known else "–"
    _metrics(
        [
            (words.KEPT, f"{kept:,}", words.KEPT_HELP),
            (words.STORED, present.size(size_bytes), words.STORED_HELP),
            (words.FREE, present.size(free), words.FREE_HELP),
            (words.SEARCHABLE, searched, words.searchable_help(index.indexed, index.behind)),
        ]
    )


def _course(hours: Sequence[Hour], me: Viewer) -> None:
    if not any(hour.completed or hour.failed for hour in hours):
        st.caption(words.NOTHING_FINISHED)
        return
    ready, failed = strings.STATE[JobState.COMPLETED], strings.STATE[JobState.FAILED]
    rows = [
        {words.HOUR: hour.start.astimezone(me.zone).replace(tzinfo=None), ready: hour.completed, failed: hour.failed}
        for hour in hours
    ]
    st.bar_chart(rows, x=words.HOUR, y=[ready, failed], color=["#2f8f7b", "#c4473e"], x_label="", height=260)


def _failures(failed: Sequence[Job], me: Viewer) -> None:
    if not failed:
        st.caption(words.NOTHING_FAILED)
        return
    for job in failed:
        with st.container(border=True, gap=None, key=f"failed-{job.id}"):
            name = viewer.plain(job.name)
            st.page_link("views/job.py", label=f"**{name}**", query_params={"id": job.id})
            at = present.when(job.finished_at or job.updated_at, me.zone)
            st.caption(f"{at} · {viewer.plain(present.sentence(job.error or ''))}")
