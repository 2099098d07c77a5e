"""A campaign's device time: what is next, and whether the budget is enough for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from duckdb import DuckDBPyConnection

from storage.campaigns import campaign_rows, selection
from storage.campaigns.campaign_rows import Campaign, CampaignState, CampaignTotals, TrialState
from storage.domain.model_names import display_name


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignTurn:
    """A waiting recording, and what a second of its audio costs.

    The cost is None if it is unknown, or of no use.
    """

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
BY_MODEL = """
SELECT old_model, sum(audio_s) FROM campaign_items
WHERE campaign_id = $id AND list_contains($states::VARCHAR[], state) GROUP BY old_model
"""


class CampaignBudget:
    """A campaign's budget at one moment.

    Sums and costs are looked up once, and only if they are of use.
    """

    def __init__(
        self,
        con: DuckDBPyConnection,
        campaign: Campaign,
        *,
        sums: CampaignTotals | None = None,
        costs: Mapping[str, float] | None = None,
    ) -> None:
        self._con, self._campaign = con, campaign
        self._given_sums, self._given_costs = sums, costs

    @cached_property
    def sums(self) -> CampaignTotals:
        return self._given_sums or campaign_rows.totals(self._con, self._campaign.id)

    @cached_property
    def _costs(self) -> Mapping[str, float]:
        return selection.measured_costs(self._con) if self._given_costs is None else self._given_costs

    def next_turn(self) -> CampaignTurn | None:
        """Return the recording that is next.

        It is the first one that waits. With a budget and a model of unknown speed it is the shortest one, which costs
        least to find that speed out.
        """
        turn = self._turn(FIRST)
        if turn is None or turn.cost is not None or self._campaign.budget_s is None:
            return turn
        return self._turn(SHORTEST)

    def _turn(self, statement: str) -> CampaignTurn | None:
        for number, job_id, audio_s, old_model in self._con.execute(statement, {"id": self._campaign.id}).fetchall():
            cost = None if self._campaign.budget_s is None else self._cost_of(old_model)
            return CampaignTurn(number=number, job_id=job_id, audio_s=float(audio_s), cost=cost)
        return None

    def _cost_of(self, old_model: str | None) -> float | None:
        """Return the device-seconds for a second of a recording's audio, or None.

        If the campaign names a model, what it measured itself counts first; else each recording keeps its own model.
        """
        model = self._campaign.changes.get("model")
        if model and self.sums.heard_s >= selection.SHORTEST_MEASURED_S:
            return (self.sums.device_s - self.sums.under_way_s) / self.sums.heard_s
        return self._costs.get(display_name(model or old_model or ""))

    def _device_s(self, *states: str) -> float | None:
        """Return the device-seconds of the recordings in these states.

        None if a model's speed is unknown.
        """
        asked = {"id": self._campaign.id, "states": list(states)}
        total_s = 0.0
        for old_model, audio_s in self._con.execute(BY_MODEL, asked).fetchall():
            if (cost := self._cost_of(old_model)) is None:
                return None
            total_s += cost * float(audio_s)
        return total_s

    def left_device_s(self) -> float | None:
        """Return the device-seconds of the recordings that are left.

        None if a model's speed is unknown.
        """
        return self._device_s("waiting", "transcribing")

    def is_used_up(self) -> bool:
        """Return whether a running campaign begins nothing more before its budget is raised."""
        if self._campaign.state is not CampaignState.RUNNING or self._campaign.budget_s is None:
            return False
        if self.sums.counts[TrialState.TRANSCRIBING]:
            return False
        turn = self.next_turn()
        return turn is not None and not self.is_enough(turn)

    def is_enough(self, turn: CampaignTurn) -> bool:
        """Return whether what is spent, under way and next stays within the budget.

        While the speed is unknown, one recording at a time is begun.
        """
        if self._campaign.budget_s is None:
            return True
        budget_s, sums = self._campaign.budget_s, self.sums
        open_s = self._device_s("transcribing")
        if turn.cost is None or open_s is None:
            return not sums.counts[TrialState.TRANSCRIBING] and sums.device_s < budget_s
        finished_s = sums.device_s - sums.under_way_s
        coming_s = max(sums.under_way_s, open_s) + turn.audio_s * turn.cost
        return sums.device_s < budget_s and finished_s + coming_s <= budget_s
