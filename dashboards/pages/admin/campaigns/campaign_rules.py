"""Decisions on all proposals that fit a rule, and taking all of them back."""

from collections.abc import Callable

import streamlit as st

from dashboards.pages import viewer
from dashboards.pages.viewer import Viewer
from dashboards.presenters import formatting
from dashboards.services.campaigns import campaign_orders
from dashboards.services.campaigns.campaign_orders import CampaignOverview
from dashboards.strings import campaign_texts as words
from storage.campaigns.campaign_rows import TrialState
from storage.campaigns.decisions import DecisionRule
from storage.domain.errors import TranscriberError
from storage.domain.records import User


def show(me: Viewer, one: CampaignOverview) -> None:
    """Offer what can be decided on now."""
    if one.totals.counts[TrialState.PROPOSED]:
        st.header(words.RULES, anchor=False)
        st.caption(words.RULES_ABOUT)
        _decide(one.campaign.id)
    if one.totals.counts[TrialState.ACCEPTED]:
        with st.popover(words.ROLL_BACK_ALL, icon=":material/history:"):
            st.caption(words.ROLL_BACK_ABOUT)
            if st.button(words.ROLL_BACK_ALL, key="campaign-roll-back"):
                with viewer.saving(words.ROLLED_BACK_TOAST):
                    campaign_orders.roll_back_all(me.user, one.campaign.id)


@st.fragment
def _decide(campaign_id: str) -> None:
    """Show the rule, how many recordings fit it, and the two decisions."""
    me = viewer.required_admin()
    with st.container(border=True):
        rule = _rule(me.user, campaign_id)
        try:
            fitting = campaign_orders.fitting(me.user, campaign_id, rule)
        except TranscriberError as error:
            viewer.refused(error)
            return
        st.markdown(words.fits(fitting.kept, fitting.accepted))
        with st.container(horizontal=True):
            accepts = st.button(words.ACCEPT_ALL, icon=":material/done_all:", disabled=not fitting.accepted)
            keeps = st.button(words.KEEP_ALL, icon=":material/undo:", disabled=not fitting.kept)
    if accepts:
        _by_rule(campaign_orders.accept_by_rule, me.user, campaign_id, rule)
    if keeps:
        _by_rule(campaign_orders.keep_by_rule, me.user, campaign_id, rule)


def _rule(user: User, campaign_id: str) -> DecisionRule:
    least, below, language = st.columns(3)
    least_percent = least.number_input(
        words.CHANGE_FROM, min_value=0.0, max_value=1000.0, value=0.0, step=1.0, help=words.CHANGE_HELP, key="rule-from"
    )
    below_percent = below.number_input(
        words.CHANGE_BELOW,
        min_value=0.0,
        max_value=1000.0,
        value=10.0,
        step=1.0,
        help=words.CHANGE_HELP,
        key="rule-below",
    )
    languages = campaign_orders.languages(user, campaign_id)
    code = language.selectbox(words.LANGUAGE, [None, *languages], format_func=_language, key="rule-language")
    rose = st.checkbox(words.CONFIDENCE_ROSE, key="rule-rose")
    return DecisionRule(
        change_from=least_percent / 100 or None, change_below=below_percent / 100, language=code, confidence_rose=rose
    )


def _language(code: str | None) -> str:
    return formatting.language(code) if code else words.ANY


def _by_rule(
    decide: Callable[[User, str, DecisionRule], int], user: User, campaign_id: str, rule: DecisionRule
) -> None:
    try:
        count = decide(user, campaign_id, rule)
    except TranscriberError as error:
        viewer.refused(error)
        return
    st.toast(words.by_rule(count), icon=":material/check:")
    st.rerun()
