"""Campaigns for administrators: plan, start, pause, cancel, decide, and what they show.

The functions block, and may be called from any thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from duckdb import DuckDBPyConnection

from dashboards.runtime import context, db, notify
from dashboards.services import account_management
from storage.campaigns import (
    campaign_rows,
    campaign_states,
    comparison,
    decisions,
    selection,
    trials,
    word_error_table,
)
from storage.campaigns.campaign_budget import CampaignBudget
from storage.campaigns.campaign_rows import Campaign, CampaignItem, CampaignState, CampaignTotals, TrialState
from storage.campaigns.campaign_states import Budget, CampaignOrder
from storage.campaigns.comparison import WordChange
from storage.campaigns.decisions import DecisionRule, Fitting
from storage.campaigns.selection import Estimate, Selection
from storage.campaigns.word_error_table import WordErrorRow
from storage.domain.errors import NotFound
from storage.domain.model_names import display_name
from storage.domain.records import User
from storage.jobs import job_store
from storage.transcripts import versions

DOING = "running campaigns"
AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPlan:
    """What a campaign would take.

    Times are in seconds, and None while the model's speed was not measured. `devices` transcribe at the same time, and
    `through_s` is how long that takes with all of them.
    """

    recordings: int
    audio_s: float
    device_s: float | None
    devices: int

    @property
    def through_s(self) -> float | None:
        return self.device_s / self.devices if self.device_s is not None and self.devices else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignOverview:
    """A campaign with its sums, and the device time that is left.

    Out of budget, it begins nothing more before its budget is raised.
    """

    campaign: Campaign
    totals: CampaignTotals
    left_device_s: float | None
    is_out_of_budget: bool


def plan(user: User, wanted: Selection, model: str | None) -> CampaignPlan:
    """Say how many recordings fit, and what transcribing them again takes; nothing changes.

    Raises:
        NotAllowed: the user is no administrator.
    """
    account_management.require_admin(user, DOING)
    found = db.look(_estimate, wanted, _model_of(model))
    devices = context.workers().slots("gpu")
    return CampaignPlan(recordings=found.recordings, audio_s=found.audio_s, device_s=found.device_s, devices=devices)


def _estimate(con: DuckDBPyConnection, wanted: Selection, model: str | None) -> Estimate:
    return selection.estimate(con, selection.choose(con, wanted), model)


def _model_of(model: str | None) -> str | None:
    """Return the model that `auto` stands for now."""
    if model != AUTO:
        return model
    usual = context.workers().default_model()
    return display_name(usual.name) if usual else model


def create(user: User, order: CampaignOrder) -> Campaign:
    """Plan a campaign, unless an unfinished one asks for the same.

    Raises:
        NotAllowed: the user is no administrator.
        BadRequest: something in the order is not acceptable, or no recording fits.
    """
    account_management.require_admin(user, DOING)
    return _told(db.change(campaign_states.create, order, actor=user.actor))


def move(user: User, campaign_id: str, state: CampaignState) -> Campaign:
    """Start, pause or cancel a campaign; doing so again changes nothing.

    Raises:
        NotAllowed: the user is no administrator.
        NotFound, CampaignMoved: there is none, or it cannot get into that state.
    """
    account_management.require_admin(user, DOING)
    return _told(db.change(campaign_states.move, campaign_id, state, actor=user.actor))


def set_budget(user: User, campaign_id: str, budget: Budget) -> Campaign:
    """Replace a campaign's budget; see `campaign_states.set_budget`.

    Raises:
        NotAllowed: the user is no administrator.
        NotFound, CampaignMoved, BadRequest: there is none, it has ended, or a value is out of range.
    """
    account_management.require_admin(user, DOING)
    return _told(db.change(campaign_states.set_budget, campaign_id, budget, actor=user.actor))


def accept(user: User, campaign_id: str, number: int) -> CampaignItem:
    """Accept the proposal for one recording; raises as `decisions.accept` does, and NotAllowed."""
    account_management.require_admin(user, DOING)
    decisions.accept(context.ledger(), context.files(), campaign_id, number, actor=user.actor)
    return _decided(campaign_id, number)


def keep(user: User, campaign_id: str, number: int) -> CampaignItem:
    """Keep the old transcript of one recording; raises as `decisions.keep` does, and NotAllowed."""
    account_management.require_admin(user, DOING)
    db.change(decisions.keep, campaign_id, number, actor=user.actor)
    return _decided(campaign_id, number)


def roll_back(user: User, campaign_id: str, number: int) -> CampaignItem:
    """Take an accepted proposal back; raises as `decisions.roll_back` does, and NotAllowed."""
    account_management.require_admin(user, DOING)
    decisions.roll_back(context.ledger(), context.files(), campaign_id, number, actor=user.actor)
    return _decided(campaign_id, number)


def _decided(campaign_id: str, number: int) -> CampaignItem:
    item = db.look(campaign_rows.item, campaign_id, number)
    job = db.look(job_store.get, item.job_id)
    notify.tell(job.id, job.owner_id, version=item.restored or item.version)
    return item


def fitting(user: User, campaign_id: str, rule: DecisionRule) -> Fitting:
    """Return how many undecided proposals a rule is about; raises NotAllowed and BadRequest."""
    account_management.require_admin(user, DOING)
    return db.look(decisions.count_fitting, campaign_id, rule)


def languages(user: User, campaign_id: str) -> tuple[str, ...]:
    """Return the languages of a campaign's proposals; raises NotAllowed."""
    account_management.require_admin(user, DOING)
    return db.look(decisions.languages, campaign_id)


