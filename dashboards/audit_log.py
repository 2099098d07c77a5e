"""The audit log as a table with filters and pages."""

import json

import streamlit as st

from dashboards import present, viewer
from storage import audit, users
from storage.records import AuditRow

PAGE_ROWS = 100
ANYBODY, ANYTHING = "", ""
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
    "key.create": "key made",
    "key.revoke": "key revoked",
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
    """Show rows, newest first, filtered by who and what."""
    me = viewer.required_admin()
    people = {user.id: user.name for user in viewer.look(users.list_all)}
    with st.container(key="narrow"):
        left, right = st.columns(2)
        actors = [ANYBODY, *(f"user:{ident}" for ident in people)]
        actor = left.selectbox(
            "Who",
            actors,
            format_func=lambda one: present.actor(one, people) if one else "Anybody",
            on_change=_turn_to,
            args=(None,),
        )
        action = right.selectbox(
            "What",
            [ANYTHING, *ACTIONS],
            format_func=lambda one: _words(one) if one else "Anything",
            on_change=_turn_to,
            args=(None,),
        )
    before = st.session_state.get("audit_before")
    rows = viewer.look(audit.page, before_seq=before, limit=PAGE_ROWS + 1, actor=actor or None, action=action or None)
    if not rows:
        st.info("Nothing in the log fits. Choose “Anybody” and “Anything” to see all of it.")
        return
    st.dataframe(
        [_row(row, people, me) for row in rows[:PAGE_ROWS]],
        hide_index=True,
        height="content" if len(rows) < 16 else 600,
        column_config={"#": st.column_config.NumberColumn(width="small", format="localized")},
    )
    with st.container(horizontal=True, horizontal_alignment="right"):
        if before:
            st.button("Newest", icon=":material/first_page:", type="tertiary", on_click=_turn_to, args=(None,))
        if len(rows) > PAGE_ROWS:
            last = rows[PAGE_ROWS - 1].seq
            st.button("Older", icon=":material/chevron_right:", icon_position="right", on_click=_turn_to, args=(last,))


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
