"""The audit log as a table with filters and pages."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from dashboards import present, viewer
from storage import audit, users
from storage.records import AuditRow

PAGE_ROWS = 100
ANYTHING = ""
ACTIONS = {
    "job.accept": "recording taken in",
    "job.submit": "handed to the workers",
    "job.state": "moved on",
    "job.started": "work began",
    "job.complete": "transcript ready",
    "job.fail": "failed",
    "job.cancel": "cancelled",
    "job.retry": "started again",
    "job.requeue": "put back in line",
    "job.delete": "deleted",
    "session.start": "logged in",
    "session.end": "logged out",
    "session.end_all": "logged out everywhere",
    "user.create": "person added",
    "user.password": "password set",
    "user.role": "role changed",
    "user.disable": "disabled",
    "user.enable": "let in again",
    "user.preferences": "settings changed",
    "user.profile": "profile changed",
    "user.quota": "limits changed",
    "user.reset_link": "password link made",
    "user.link": "provider's account linked",
    "user.export": "took their data",
    "user.leave": "gave up the account",
    "user.delete": "account deleted",
    "session.renew": "stayed logged in",
    "invitation.create": "invitation made",
    "invitation.use": "invitation used",
    "invitation.revoke": "invitation withdrawn",
    "settings.change": "access settings changed",
    "audit.export": "log exported",
    "key.create": "key made",
    "key.revoke": "key revoked",
    "pool.pause": "work pool paused",
    "pool.resume": "work pool going on",
    "upload.delete": "upload thrown away",
}


def verify() -> None:
    """Check every row against its hash and the one before it."""
    with st.spinner("Checking every row…"):
        broken = viewer.look(audit.verify)
        count, _ = viewer.look(audit.head)
    if broken is None:
        st.success(f"All {count:,} rows are as they were written.", icon=":material/verified_user:")
    else:
        st.error(
            f"Row {broken:,} was changed, removed or added from outside. Rows before it are sound. "
            "Compare the ledger with a backup (`transcriber admin backup`, `transcriber admin verify-audit`).",
            icon=":material/gpp_bad:",
        )


@st.fragment
def listing() -> None:
    """Show rows, newest first, filtered by who, what, on which, and when; and the same as a file."""
    me = viewer.required_admin()
    filters = _filters(me)
    before = st.session_state.get("audit_before")
    rows = viewer.look(audit.page, before_seq=before, limit=PAGE_ROWS + 1, **filters)
    if not rows:
        st.info("Nothing in the log fits. Empty the fields and choose “Anything” to see all of it.")
        return
    people = _people(rows)
    st.dataframe(
        [_row(row, people, me) for row in rows[:PAGE_ROWS]],
        hide_index=True,
        height="content" if len(rows) < 16 else 600,
        column_config={"#": st.column_config.NumberColumn(width="small", format="localized")},
    )
    with st.container(horizontal=True, horizontal_alignment="right"):
        for fmt, label in (("csv", "Export as CSV"), ("jsonl", "Export as JSON Lines")):
            st.link_button(label, _address(fmt, filters), icon=":material/download:", type="tertiary")
        if before:
            st.button("Newest", icon=":material/first_page:", type="tertiary", on_click=_turn_to, args=(None,))
        if len(rows) > PAGE_ROWS:
            last = rows[PAGE_ROWS - 1].seq
            st.button("Older", icon=":material/chevron_right:", icon_position="right", on_click=_turn_to, args=(last,))


def _filters(me: viewer.Viewer) -> dict[str, Any]:
    fresh: dict[str, Any] = {"on_change": _turn_to, "args": (None,)}
    who_at, what_at, on_at, when_at = st.columns(4)
    who = who_at.text_input("Who", placeholder="Anybody", help="A person's name, or system, worker, cli.", **fresh)
    actions = [ANYTHING, *viewer.look(audit.actions)]
    action = what_at.selectbox("What", actions, format_func=lambda one: _words(one) if one else "Anything", **fresh)
    subject = on_at.text_input("On", placeholder="Anything", help="A person's name, or an id such as a job's.", **fresh)
    days: Any = when_at.date_input("When", [], **fresh)
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


def _words(action: str) -> str:
    return f"{action}: {ACTIONS[action]}" if action in ACTIONS else action


def _row(row: AuditRow, people: dict[str, str], me: viewer.Viewer) -> dict[str, object]:
    return {
        "#": row.seq,
        "When": present.exactly(row.happened_at, me.zone),
        "Who": present.actor(row.actor, people),
        "What": _words(row.action),
        "To": people.get(row.subject, row.subject),
        "Details": json.dumps(row.detail, ensure_ascii=False) if row.detail else "",
    }
