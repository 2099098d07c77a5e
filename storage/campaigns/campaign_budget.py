"""A campaign's device time: what is next, and whether the budget is enough for it."""

from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from storage.campaigns import campaign_rows, selection
from storage.campaigns.campaign_rows import Campaign, CampaignState, CampaignTotals, TrialState
from storage.domain.model_names import display_name


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignTurn:
    """A waiting recording, and what a second of its audio costs, if that is known."""

    number: int
    job_id: str
    audio_s: float
    cost: float | None


WAITING = """
SELECT number, job_id, audio_s, old_model FROM campaign_items
WHERE campaign_id = $id AND state = 'waiting' AND trial_id IS NULL
"""
FIRST = WAITING + "ORDER BY number LIMIT 1"
SHORTEST = WAITING + "ORDER BY audio_s, number LIMIT 1"
OPEN_S = "SELECT coalesce(sum(audio_s), 0) FROM campaign_items WHERE campaign_id = $id AND state = 'transcribing'"


def next_turn(con: DuckDBPyConnection, campaign: Campaign) -> CampaignTurn | None:
    """Return the recording that is next.

    It is the first one that waits. With a budget and a model of unknown speed it is the shortest one, which costs
    least to find that speed out.
    """
    turn = _turn(con, FIRST, campaign)
    if turn is None or turn.cost is not None or campaign.budget_s is None:
        return turn
    return _turn(con, SHORTEST, campaign)


def _turn(con: DuckDBPyConnection, statement: str, campaign: Campaign) -> CampaignTurn | None:
    for number, job_id, audio_s, old_model in con.execute(statement, {"id": campaign.id}).fetchall():
        cost = own_cost(campaign_rows.totals(con, campaign.id))
        if cost is None and campaign.budget_s is not None:
            name = display_name(campaign.changes.get("model") or old_model or "")
            cost = selection.measured_costs(con).get(name)
        return CampaignTurn(number=number, job_id=job_id, audio_s=float(audio_s), cost=cost)
    return None


def own_cost(sums: CampaignTotals) -> float | None:
    """Return the device-seconds for a second of audio that the campaign itself measured, or None."""
    if sums.heard_s < selection.SHORTEST_MEASURED_S:
        return None
    return (sums.device_s - sums.under_way_s) / sums.heard_s


def is_used_up(con: DuckDBPyConnection, campaign: Campaign) -> bool:
    """Return whether a running campaign begins nothing more before its budget is raised."""
    if campaign.state is not CampaignState.RUNNING or campaign.budget_s is None:
        return False
    if campaign_rows.totals(con, campaign.id).counts[TrialState.TRANSCRIBING]:
        return False
    turn = next_turn(con, campaign)
    return turn is not None and not is_enough(con, campaign, turn)


def is_enough(con: DuckDBPyConnection, campaign: Campaign, turn: CampaignTurn) -> bool:
    """Return whether what is spent, under way and next stays within the budget.

    While the speed is unknown, one recording at a time is begun.
    """
    if campaign.budget_s is None:
        return True
    sums = campaign_rows.totals(con, campaign.id)
    open_s = float(con.execute(OPEN_S, {"id": campaign.id}).fetchall()[0][0])
    if turn.cost is None:
        return open_s == 0 and sums.device_s < campaign.budget_s
    finished_s = sums.device_s - sums.under_way_s
    coming_s = max(sums.under_way_s, open_s * turn.cost) + turn.audio_s * turn.cost
    return sums.device_s < campaign.budget_s and finished_s + coming_s <= campaign.budget_s
