"""Retention rules, legal holds, and what is due, for administrators."""

import streamlit as st

from dashboards import strings
from dashboards.pages import viewer
from dashboards.pages.viewer import Viewer
from dashboards.presenters import formatting
from dashboards.services import retention_rules
from dashboards.strings import admin
from dashboards.strings import upkeep_texts as words
from storage.jobs.kept_parts import KeptPart
from storage.jobs.legal_holds import MAX_REASON_CHARS, HoldKind, LegalHold
from storage.maintenance.retention import MOST_DAYS, Due, RetentionState, Rule, RuleKind

SHOWN = 100


def page() -> None:
    """Show and change how long recordings are kept."""
    me = viewer.required_admin()
    st.title(strings.PAGE["retention"], anchor=False)
    st.caption(words.RETENTION_ABOUT)
    state = retention_rules.state(me.user)
    _rules(state, me)
    _holds(state, me)
    _due(state, me)


def _subject(kind: RuleKind, subject: str, people: dict[str, str]) -> str:
    """Return what a rule or hold is on, in the reader's words."""
    if kind is RuleKind.EVERYBODY:
        return words.RULE_KIND[kind]
    name = people.get(subject, admin.DELETED_USER) if kind is RuleKind.PERSON else subject
    return words.rule_subject(kind, name)


def _rules(state: RetentionState, me: Viewer) -> None:
    st.header(words.RULES, anchor=False)
    if not state.rules:
        st.info(words.NO_RULES, icon=":material/inventory_2:")
    for number, rule in enumerate(state.rules):
        with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"rule-{number}"):
            with st.container(gap=None):
                st.markdown(viewer.plain(_subject(rule.kind, rule.subject, state.people)))
                st.caption(f"{words.KEPT_PART[rule.part]}: {words.rule_keeps(rule.days)}")
            if st.button(words.REMOVE_RULE, key=f"remove-{rule.kind}-{rule.subject}-{rule.part}"):
                with viewer.saving(words.RULE_REMOVED):
                    retention_rules.remove_rule(me.user, rule)
    with st.form("rule", clear_on_submit=True):
        kind: RuleKind | None = st.selectbox(
            words.RULE_FOR, list(RuleKind)[::-1], 0, format_func=words.RULE_KIND.__getitem__
        )
        named = st.text_input(words.RULE_NAME, help=words.RULE_NAME_HELP, max_chars=200)
        part: KeptPart | None = st.selectbox(
            words.RULE_PART, list(KeptPart), 0, format_func=words.KEPT_PART.__getitem__, help=words.RULE_PART_HELP
        )
        days = st.number_input(words.RULE_DAYS, min_value=0, max_value=MOST_DAYS, value=365)
        forever = st.checkbox(words.RULE_FOREVER)
        if st.form_submit_button(words.ADD_RULE, icon=":material/add:") and kind and part:
            with viewer.saving(words.RULE_ADDED):
                retention_rules.set_rule(me.user, kind, named, part, None if forever else float(days))


def _holds(state: RetentionState, me: Viewer) -> None:
    st.header(words.HOLDS, anchor=False)
    st.caption(words.HOLDS_ABOUT)
    if not state.holds:
        st.info(words.NO_HOLDS, icon=":material/gavel:")
    for number, hold in enumerate(state.holds):
        _hold(number, hold, state.people, me)
    with st.form("hold", clear_on_submit=True):
        kind: HoldKind | None = st.selectbox(
            words.RULE_FOR, list(HoldKind), 0, format_func=lambda kind: words.RULE_KIND[RuleKind(kind)]
        )
        named = st.text_input(words.RULE_NAME, help=words.RULE_NAME_HELP, max_chars=200)
        reason = st.text_input(words.HOLD_REASON, max_chars=MAX_REASON_CHARS)
        if st.form_submit_button(words.PLACE_HOLD, icon=":material/gavel:") and kind:
            with viewer.saving(words.HOLD_PLACED):
                retention_rules.place_hold(me.user, kind, named, reason)


def _hold(number: int, hold: LegalHold, people: dict[str, str], me: Viewer) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"hold-{number}"):
        with st.container(gap=None):
            st.markdown(viewer.plain(_subject(RuleKind(hold.kind), hold.subject, people)))
            who = formatting.actor(hold.made_by, people)
            placed = words.hold_by(viewer.plain(who), formatting.when(hold.made_at, me.zone))
            st.caption(f"{viewer.plain(hold.reason)} · {placed}")
        if st.button(words.RELEASE_HOLD, key=f"release-{hold.kind}-{hold.subject}"):
            with viewer.saving(words.HOLD_RELEASED):
                retention_rules.release_hold(me.user, hold)


def _due(state: RetentionState, me: Viewer) -> None:
    """Show what the next run deletes, and offer to delete it now."""
    st.header(words.DUE, anchor=False)
    if not state.due:
        st.caption(words.NOTHING_DUE)
        return
    st.caption(words.due_about(len(state.due), SHOWN))
    rows = [_due_row(each, state.people, me) for each in state.due[:SHOWN]]
    st.dataframe(rows, hide_index=True, key="due")
    with st.popover(words.DELETE_DUE, icon=":material/delete:"):
        st.caption(words.RULE_PART_HELP)
        if st.button(words.DELETE_DUE, key="delete", type="primary"):
            count = retention_rules.apply_now(me.user)
            st.toast(words.due_deleted(count), icon=":material/check:")
            st.rerun()


def _due_row(each: Due, people: dict[str, str], me: Viewer) -> dict[str, str]:
    rule: Rule = each.rule
    return {
        words.DUE_NAME: each.name,
        words.RULE_PART: words.KEPT_PART[each.part],
        words.DUE_FINISHED: formatting.when(each.finished_at, me.zone),
        words.DUE_RULE: _subject(rule.kind, rule.subject, people),
    }
