"""The audit log as a table with filters and pages."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from dashboards import present, viewer
from dashboards.strings import admin as words
from storage import audit, users
from storage.records import AuditRow

PAGE_ROWS = 100
ANYTHING = ""


def verify() -> None:
    """Check every row against its hash and the one before it."""
    with st.spinner(words.VERIFYING):
        broken = viewer.look(audit.verify)
        count, _ = viewer.look(audit.head)
    if broken is None:
        st.success(words.sound(count), icon=":material/verified_user:")
    else:
        st.error(words.broken(broken), icon=":material/gpp_bad:")


@st.fragment
def listing() -> None:
    """Show rows, newest first, filtered by who, what, on which, and when; and the same as a file."""
    me = viewer.required_admin()
    filters = _filters(me)
    before = st.session_state.get("audit_before")
    rows = viewer.look(audit.page, before_seq=before, limit=PAGE_ROWS + 1, **filters)
    if not rows:
        st.info(words.NOTHING_FITS)
        return
    people = _people(rows)
    st.dataframe(
        [_row(row, people, me) for row in rows[:PAGE_ROWS]],
        hide_index=True,
        height="content" if len(rows) < 16 else 600,
        column_config={"#": st.column_config.NumberColumn(width="small", format="localized")},
    )
    with st.container(horizontal=True, horizontal_alignment="right"):
        for fmt, label in words.EXPORT.items():
            st.link_button(label, _address(fmt, filters), icon=":material/download:", type="tertiary")
        if before:
            st.button(words.NEWEST, icon=":material/first_page:", type="tertiary", on_click=_turn_to, args=(None,))
        if len(rows) > PAGE_ROWS:
            last = rows[PAGE_ROWS - 1].seq
            st.button(
                words.OLDER, icon=":material/chevron_right:", icon_position="right", on_click=_turn_to, args=(last,)
            )


def _filters(me: viewer.Viewer) -> dict[str, Any]:
    fresh: dict[str, Any] = {"on_change": _turn_to, "args": (None,)}
    who_at, what_at, on_at, when_at = st.columns(4)
    who = who_at.text_input(words.WHO, placeholder=words.ANYBODY, help=words.WHO_HELP, **fresh)
    actions = [ANYTHING, *viewer.look(audit.actions)]
    action = what_at.selectbox(
        words.WHAT, actions, format_func=lambda one: words.action(one) if one else words.ANYTHING, **fresh
    )
    subject = on_at.text_input(words.ON, placeholder=words.ANYTHING, help=words.ON_HELP, **fresh)
    days: Any = when_at.date_input(words.WHEN, [], **fresh)
    return {
        "actor": _actor(who or ""),
        "action": action or None,
        "subject": _subject(subject or ""),
        "since": datetime.combine(days[0], time.min, me.zone) if days else None,
        "until": datetime.combine(days[-1] + timedelta(days=1), time.min, me.zone) if days else None,
    }


def _actor(typed: str) -> str | None:
    typed = typed.strip()
    user = viewer.look(users.by_name, typed) if typed else None
    return f"user:{user.id}" if user else typed or None


def _subject(typed: str) -> str | None:
    typed = typed.strip()
    user = viewer.look(users.by_name, typed) if typed else None
    return user.id if user else typed or None


def _people(rows: Sequence[AuditRow]) -> dict[str, str]:
    """Return the names of the people that these rows are about."""
    return viewer.look(
        users.names_of, {part for row in rows for part in (row.actor.removeprefix("user:"), row.subject)}
    )


def _address(fmt: str, filters: Mapping[str, Any]) -> str:
    given = {
        key: value.isoformat() if isinstance(value, datetime) else value for key, value in filters.items() if value
    }
    return f"/audit/export?{urlencode({'format': fmt} | given)}"


def _turn_to(before: int | None) -> None:
    st.session_state["audit_before"] = before


def _row(row: AuditRow, people: dict[str, str], me: viewer.Viewer) -> dict[str, object]:
    return {
        "#": row.seq,
        words.WHEN: present.exactly(row.happened_at, me.zone),
        words.WHO: present.actor(row.actor, people),
        words.WHAT: words.action(row.action),
        words.TO: people.get(row.subject, row.subject),
        words.DETAILS: json.dumps(row.detail, ensure_ascii=False) if row.detail else "",
    }
