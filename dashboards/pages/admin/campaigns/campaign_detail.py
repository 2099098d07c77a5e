"""One campaign: its state, its budget, and the decisions on its recordings."""

import streamlit as st

from dashboards.pages import registry, viewer
from dashboards.pages.admin.campaigns import budget_form, campaign_rules
from dashboards.pages.viewer import Viewer
from dashboards.presenters import formatting
from dashboards.services.campaigns import campaign_orders
from dashboards.services.campaigns.campaign_orders import CampaignOverview
from dashboards.strings import campaign_texts as words
from storage.campaigns.campaign_rows import CampaignItem, CampaignState, TrialState
from storage.campaigns.campaign_states import Budget
from storage.domain.errors import NotFound, TranscriberError
from storage.domain.translation import number

EVERY_S = 5.0
ROWS = 20
MOST_CHANGES = 200
OFFSET, SHOWN = "campaign-offset", "campaign-shown"
HEARD = (TrialState.PROPOSED, TrialState.ACCEPTED, TrialState.KEPT, TrialState.ROLLED_BACK)
MOVES = {
    CampaignState.DRAFT: (CampaignState.RUNNING, CampaignState.CANCELLED),
    CampaignState.RUNNING: (CampaignState.PAUSED, CampaignState.CANCELLED),
    CampaignState.PAUSED: (CampaignState.RUNNING, CampaignState.CANCELLED),
}


def show(me: Viewer, campaign_id: str) -> None:
    """Show the campaign, or that there is none."""
    if st.button(words.BACK, icon=":material/arrow_back:", type="tertiary"):
        st.query_params.clear()
        st.session_state.pop(OFFSET, None)
        st.rerun()
    try:
        one = campaign_orders.overview(me.user, campaign_id)
    except NotFound:
        st.info(words.NOT_THERE)
        return
    st.header(viewer.plain(one.campaign.name), anchor=False)
    _progress(campaign_id, _stage(one))
    _moves(me, one)
    _budget(me, one)
    campaign_rules.show(me, one)
    _recordings(campaign_id)


def _stage(one: CampaignOverview) -> tuple[object, ...]:
    """Return what decides which parts the page has.

    Before there is anything to compare, that is the state of each recording; then the list stays as it is read.
    """
    counts = one.totals.counts
    compared = (counts[TrialState.PROPOSED] > 0, counts[TrialState.ACCEPTED] > 0, one.totals.deciding > 0)
    return (one.campaign.state, *(compared if any(compared) else sorted(counts.items())))


@st.fragment(run_every=EVERY_S)
def _progress(campaign_id: str, drawn: tuple[object, ...]) -> None:
    """Show how far it is; the page is drawn again when it has other parts."""
    me = viewer.required_admin()
    one = campaign_orders.overview(me.user, campaign_id)
    if _stage(one) != drawn:
        st.rerun()
    campaign, sums = one.campaign, one.totals
    done = sum(sums.counts[state] for state in HEARD)
    left = words.UNKNOWN if one.left_device_s is None else _time(one.left_device_s)
    figures = (
        (words.TRANSCRIBED, f"{number(done)} / {number(campaign.total)}", None),
        (words.TO_DECIDE, number(sums.counts[TrialState.PROPOSED]), None),
        (words.USED, _time(sums.device_s), None),
        (words.LEFT, left, words.LEFT_HELP),
    )
    st.caption(f"{words.STATE[campaign.state]} · {_settings(one)}")
    with st.container(key="tiles-campaign"):
        for column, (label, value, told) in zip(st.columns(len(figures)), figures, strict=True):
            column.metric(label, value, border=True, help=told)
    if one.is_out_of_budget:
        st.warning(words.OUT_OF_BUDGET, icon=":material/hourglass_disabled:")
    if failed := sums.counts[TrialState.FAILED]:
        st.warning(words.failed(failed), icon=":material/error:")
    if sums.deciding:
        st.info(words.being_decided(sums.deciding), icon=":material/pending:")


def _time(seconds: float) -> str:
    return formatting.roughly(seconds) if seconds else "0 s"


def _settings(one: CampaignOverview) -> str:
    campaign = one.campaign
    told = [f"{viewer.plain(name)}: {viewer.plain(str(value))}" for name, value in sorted(campaign.changes.items())]
    if campaign.budget_s is not None:
        told.append(f"{words.DEVICE_HOURS}: {campaign.budget_s / 3600:g}")
    if campaign.from_hour is not None and campaign.until_hour is not None:
        told.append(words.hours(campaign.from_hour, campaign.until_hour, viewer.plain(campaign.time_zone)))
    return " · ".join(told)


def _moves(me: Viewer, one: CampaignOverview) -> None:
    campaign = one.campaign
    offered = MOVES.get(campaign.state, ())
    with st.container(horizontal=True):
        if CampaignState.RUNNING in offered:
            label = words.START if campaign.state is CampaignState.DRAFT else words.RESUME
            if st.button(label, type="primary", icon=":material/play_arrow:", key="campaign-start"):
                with viewer.saving(words.STARTED):
                    campaign_orders.move(me.user, campaign.id, CampaignState.RUNNING)
        if CampaignState.PAUSED in offered and st.button(words.PAUSE, icon=":material/pause:", key="campaign-pause"):
            with viewer.saving(words.PAUSED):
                campaign_orders.move(me.user, campaign.id, CampaignState.PAUSED)
        if CampaignState.CANCELLED in offered:
            with st.popover(words.CANCEL, icon=":material/cancel:"):
                st.caption(words.CANCEL_ABOUT)
                if st.button(words.CANCEL, key="campaign-cancel"):
                    with viewer.saving(words.CANCELLED):
                        campaign_orders.move(me.user, campaign.id, CampaignState.CANCELLED)


