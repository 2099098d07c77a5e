"""The overview: completed, waiting, failed and stored recordings, and the search index."""

from collections.abc import Sequence
from datetime import timedelta

import streamlit as st

from dashboards import strings
from dashboards.pages import platform_notice, registry, viewer
from dashboards.pages.admin import charts
from dashboards.pages.viewer import Viewer
from dashboards.presenters import formatting
from dashboards.runtime import context, db
from dashboards.strings import admin as words
from storage.accounts import users
from storage.domain.clock import utc_now
from storage.domain.job_messages import text_of
from storage.domain.records import Job, JobState
from storage.domain.translation import number
from storage.jobs import job_store
from storage.jobs import statistics as facts
from storage.jobs.statistics import Hour

EVERY_S = 10.0


@st.fragment(run_every=EVERY_S)
def overview() -> None:
    """Show the figures, the day's chart, and recent failures."""
    me = viewer.required_admin()
    now = utc_now()
    hours = db.look(facts.hours, now=now)
    platform_notice.show(me)
    _now()
    _day(hours)
    left, right = st.columns(2, gap="large")
    with right:
        st.header(words.FAILED_LAST, anchor=False)
        _failures(db.look(facts.failures), me)
    with left:
        st.header(words.COURSE, anchor=False)
        _course(hours, me)


def _metrics(values: Sequence[tuple[str, str, str]]) -> None:
    with st.container(key=f"tiles-{values[0][0]}"):
        for column, (name, value, told) in zip(st.columns(len(values)), values, strict=True):
            column.metric(name, value, border=True, help=told or None)


def _now() -> None:
    counts = db.look(job_store.counts)
    alive = context.workers().alive(utc_now())
    working = sum(counts[state] for state in (JobState.INGESTING, JobState.TRANSCRIBING, JobState.EXPORTING))
    busy, slots = sum(beat.busy for beat in alive), sum(beat.slots for beat in alive)
    _metrics(
        [
            (words.IN_WORK, number(working), words.IN_WORK_HELP),
            (strings.STATE[JobState.QUEUED], number(counts[JobState.QUEUED]), words.WAITING_HELP),
            (words.SLOTS_BUSY, words.out_of(busy, slots), words.SLOTS_BUSY_HELP),
            (words.PEOPLE, number(sum(not user.disabled for user in db.look(users.list_all))), words.PEOPLE_HELP),
        ]
    )


def _day(hours: Sequence[Hour]) -> None:
    done, failed = sum(hour.completed for hour in hours), sum(hour.failed for hour in hours)
    heard_s = sum(hour.heard_s for hour in hours)
    speed = db.look(facts.speed, since=utc_now() - timedelta(hours=24))
    kept, size_bytes = db.look(facts.stored)
    index = context.current().search.status
    _metrics(
        [
            (words.FINISHED_TODAY, number(done), words.FINISHED_TODAY_HELP),
            (words.FAILED_TODAY, number(failed), ""),
            (words.HEARD_TODAY, formatting.hours(heard_s), words.HEARD_TODAY_HELP),
            (words.SPEED, f"{number(speed, '.1f')}×" if speed else "–", words.SPEED_HELP),
        ]
    )
    free = context.current().shelf.free_bytes()
    searched = f"{index.share:.0%}" if index.known else "–"
    _metrics(
        [
            (words.KEPT, number(kept), words.KEPT_HELP),
            (words.STORED, formatting.size(size_bytes), words.STORED_HELP),
            (words.FREE, formatting.size(free), words.FREE_HELP),
            (words.SEARCHABLE, searched, words.searchable_help(index.indexed, index.behind)),
        ]
    )


def _course(hours: Sequence[Hour], me: Viewer) -> None:
    if not any(hour.completed or hour.failed for hour in hours):
        st.caption(words.NOTHING_FINISHED)
        return
    ready, failed = strings.STATE[JobState.COMPLETED], strings.STATE[JobState.FAILED]
    rows = [{words.HOUR: hour.start.astimezone(me.zone), ready: hour.completed, failed: hour.failed} for hour in hours]
    charts.over_time("bar", rows, key="finished", at=words.HOUR, names=[ready, failed], height=260)


def _failures(failed: Sequence[Job], me: Viewer) -> None:
    if not failed:
        st.caption(words.NOTHING_FAILED)
        return
    for job in failed:
        with st.container(border=True, gap=None, key=f"failed-{job.id}"):
            name = viewer.plain(job.name)
            st.page_link(registry.page("job"), label=f"**{name}**", query_params={"id": job.id})
            at = formatting.when(job.finished_at or job.updated_at, me.zone)
            st.caption(f"{at} · {viewer.plain(formatting.sentence(text_of(job.error)))}")


def page() -> None:
    """Show the platform's status, for administrators."""
    viewer.required_admin()
    st.title(strings.PAGE["overview"], anchor=False)
    overview()
