"""Campaigns for administrators: the list, a form to plan one, and word error rates."""

from datetime import date, datetime, time, timedelta
from typing import Any

import streamlit as st

from dashboards import strings
from dashboards.pages import viewer
from dashboards.pages.admin.campaigns import budget_form, campaign_detail
from dashboards.pages.viewer import Viewer
from dashboards.presenters import formatting
from dashboards.runtime import context, db
from dashboards.services.campaigns import campaign_orders
from dashboards.services.campaigns.campaign_orders import CampaignOverview, CampaignPlan
from dashboards.strings import campaign_texts as words
from storage.accounts import users
from storage.accounts.canary_account import CANARY_ID
from storage.campaigns.campaign_rows import CampaignState, TrialState
from storage.campaigns.campaign_states import MAX_NAME_CHARS, Budget, CampaignOrder
from storage.campaigns.selection import Selection
from storage.domain.clock import utc_now
from storage.domain.errors import TranscriberError
from storage.domain.model_names import display_name
from storage.domain.translation import number
from storage.jobs import listing
from storage.jobs.listing import FilterChoices, JobFilter

EVERY_S = 5.0
SHOWN = 20
COLORS = {CampaignState.RUNNING: "green", CampaignState.PAUSED: "orange", CampaignState.COMPLETED: "blue"}


def page() -> None:
    """Show all campaigns, or the one that the address names."""
    me = viewer.required_admin()
    st.title(strings.PAGE["campaigns"], anchor=False)
    if campaign_id := st.query_params.get("campaign"):
        campaign_detail.show(me, campaign_id)
        return
    st.caption(words.ABOUT)
    _campaigns()
    _plan(me)
    rates(me)


@st.fragment(run_every=EVERY_S)
def _campaigns() -> None:
    me = viewer.required_admin()
    found = campaign_orders.page(me.user, limit=SHOWN)
    if not found:
        st.info(words.NONE_YET, icon=":material/campaign:")
        return
    st.header(words.CAMPAIGNS, anchor=False)
    for one in found:
        _campaign(one, me)


def _campaign(one: CampaignOverview, me: Viewer) -> None:
    campaign, counts = one.campaign, one.totals.counts
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"campaign-{campaign.id}"):
        with st.container(gap=None):
            st.markdown(f"**{viewer.plain(campaign.name)}**")
            done = sum(counts[state] for state in campaign_detail.HEARD)
            told = words.progress(done, campaign.total, counts[TrialState.PROPOSED])
            st.caption(f"{told} · {formatting.when(campaign.created_at, me.zone)}")
        st.badge(words.STATE[campaign.state], color=COLORS.get(campaign.state, "gray"))  # type: ignore[arg-type]
        if st.button(words.OPEN, key=f"open-{campaign.id}", icon=":material/arrow_forward:"):
            st.query_params["campaign"] = campaign.id
            st.rerun()


def _plan(me: Viewer) -> None:
    """Offer the form of a new campaign, with an estimate before anything is stored."""
    with st.expander(words.PLAN, icon=":material/add:"):
        _plan_form(me)


def _plan_form(me: Viewer) -> None:
    choices = db.look(listing.choices)
    with st.form("plan-campaign", border=False):
        name = st.text_input(words.NAME, max_chars=MAX_NAME_CHARS)
        left, right = st.columns(2)
        model = left.selectbox(
            words.MODEL,
            [None, *_models()],
            format_func=lambda key: key or words.AS_BEFORE,
            accept_new_options=True,
            help=words.MODEL_HELP,
        )
        beam = right.number_input(words.BEAM, min_value=1, max_value=20, value=None, placeholder=words.AS_BEFORE)
        st.subheader(words.WHICH, anchor=False)
        st.caption(words.WHICH_ABOUT)
        wanted = _selection(me, choices)
        st.subheader(words.BUDGET, anchor=False)
        st.caption(words.BUDGET_ABOUT)
        budget = budget_form.fields(me, Budget(time_zone=str(me.zone)))
        with st.container(horizontal=True):
            asks = st.form_submit_button(words.ESTIMATE, icon=":material/timer:")
            plans = st.form_submit_button(words.PLAN_BUTTON, type="primary", icon=":material/add:")
    given: dict[str, Any] = {"model": model and model.strip(), "beam_size": beam}
    changes = {key: value for key, value in given.items() if value is not None}
    if asks:
        _estimate(me, wanted, changes.get("model"))
    if plans:
        with viewer.saving(words.PLANNED):
            order = CampaignOrder(name=name, selection=wanted, changes=changes, budget=budget)
            st.query_params["campaign"] = campaign_orders.create(me.user, order).id


