"""The list of recordings: filters, order, pages, live rows and bulk actions."""

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Never

import streamlit as st
from duckdb import DuckDBPyConnection

from dashboards import components, strings
from dashboards.components.contracts import ListAction, ListFilter, ListPage
from dashboards.pages import bulk_actions, platform_notice, registry, viewer
from dashboards.pages.list_query import FILTERS, ListQuery, asked, come_back, write
from dashboards.pages.viewer import Viewer
from dashboards.presenters import formatting, job_row
from dashboards.runtime import context, db
from dashboards.runtime.cache_stats import counted
from dashboards.strings import recordings as words
from storage.accounts import quotas, users
from storage.domain.clock import utc_now
from storage.domain.job_actions import IN_LISTS, Access, JobAction
from storage.domain.records import JobState, Role
from storage.domain.tags import with_folders
from storage.domain.translation import gettext as _
from storage.domain.translation import language, number
from storage.jobs import collaborators, job_store, listing, queue_order
from storage.jobs.listing import FilterChoices, Statistics

PAGE_ROWS = 25
TURNS = threading.BoundedSemaphore(3)
"""At most three lists render at once, so that threads do not starve the loop."""
KEPT_S = 3


@st.fragment
def show(*, everybody: bool = False) -> None:
    """Show the reader's recordings, or everybody's to an administrator."""
    with TURNS:
        _show(everybody)


def _show(everybody: bool) -> None:
    me = viewer.required_admin() if everybody else viewer.required()
    if said := st.session_state.pop(bulk_actions.SAID, None):
        st.toast(viewer.plain(said), icon=":material/info:")
    owner = None if everybody else me.user.id
    banner(me)
    come_back("everybody" if everybody else "own")
    wanted = asked(me.zone, owner)
    holder = context.current()
    question = (owner, me.is_admin, me.may_write, me.zone, tuple(wanted.told.items()), language())
    found = holder.lists.get(question, holder.bus.count(owner), lambda: _shown(me, wanted, owner))
    page: ListPage | None = found or None
    if page is None:
        components.live(key="list-live", owner=owner, everybody=me.is_admin)
        _first_steps(me)
        return
    opened = components.job_list(
        {
            **page,
            "run": time.time_ns(),
            "crowd": holder.bus.crowd(),
            "facts": [*page["facts"], *(_quota(me) if owner else [])],
        },
        on_want=partial(write, everybody=everybody),
        on_bulk=partial(bulk_actions.act, me=me),
    )
    if opened:
        st.switch_page(registry.page("job"), query_params={"id": opened})


def _shown(me: Viewer, wanted: ListQuery, owner: str | None) -> ListPage | dict[str, Never]:
    """Return the list component's data; empty if there has never been a recording."""
    with context.ledger().read() as con:
        shared = collaborators.shared_with(con, owner) if owner else ()
        fitting = replace(wanted.wanted, shared=shared)
        counts = listing.counts(con, replace(fitting, only_shared=False))
        if not wanted.narrowed and not sum(counts.values()) and not job_store.deleted(con, owner_id=owner, limit=1):
            return {}
        if wanted.show == "deleted":
            found, after = job_store.deleted(con, owner_id=owner), None
        else:
            page = listing.page(con, fitting, sort=wanted.sort, after=wanted.after, limit=PAGE_ROWS)
            found, after = list(page.jobs), page.next
        people = _people(con, None if owner is None else {job.owner_id for job in found} - {owner})
    line = _in_line([job.id for job in found if job.state is JobState.QUEUED and not job.flow_run_id])
    paces = context.current().paces
    rows = [
        job_row.job_row(
            job,
            me.zone,
            people.get(job.owner_id),
            shared=job.owner_id != owner and not me.is_admin,
            left_s=paces.left_s(job),
            **line.get(job.id, {}),
        )
        for job in found
    ]
    choices = _choices(str(context.ledger().path), owner)
    return {
        "rows": rows,
        "owner": owner,
        "everybody": me.is_admin,
        "actions": [_action(one) for one in IN_LISTS if one.allows(me.user.role)],
        "deleted": wanted.show == "deleted",
        "filters": _filters(counts, wanted.show, len(shared)),
        "query": wanted.told,
        "narrowed": wanted.narrowed,
        "after": after,
        "first": wanted.after is not None,
        "nothing": _nothing(wanted),
        "languages": [(code, formatting.language(code)) for code in choices.languages],
        "models": list(choices.models),
        "tags": with_folders([*choices.tags, *(tag for job in found for tag in job.tags)]),
        "owners": sorted(people.items(), key=lambda one: one[1].casefold()) if owner is None else [],
        "facts": _facts(me, owner),
    }


def _nothing(wanted: ListQuery) -> str:
    """Say why a list has no rows, and what helps."""
    if wanted.narrowed:
        return strings.NOTHING_FITS
    return strings.NOTHING_LEFT if wanted.show == "all" and wanted.after is None else strings.NOTHING[wanted.show]


def _action(action: JobAction) -> ListAction:
    """Return an action for the component: its texts, and the jobs that it applies to."""
    spec = action.spec
    return {
        "name": action.value,
        "label": _(spec.label),
        "confirm": _(spec.confirm) if spec.confirm else None,
        "deleted": spec.on_deleted,
        "shared": spec.needs <= Access.READ,
        "held": spec.on_held,
        "states": sorted(spec.states),
    }


