"""The audit log as a table with filters and pages."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from dashboards import strings
from dashboards.pages import viewer
from dashboards.pages.admin.pager import Pager
from dashboards.presenters import formatting
from dashboards.runtime import context, db
from dashboards.runtime.site_paths import site_path
from dashboards.strings import logs as words
from storage.accounts import users
from storage.domain import audit_actions
from storage.domain.errors import TranscriberError
from storage.domain.records import AuditRow
from storage.ledger import audit
from storage.maintenance import audit_heads

ANYTHING = ""
MOST_PROBLEMS = 20
PAGES: Pager[AuditRow] = Pager(key="audit_before", mark=lambda row: row.seq, labels=lambda: (words.NEWEST, words.OLDER))


def verify() -> None:
    """Verify the chain, and compare it with the heads on storage and with the tables."""
    with st.spinner(words.VERIFYING):
        try:
            report = db.look(audit_heads.examine, audit_heads.kept(context.files()))
        except TranscriberError as error:
            viewer.refused(error)
            return
    if not report.problems:
        st.success(words.sound(report.rows, report.heads), icon=":material/verified_user:")
    if report.broken_at is not None:
        st.error(words.broken(report.broken_at), icon=":material/gpp_bad:")
    for problem in report.problems[report.broken_at is not None :][:MOST_PROBLEMS]:
        st.error(viewer.plain(formatting.sentence(problem)), icon=":material/gpp_bad:")
    if (more := len(report.problems) - MOST_PROBLEMS) > 0:
        st.caption(words.more_problems(more))


@st.fragment
def listing() -> None:
    """Show filtered rows, newest first, and offer them as a file."""
    me = viewer.required_admin()
    filters = _filters(me)
    limit = context.current().limits.audit_page_rows
    rows = db.look(audit.page, before_seq=PAGES.start, limit=limit + 1, **filters)
    show(rows, limit, filters, me, PAGES)


def show(
    rows: Sequence[AuditRow], limit: int, filters: Mapping[str, Any], me: viewer.Viewer, pages: Pager[AuditRow]
) -> None:
    """Show a page of rows, with the files and pages of the same filters."""
    if not rows:
        st.info(words.NOTHING_FITS)
        return
    people = _people(rows)
    st.dataframe(
        [_row(row, people, me) for row in rows[:limit]],
        hide_index=True,
        height="content" if len(rows) < 16 else 600,
        column_config={"#": st.column_config.NumberColumn(width="small", format="localized")},
    )
    with st.container(horizontal=True, horizontal_alignment="right"):
        for fmt, label in words.EXPORT.items():
            st.link_button(label, _address(fmt, filters), icon=":material/download:", type="tertiary")
        pages.buttons(rows, limit)


def _filters(me: viewer.Viewer) -> dict[str, Any]:
    fresh = PAGES.restart
    with st.container(key="filters-audit"):
        who_at, what_at, on_at, from_at, when_at = st.columns(5)
    who = who_at.text_input(words.WHO, placeholder=words.ANYBODY, help=words.WHO_HELP, **fresh)
    actions = [ANYTHING, *db.look(audit.recorded_actions)]
    action = what_at.selectbox(
        words.WHAT, actions, format_func=lambda one: audit_actions.described(one) if one else words.ANYTHING, **fresh
    )
    subject = on_at.text_input(words.ON, placeholder=words.ANYTHING, help=words.ON_HELP, **fresh)
    address = from_at.text_input(words.FROM, placeholder=words.ANYTHING, help=words.FROM_HELP, **fresh)
    days: Any = when_at.date_input(words.WHEN, [], format=words.DATE_FORMAT, **fresh)
    return {
        "actor": named_actor(who or ""),
        "action": action or None,
        "subject": _subject(subject or ""),
        "address": (address or "").strip() or None,
        **between(days, me),
    }


def between(days: Sequence[date], me: viewer.Viewer) -> dict[str, datetime | None]:
    """Return the time that the chosen days span, in the reader's zone."""
    return {
        "since": datetime.combine(days[0], time.min, me.zone) if days else None,
        "until": datetime.combine(days[-1] + timedelta(days=1), time.min, me.zone) if days else None,
    }


def named_actor(typed: str) -> str | None:
    typed = typed.strip()
    user = db.look(users.by_name, typed) if typed else None
    return f"user:{user.id}" if user else typed or None


def _subject(typed: str) -> str | None:
    typed = typed.strip()
    user = db.look(users.by_name, typed) if typed else None
    return user.id if user else typed or None


def _people(rows: Sequence[AuditRow]) -> dict[str, str]:
    """Return the names of the users in these rows."""
    return db.look(users.names_of, {part for row in rows for part in (row.actor.removeprefix("user:"), row.subject)})


def _address(fmt: str, filters: Mapping[str, Any]) -> str:
    given = {
        key: value.isoformat() if isinstance(value, datetime) else value for key, value in filters.items() if value
    }
    return site_path(f"/audit/export?{urlencode({'format': fmt} | given)}")


def _row(row: AuditRow, people: dict[str, str], me: viewer.Viewer) -> dict[str, object]:
    return {
        "#": row.seq,
        words.WHEN: formatting.exactly(row.happened_at, me.zone),
        words.WHO: formatting.actor(row.actor, people),
        words.WHAT: audit_actions.described(row.action),
        words.TO: people.get(row.subject, row.subject),
        words.DETAILS: json.dumps(row.detail, ensure_ascii=False) if row.detail else "",
        words.FROM: row.address or "",
        words.AGENT: row.agent or "",
        words.KEY: row.key_id or "",
    }


def page() -> None:
    """Show the audit log, for administrators, with a check of its chain."""
    viewer.required_admin()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title(strings.PAGE["audit"], anchor=False, width="content")
        checking = st.button(words.VERIFY, icon=":material/verified_user:", key="verify")
    if checking:
        verify()
    listing()
