"""Security events: how many of each kind lately, and the rows of the audit log."""

from collections import Counter
from typing import Any

import streamlit as st

from dashboards import strings
from dashboards.pages import viewer
from dashboards.pages.admin import audit_log
from dashboards.pages.admin.pager import Pager
from dashboards.runtime import context, db
from dashboards.strings import logs as words
from storage.domain.audit_actions import SECURITY_KINDS, AuditAction, AuditKind, of_kinds
from storage.domain.clock import utc_now
from storage.domain.records import AuditRow
from storage.domain.translation import number
from storage.ledger import audit
from storage.ledger.audit import AuditCounts

SECURITY = "security"
PAGES: Pager[AuditRow] = Pager(
    key="security_before", mark=lambda row: row.seq, labels=lambda: (words.NEWEST, words.OLDER)
)
DAY_FIGURES = (AuditAction.LOGIN_FAILED, AuditAction.LOGIN_LOCKED, AuditAction.REFUSED)


def figures() -> None:
    """Show what an administrator looks for first, and the counts of all kinds."""
    found = db.look(audit.counts, of_kinds(SECURITY_KINDS), now=utc_now())
    if not found:
        st.info(words.NO_SECURITY_EVENTS)
        return
    with st.container(horizontal=True, key="tiles-security"):
        for action, label in zip(DAY_FIGURES, (words.FAILED_LOGINS, words.LOCK_OUTS, words.REFUSALS), strict=True):
            st.metric(label, number(found.get(action, AuditCounts()).day), help=words.IN_A_DAY, border=True)
    sums: dict[AuditKind, Counter[str]] = {kind: Counter() for kind in SECURITY_KINDS}
    for name, one in found.items():
        sums[AuditAction(name).spec.kind] += Counter(
            dict(zip(words.PERIODS, (one.day, one.week, one.month), strict=True))
        )
    with st.expander(words.COUNTS, expanded=True), st.container(key="table-counts"):
        st.table(
            {words.KIND: [words.KINDS[kind] for kind in sums]}
            | {period: [number(sums[kind][period]) for kind in sums] for period in words.PERIODS}
        )


@st.fragment
def listing() -> None:
    """Show the filtered events, newest first, and offer them as a file."""
    me = viewer.required_admin()
    fresh = PAGES.restart
    with st.container(key="filters-security"):
        kind_at, who_at, from_at, when_at = st.columns(4)
    kind = kind_at.selectbox(
        words.KIND,
        [None, *SECURITY_KINDS],
        format_func=lambda one: words.KINDS[one] if one else words.ANYTHING,
        **fresh,
    )
    who = who_at.text_input(words.WHO, placeholder=words.ANYBODY, help=words.WHO_HELP, **fresh)
    address = from_at.text_input(words.FROM, placeholder=words.ANYTHING, help=words.FROM_HELP, **fresh)
    days: Any = when_at.date_input(words.WHEN, [], format=words.DATE_FORMAT, **fresh)
    filters: dict[str, Any] = {
        "actor": audit_log.named_actor(who or ""),
        "address": (address or "").strip() or None,
        **audit_log.between(days, me),
    }
    limit = context.current().limits.audit_page_rows
    actions = of_kinds([kind] if kind else SECURITY_KINDS)
    rows = db.look(audit.page, before_seq=PAGES.start, limit=limit + 1, actions=actions, **filters)
    audit_log.show(rows, limit, {"kind": kind or SECURITY} | filters, me, PAGES)


def page() -> None:
    """Show the security events, for administrators."""
    viewer.required_admin()
    st.title(strings.PAGE["security"], anchor=False)
    st.caption(words.SECURITY_LEAD)
    figures()
    listing()