def _budget(me: Viewer, one: CampaignOverview) -> None:
    campaign = one.campaign
    if campaign.state not in MOVES:
        return
    hours = {"from_hour": campaign.from_hour, "until_hour": campaign.until_hour}
    now = Budget(device_s=campaign.budget_s, time_zone=campaign.time_zone, **hours)
    with st.expander(words.BUDGET, icon=":material/hourglass:"), st.form("campaign-budget", border=False):
        st.caption(words.BUDGET_ABOUT)
        budget = budget_form.fields(me, now)
        if st.form_submit_button(words.SAVE_BUDGET):
            with viewer.saving(words.BUDGET_SAVED):
                campaign_orders.set_budget(me.user, campaign.id, budget)


@st.fragment
def _recordings(campaign_id: str) -> None:
    """List the recordings in pages, those that changed most first."""
    me = viewer.required_admin()
    st.header(words.RECORDINGS, anchor=False)
    st.caption(words.RECORDINGS_ABOUT)
    chosen = st.selectbox(words.SHOW, [None, *TrialState], format_func=_shown, key=SHOWN, on_change=_turn_to, args=(0,))
    offset = st.session_state.get(OFFSET, 0)
    states = (chosen,) if chosen else ()
    found = campaign_orders.items(me.user, campaign_id, states=states, offset=offset, limit=ROWS + 1)
    if not found:
        st.info(words.NOTHING_HERE)
    for item in found[:ROWS]:
        _recording(me, item)
    with st.container(horizontal=True):
        if offset:
            st.button(words.FIRST, icon=":material/first_page:", type="tertiary", on_click=_turn_to, args=(0,))
        if len(found) > ROWS:
            st.button(words.NEXT, icon=":material/chevron_right:", on_click=_turn_to, args=(offset + ROWS,))


def _shown(state: TrialState | None) -> str:
    return words.TRIAL[state] if state else words.EVERYTHING


def _turn_to(offset: int) -> None:
    st.session_state[OFFSET] = offset


def _recording(me: Viewer, item: CampaignItem) -> None:
    with st.container(border=True, key=f"item-{item.number}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            if item.name is None:
                st.markdown(words.DELETED)
            else:
                name = viewer.plain(item.name)
                st.page_link(registry.page("job"), label=f"**{name}**", query_params={"id": item.job_id})
            st.badge(words.TRIAL[item.state], color="gray")
        st.caption(" · ".join(_facts(item)))
        if item.error:
            st.error(viewer.plain(formatting.sentence(item.error)), icon=":material/error:")
        if item.stored_as and item.name is not None:
            with st.container(horizontal=True):
                _decisions(me, item)
            if st.toggle(words.DIFFERENCES, key=f"differences-{item.number}"):
                _differences(me, item)


def _facts(item: CampaignItem) -> list[str]:
    told = [formatting.length(item.audio_s)]
    if item.change is not None:
        told.append(words.changed(100 * item.change, item.changed_words or 0))
    if item.old_confidence is not None and item.new_confidence is not None:
        told.append(words.confidence(100 * item.old_confidence, 100 * item.new_confidence))
    if item.old_model and item.new_model:
        told.append(words.models(viewer.plain(item.old_model), viewer.plain(item.new_model)))
    if item.corrected:
        told.append(words.CORRECTED)
    return told


def _decisions(me: Viewer, item: CampaignItem) -> None:
    place = (me.user, item.campaign_id, item.number)
    may_accept = item.state in {TrialState.PROPOSED, TrialState.KEPT} and not item.corrected
    if may_accept and st.button(words.ACCEPT, key=f"accept-{item.number}", icon=":material/check:"):
        with viewer.saving(words.ACCEPTED_TOAST):
            campaign_orders.accept(*place)
    may_keep = item.state is TrialState.PROPOSED
    if may_keep and st.button(words.KEEP, key=f"keep-{item.number}", icon=":material/undo:"):
        with viewer.saving(words.KEPT_TOAST):
            campaign_orders.keep(*place)
    may_roll_back = item.state is TrialState.ACCEPTED
    if may_roll_back and st.button(words.ROLL_BACK, key=f"roll-back-{item.number}", icon=":material/history:"):
        with viewer.saving(words.ROLLED_BACK_TOAST):
            campaign_orders.roll_back(*place)


def _differences(me: Viewer, item: CampaignItem) -> None:
    try:
        found = campaign_orders.changes(me.user, item.campaign_id, item.number)
    except TranscriberError as error:
        viewer.refused(error)
        return
    if not found:
        st.info(words.NO_DIFFERENCES)
        return
    rows = [
        {words.AT: formatting.length(one.start_s), words.BEFORE: one.before, words.AFTER: one.after}
        for one in found[:MOST_CHANGES]
    ]
    st.dataframe(rows, hide_index=True, key=f"words-{item.number}")
    if len(found) > MOST_CHANGES:
        st.caption(words.hidden(len(found) - MOST_CHANGES))
