"""The list of recordings, one's own or everybody's: filters, order, pages, live rows, and what is done to several."""

import threading
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import streamlit as st

from dashboards import bulk, components, context, present, strings, viewer
from dashboards.caches import counted
from dashboards.list_address import FILTERS, Asked, asked, come_back, write
from dashboards.strings import recordings as words
from dashboards.viewer import Viewer
from storage import jobs, listing, quotas, users
from storage.clock import utc_now
from storage.listing import Choices, Statistics
from storage.records import JobState, Role

PAGE_ROWS = 25
TURNS = threading.BoundedSemaphore(3)
"""Every run has a thread of its own, and one thread runs at a time: where dozens want to, the event loop is one of them
and hands nothing on for seconds. Who waits here wants nothing."""
KEPT_S = 3


@st.fragment
def show(*, everybody: bool = False) -> None:
    """Show the reader's recordings, or everybody's to an administrator."""
    with TURNS:
        _show(everybody)


def _show(everybody: bool) -> None:
    me = viewer.required_admin() if everybody else viewer.required()
    if said := st.session_state.pop(bulk.SAID, None):
        st.toast(viewer.plain(said), icon=":material/info:")
    owner = None if everybody else me.user.id
    banner(me)
    come_back("everybody" if everybody else "own")
    wanted = asked(me.zone, owner)
    holder = context.current()
    question = (owner, me.is_admin, me.may_write, me.zone, tuple(wanted.told.items()))
    shown = holder.lists.get(question, holder.bus.count(owner), lambda: _shown(me, wanted, owner))
    if not shown:
        components.live(key="list-live", owner=owner, everybody=me.is_admin)
        _first_steps(me)
        return
    opened = components.job_list(
        shown
        | {
            "run": time.time_ns(),
            "crowd": holder.bus.crowd(),
            "facts": shown["facts"] + (_quota(me) if owner else []),
        },
        on_want=partial(write, everybody=everybody),
        on_bulk=partial(bulk.act, me=me, everybody=everybody),
    )
    if opened:
        st.switch_page("views/job.py", query_params={"id": opened})


def _shown(me: Viewer, wanted: Asked, owner: str | None) -> dict[str, Any]:
    """Return all that the list component shows; nothing where there has never been a recording."""
    with context.ledger().read() as con:
        counts = listing.counts(con, wanted.wanted)
        if not wanted.narrowed and not sum(counts.values()) and not jobs.deleted(con, owner_id=owner, limit=1):
            return {}
        if wanted.show == "deleted":
            found, after = jobs.deleted(con, owner_id=owner), None
        else:
            page = listing.page(con, wanted.wanted, sort=wanted.sort, after=wanted.after, limit=PAGE_ROWS)
            found, after = list(page.jobs), page.next
        people = {user.id: user.name for user in users.list_all(con)} if owner is None else {}
    places = _places([job.id for job in found if job.state is JobState.QUEUED and not job.flow_run_id])
    paces = context.current().paces
    rows = [
        present.job_row(job, me.zone, people.get(job.owner_id), left_s=paces.left_s(job), place=places.get(job.id))
        for job in found
    ]
    choices = _choices(str(context.ledger().path), owner)
    return {
        "rows": rows,
        "owner": owner,
        "everybody": me.is_admin,
        "may_write": me.may_write,
        "deleted": wanted.show == "deleted",
        "filters": _filters(counts, wanted.show),
        "asked": wanted.told,
        "narrowed": wanted.narrowed,
        "after": after,
        "first": wanted.after is not None,
        "nothing": strings.NOTHING_FITS if wanted.narrowed else strings.NOTHING[wanted.show],
        "languages": [[code, present.language(code)] for code in choices.languages],
        "models": list(choices.models),
        "owners": sorted(([ident, name] for ident, name in people.items()), key=lambda one: one[1].casefold()),
        "facts": _facts(me, owner),
    }