def accept_by_rule(user: User, campaign_id: str, rule: DecisionRule) -> int:
    """Accept all fitting proposals in the background, and return their number.

    Transcripts that a person corrected are left out.
    """
    account_management.require_admin(user, DOING)
    return _all_decided(db.change(decisions.accept_by_rule, campaign_id, rule, actor=user.actor))


def keep_by_rule(user: User, campaign_id: str, rule: DecisionRule) -> int:
    """Keep the old transcripts of all fitting proposals, and return their number."""
    account_management.require_admin(user, DOING)
    return _all_decided(db.change(decisions.keep_by_rule, campaign_id, rule, actor=user.actor))


def roll_back_all(user: User, campaign_id: str) -> int:
    """Take all accepted proposals back in the background, and return their number."""
    account_management.require_admin(user, DOING)
    return _all_decided(db.change(decisions.roll_back_all, campaign_id, actor=user.actor))


def _all_decided(count: int) -> int:
    context.current().bus.look_again()
    return count


def _told(campaign: Campaign) -> Campaign:
    context.current().bus.look_again()
    return campaign


def overview(user: User, campaign_id: str) -> CampaignOverview:
    """Return a campaign with its sums.

    Raises:
        NotAllowed: the user is no administrator.
        NotFound: there is none with this id.
    """
    account_management.require_admin(user, DOING)
    return db.look(lambda con: _overview(con, campaign_id, selection.measured_costs(con)))


def page(user: User, *, before: str | None = None, limit: int = 20) -> list[CampaignOverview]:
    """Return campaigns with their sums, newest first; raises NotAllowed."""
    account_management.require_admin(user, DOING)
    return db.look(_page, before, limit)


def _page(con: DuckDBPyConnection, before: str | None, limit: int) -> list[CampaignOverview]:
    costs = selection.measured_costs(con)
    return [_overview(con, one.id, costs) for one in campaign_rows.page(con, before=before, limit=limit)]


def _overview(con: DuckDBPyConnection, campaign_id: str, costs: Mapping[str, float]) -> CampaignOverview:
    campaign, sums = campaign_rows.get(con, campaign_id), campaign_rows.totals(con, campaign_id)
    meant = replace(campaign, changes=campaign.changes | {"model": _model_of(campaign.changes.get("model"))})
    return CampaignOverview(
        campaign=campaign,
        totals=sums,
        left_device_s=CampaignBudget(con, meant, sums=sums, costs=costs).left_device_s(),
        is_out_of_budget=CampaignBudget(con, campaign, sums=sums, costs=costs).is_used_up(),
    )


def items(
    user: User, campaign_id: str, *, states: tuple[TrialState, ...] = (), offset: int = 0, limit: int = 50
) -> list[CampaignItem]:
    """Return recordings of a campaign, with the largest change first; raises NotAllowed and NotFound."""
    account_management.require_admin(user, DOING)
    db.look(campaign_rows.get, campaign_id)
    return db.look(campaign_rows.ranked, campaign_id, states=states, offset=offset, limit=limit)


def changes(user: User, campaign_id: str, number: int) -> list[WordChange]:
    """Return where the words of a proposal differ from those that it was compared with.

    Raises:
        NotAllowed: the user is no administrator.
        NotFound, NotStored: there is no proposal, or its file or the old transcript's is gone.
    """
    account_management.require_admin(user, DOING)
    item = db.look(campaign_rows.item, campaign_id, number)
    if item.base is None or item.name is None:
        raise NotFound("proposal for recording", str(number))
    before = versions.read(context.files(), db.look(versions.one_of, item.job_id, item.base))
    return comparison.word_changes(before, trials.read_proposal(context.files(), item))


def word_errors(user: User, campaign_id: str | None = None) -> list[WordErrorRow]:
    """Return word error rates against corrected transcripts; raises NotAllowed."""
    account_management.require_admin(user, DOING)
    return db.look(word_error_table.table, campaign_id)