def banner(me: Viewer) -> None:
    """Show what delays or degrades transcription: workers, the model."""
    platform_notice.show(me)
    model = context.workers().default_model()
    if model and model.state == "downloading":
        st.info(words.model_coming(model.name, model.progress))
    elif model and model.warning:
        st.warning(formatting.sentence(model.warning), icon=":material/info:")


def _people(con: DuckDBPyConnection, owners: Collection[str] | None) -> dict[str, str]:
    """Return the names of some owners, or of all."""
    if owners is None:
        return {user.id: user.name for user in users.list_all(con)}
    return users.names_of(con, owners) if owners else {}


def _filters(counts: Mapping[JobState, int], shown: str, shared: int) -> list[ListFilter]:
    """Return the default filters, those with matches, and the selected one."""
    found: list[ListFilter] = []
    for key, states in FILTERS.items():
        count = None if key in {"deleted", "shared"} else sum(counts[state] for state in states or tuple(JobState))
        if (shared and key == "shared") or count or key in {"all", "going", "ready", "deleted", shown}:
            found.append({"key": key, "label": words.FILTER[key], "count": count, "on": key == shown})
    return found


def _facts(me: Viewer, owner: str | None) -> list[tuple[str, str]]:
    """Return the statistics as names and values, without empty ones."""
    month = utc_now().astimezone(me.zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    path = str(context.ledger().path)
    counted = _statistics(path, owner, month.isoformat())
    facts = [
        (strings.PAGE["jobs"], number(counted.total)),
        (words.FILTER["ready"], number(counted.completed)),
        (words.FILTER["going"], number(counted.processing)),
        (words.FILTER["failed"], number(counted.failed)),
        (words.THIS_MONTH, number(counted.this_month)),
        (words.HEARD, formatting.hours(counted.heard_s)),
    ]
    if counted.success is not None:
        facts.append((words.SUCCESS, f"{100 * counted.success:.0f}%"))
    return facts


def _quota(me: Viewer) -> list[tuple[str, str]]:
    """Return what the reader has used of each limit."""
    user = me.user
    if user.quota_hours is None and user.quota_bytes is None:
        return []
    used = db.look(quotas.usage, user.id)
    facts = []
    if user.quota_hours is not None:
        heard_h = (used.heard_s + used.coming_s) / 3600
        facts.append((words.HOURS_USED, words.part_of(number(heard_h, ".1f"), number(user.quota_hours, "g"))))
    if user.quota_bytes is not None:
        stored = words.part_of(formatting.size(used.stored_bytes), formatting.size(user.quota_bytes))
        facts.append((words.SPACE_USED, stored))
    return facts


# Cached for a few seconds, since a thousand open pages may ask; `path` separates the caches of different ledgers.
@counted("facts", st.cache_data(ttl=KEPT_S, max_entries=2000, show_spinner=False))
def _statistics(path: str, owner: str | None, month: str) -> Statistics:  # noqa: ARG001
    return db.look(listing.statistics, owner, month=datetime.fromisoformat(month))


@counted("choices", st.cache_data(ttl=KEPT_S, max_entries=2000, show_spinner=False))
def _choices(path: str, owner: str | None) -> FilterChoices:  # noqa: ARG001
    return db.look(listing.choices, owner)


def _in_line(waiting: Sequence[str]) -> Mapping[str, dict[str, Any]]:
    """Return place and remaining time of waiting jobs, for their rows."""
    path = str(context.ledger().path)
    line = _kept_line(path) if waiting else {}
    if any(job_id not in line for job_id in waiting):
        _kept_line.clear()
        line = _kept_line(path)
    return {job_id: line[job_id] for job_id in waiting if job_id in line}


@counted("places", st.cache_resource(ttl=KEPT_S, max_entries=1, show_spinner=False))
def _kept_line(path: str) -> dict[str, dict[str, Any]]:  # noqa: ARG001
    places = db.look(queue_order.places)
    waits_s = context.current().waits_s(places)
    return {job_id: {"place": place.number, "wait_s": waits_s.get(job_id)} for job_id, place in places.items()}


def _first_steps(me: Viewer) -> None:
    with st.container(key="empty", horizontal_alignment="center"):
        components.mark()
        st.header(words.NOTHING_YET, anchor=False)
        if me.user.role is Role.READER:
            st.write(words.NOTHING_YET_READER)
            return
        st.write(words.NOTHING_YET_HELP)
        if st.button(words.FIRST_UPLOAD, type="primary", icon=":material/upload:"):
            st.switch_page(registry.page("upload"))


def own_page() -> None:
    """Show the reader's recordings: the start page."""
    me = viewer.required()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title(strings.PAGE["jobs"], anchor=False, width="content")
        if me.may_write and st.button(strings.PAGE["upload"], type="primary", icon=":material/upload:", key="upload"):
            st.switch_page(registry.page("upload"))
    show()


def everybodys_page() -> None:
    """Show all recordings, for administrators."""
    viewer.required_admin()
    st.title(strings.PAGE["all_jobs"], anchor=False)
    show(everybody=True)
