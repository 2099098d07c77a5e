"""The list's query parameters: filters, order and page, so that links preserve them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

import streamlit as st

from storage.domain.records import JobState
from storage.domain.tags import clean_tag
from storage.jobs.listing import JobFilter, Sort

GOING_ON = (JobState.QUEUED, JobState.INGESTING, JobState.TRANSCRIBING, JobState.EXPORTING)
FILTERS: dict[str, tuple[JobState, ...] | None] = {
    "all": None,
    "going": GOING_ON,
    "ready": (JobState.COMPLETED,),
    "failed": (JobState.FAILED,),
    "cancelled": (JobState.CANCELLED,),
    "shared": None,
    "deleted": (),
}
FIELDS = ("show", "name", "from", "to", "language", "model", "tag", "owner", "sort", "after")
USUAL = {"show": "all", "sort": Sort.NEWEST.value}
MAX_CHARS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """The parsed query; `told` is the raw one, `narrowed` if more than the state filters."""

    show: str
    wanted: JobFilter
    sort: Sort
    after: str | None
    told: dict[str, str]

    @property
    def narrowed(self) -> bool:
        return bool(set(self.told) - {"show", "sort", "after"})


def come_back(view: str, fields: tuple[str, ...] = FIELDS) -> None:
    """Remember a view's query, and restore it when a recording's query replaced it.

    The browser's back button from a recording leads to the view with the recording's query: Streamlit mixes the two up.
    """
    key = f"address-{view}"
    if "id" in st.query_params:
        st.query_params.from_dict(st.session_state.get(key, {}))
    else:
        st.session_state[key] = {name: st.query_params[name] for name in fields if name in st.query_params}


def asked(zone: tzinfo, owner: str | None) -> ListQuery:
    """Parse the query, ignoring invalid values; `owner` always applies."""
    told = {name: st.query_params[name][:MAX_CHARS] for name in FIELDS if st.query_params.get(name)}
    since, until = _day(told.get("from")), _day(told.get("to"))
    show, tag = told.get("show", "all"), clean_tag(told.get("tag", ""))
    if not tag:
        told.pop("tag", None)
    show = show if show in FILTERS else "all"
    wanted = JobFilter(
        owner_id=owner or told.get("owner"),
        only_shared=owner is not None and show == "shared",
        states=FILTERS[show] or (),
        since=_midnight(since, zone),
        until=_midnight(until + timedelta(days=1), zone) if until and until < date.max else None,
        language=told.get("language"),
        model=told.get("model"),
        tag=tag or None,
        text=told.get("name", ""),
    )
    sort = Sort(told["sort"]) if told.get("sort") in list(Sort) else Sort.NEWEST
    if owner:
        told.pop("owner", None)
    return ListQuery(show=show, wanted=wanted, sort=sort, after=told.get("after"), told=told)


def write(told: Any, *, everybody: bool) -> None:
    """Write the list's controls to the query; any change except paging starts at the top."""
    if not isinstance(told, Mapping):
        return
    kept = {name: st.query_params[name] for name in FIELDS if st.query_params.get(name) and name != "after"}
    kept |= {name: str(value)[:MAX_CHARS] for name, value in told.items() if name in FIELDS}
    if not everybody:
        kept.pop("owner", None)
    st.query_params.from_dict({name: value for name, value in kept.items() if value and USUAL.get(name) != value})


def _day(told: str | None) -> date | None:
    try:
        return date.fromisoformat(told) if told else None
    except ValueError:
        return None


def _midnight(day: date | None, zone: tzinfo) -> datetime | None:
    return datetime.combine(day, time(), tzinfo=zone) if day else None