def _selection(me: Viewer, choices: FilterChoices) -> Selection:
    people = {one.id: one.name for one in db.look(users.list_all) if one.id != CANARY_ID}
    left, right = st.columns(2)
    owner = left.selectbox(words.PERSON, [None, *people], format_func=lambda key: people.get(key or "", words.ANYBODY))
    model = right.selectbox(words.OLD_MODEL, [None, *choices.models], format_func=_or_any)
    language = left.selectbox(words.LANGUAGE, [None, *choices.languages], format_func=_language)
    tag = right.selectbox(words.TAG, [None, *choices.tags], format_func=_or_any)
    since = left.date_input(words.SINCE, value=None)
    until = right.date_input(words.UNTIL, value=None)
    text = left.text_input(words.TEXT, max_chars=200)
    batch = right.text_input(words.BATCH, max_chars=100, help=words.BATCH_HELP)
    below = left.number_input(words.CONFIDENCE, min_value=0, max_value=100, value=0, help=words.CONFIDENCE_HELP)
    jobs = JobFilter(
        owner_id=owner,
        model=model and display_name(model),
        language=language,
        tag=tag,
        since=_midnight(since, me),
        until=_midnight(until + timedelta(days=1), me) if isinstance(until, date) and until < date.max else None,
        text=text,
    )
    return Selection(jobs=jobs, batch_id=batch.strip() or None, confidence_below=below / 100 or None)


def _models() -> list[str]:
    """Return the models that workers have."""
    models = (model for beat in context.workers().alive(utc_now()) for model in beat.models)
    return sorted({display_name(model.name) for model in models if model.state == "ready"})


def _or_any(key: str | None) -> str:
    return key or words.ANY


def _language(code: str | None) -> str:
    return formatting.language(code) if code else words.ANY


def _midnight(day: Any, me: Viewer) -> datetime | None:
    return datetime.combine(day, time(), tzinfo=me.zone) if isinstance(day, date) else None


def _estimate(me: Viewer, wanted: Selection, model: str | None) -> None:
    try:
        plan = campaign_orders.plan(me.user, wanted, model)
    except TranscriberError as error:
        viewer.refused(error)
        return
    st.info(f"{words.counted(plan.recordings, formatting.roughly(plan.audio_s))}. {_time_of(plan)}")


def _time_of(plan: CampaignPlan) -> str:
    if plan.device_s is None:
        return words.not_measured()
    device = formatting.roughly(plan.device_s)
    if plan.through_s is None:
        return words.estimated_alone(device)
    return words.estimated(device, plan.devices, formatting.roughly(plan.through_s))


def rates(me: Viewer) -> None:
    """Show the word error rates of all campaigns."""
    st.header(words.RATES, anchor=False)
    st.caption(words.RATES_ABOUT)
    found = campaign_orders.word_errors(me.user)
    if not found:
        st.info(words.NO_RATES, icon=":material/spellcheck:")
        return
    rows = [
        {
            words.LANGUAGE: formatting.language(row.language or None),
            words.RATE_MODEL: row.model,
            words.RATE: f"{100 * row.rate:.1f} %",
            words.RATE_SETTINGS: row.settings,
            words.RATE_WORDS: number(row.words),
            words.RECORDINGS: number(row.recordings),
        }
        for row in found
    ]
    st.dataframe(rows, hide_index=True, key="word-error-rates")