def banner(me: Viewer) -> None:
    """Say what keeps recordings from being heard well, or at all: no worker, no model yet, the demo model."""
    workers = context.workers()
    alive = workers.alive(utc_now())
    if not alive:
        st.warning(strings.NO_WORKER_ADMIN if me.is_admin else strings.NO_WORKER, icon=":material/hourglass_disabled:")
        return
    model = workers.default_model()
    if model and model.state == "downloading":
        st.info(words.model_coming(model.name, model.progress))
    elif model and model.name == present.DEMO_MODEL:
        st.warning(strings.ONLY_DEMO_ADMIN if me.is_admin else strings.ONLY_DEMO, icon=":material/info:")
    elif model and model.warning:
        st.warning(present.sentence(model.warning), icon=":material/info:")


def _filters(counts: Mapping[JobState, int], shown: str) -> list[dict[str, Any]]:
    """Return the filters that find something, the usual ones, and the one that is on."""
    found = []
    for key, states in FILTERS.items():
        count = None if key == "deleted" else sum(counts[state] for state in states or tuple(JobState))
        if count or key in {"all", "going", "ready", "deleted", shown}:
            found.append({"key": key, "label": words.FILTER[key], "count": count, "on": key == shown})
    return found


def _facts(me: Viewer, owner: str | None) -> list[list[str]]:
    """Return the statistics as names and values; what has not happened yet is left out."""
    month = utc_now().astimezone(me.zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    path = str(context.ledger().path)
    counted = _statistics(path, owner, month.isoformat())
    facts = [
        [strings.PAGE["jobs"], f"{counted.total:,}"],
        [words.FILTER["ready"], f"{counted.completed:,}"],
        [words.FILTER["going"], f"{counted.processing:,}"],
        [words.FILTER["failed"], f"{counted.failed:,}"],
        [words.THIS_MONTH, f"{counted.this_month:,}"],
        [words.HEARD, words.hours(counted.heard_s / 3600)],
    ]
    if counted.success is not None:
        facts.append([words.SUCCESS, f"{100 * counted.success:.0f}%"])
    return facts


def _quota(me: Viewer) -> list[list[str]]:
    """Return what the reader has used of what is allowed, where there is a limit."""
    user = me.user
    if user.quota_hours is None and user.quota_bytes is None:
        return []
    used = viewer.look(quotas.usage, user.id)
    facts = []
    if user.quota_hours is not None:
        heard_h = (used.heard_s + used.coming_s) / 3600
        facts.append([words.HOURS_USED, words.part_of(f"{heard_h:.1f}", f"{user.quota_hours:g}")])
    if user.quota_bytes is not None:
        stored = words.part_of(present.size(used.stored_bytes), present.size(user.quota_bytes))
        facts.append([words.SPACE_USED, stored])
    return facts


# Kept for a few seconds, since a thousand open pages may ask; `path` keeps one ledger's apart from another's.
@counted(words.CACHE["facts"], st.cache_data(ttl=KEPT_S, max_entries=2000, show_spinner=False))
def _statistics(path: str, owner: str | None, month: str) -> Statistics:  # noqa: ARG001
    return viewer.look(listing.statistics, owner, month=datetime.fromisoformat(month))


@counted(words.CACHE["choices"], st.cache_data(ttl=KEPT_S, max_entries=2000, show_spinner=False))
def _choices(path: str, owner: str | None) -> Choices:  # noqa: ARG001
    return viewer.look(listing.choices, owner)


def _places(waiting: Sequence[str]) -> Mapping[str, int]:
    """Return the places in line of jobs that wait."""
    path = str(context.ledger().path)
    kept = _kept_places(path) if waiting else {}
    if all(job_id in kept for job_id in waiting):
        return {job_id: kept[job_id] for job_id in waiting}
    _kept_places.clear()
    return {job_id: place for job_id, place in _kept_places(path).items() if job_id in waiting}


@counted(words.CACHE["places"], st.cache_resource(ttl=KEPT_S, max_entries=1, show_spinner=False))
def _kept_places(path: str) -> dict[str, int]:  # noqa: ARG001
    return viewer.look(jobs.places)


def _first_steps(me: Viewer) -> None:
    with st.container(key="empty", horizontal_alignment="center"):
        components.mark()
        st.subheader(words.NOTHING_YET, anchor=False)
        if me.user.role is Role.READER:
            st.write(words.NOTHING_YET_READER)
            return
        st.write(words.NOTHING_YET_HELP)
        if st.button(words.FIRST_UPLOAD, type="primary", icon=":material/upload:"):
            st.switch_page("views/upload.py")
