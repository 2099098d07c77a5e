"""Creates campaigns, and moves them from one state to another."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from duckdb import DuckDBPyConnection

from storage.campaigns import campaign_rows, selection
from storage.campaigns.campaign_rows import Campaign, CampaignState
from storage.campaigns.selection import MOST_RECORDINGS, Selection
from storage.domain.clock import new_id, utc_now
from storage.domain.errors import BadRequest, CampaignMoved
from storage.domain.model_names import MODEL_NAME
from storage.ledger import audit

MAX_NAME_CHARS = 100
INSERT = """
INSERT INTO campaigns (id, name, asked_sha256, selection, changes, state, total, budget_s, from_hour, until_hour,
    time_zone, made_by, created_at)
VALUES ($id, $name, $asked_sha256, $selection, $changes, 'draft', $total, $budget_s, $from_hour, $until_hour,
    $time_zone, $actor, $now)
"""
INSERT_ITEMS = """
INSERT INTO campaign_items (campaign_id, number, job_id, audio_s, old_model, language, state, device_s, heard_s,
    corrected)
SELECT $id, unnest($numbers::INTEGER[]), unnest($job_ids::VARCHAR[]), unnest($audio_s::DOUBLE[]),
    unnest($models::VARCHAR[]), unnest($languages::VARCHAR[]), 'waiting', 0, 0, FALSE
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """When a campaign may use the devices, and for how long.

    None is without a limit.
    """

    device_s: float | None = None
    from_hour: int | None = None
    until_hour: int | None = None
    time_zone: str = "UTC"

    def check(self) -> None:
        """Check the values.

        Raises:
            BadRequest: one is out of range; the message names it.
        """
        if self.device_s is not None and not 0 < self.device_s < float("inf"):
            raise BadRequest("device_hours", "give a number above 0, or none for no limit")
        if (self.from_hour is None) != (self.until_hour is None):
            raise BadRequest("until_hour", "give both hours of the day, or neither")
        for name, hour in (("from_hour", self.from_hour), ("until_hour", self.until_hour)):
            if hour is not None and not 0 <= hour <= 23:
                raise BadRequest(name, "give an hour of the day from 0 to 23")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise BadRequest("time_zone", "there is no such time zone; one is Europe/Berlin") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignOrder:
    """What a campaign is to do; `changes` are options by name."""

    name: str
    selection: Selection = field(default_factory=Selection)
    changes: dict[str, Any]
    budget: Budget = field(default_factory=Budget)


def create(con: DuckDBPyConnection, order: CampaignOrder, *, actor: str) -> Campaign:
    """Choose the recordings, and note them as a draft.

    A campaign with the same recordings and changes that has not ended is returned instead.

    Raises:
        BadRequest: the name or the budget is not acceptable, or no recording fits, or too many.
    """
    name = " ".join(order.name.split())
    if not 0 < len(name) <= MAX_NAME_CHARS or not name.isprintable():
        raise BadRequest("name", "use 1 to {most} characters", {"most": MAX_NAME_CHARS})
    order.budget.check()
    if not order.changes:
        raise BadRequest("options", "name a model or another option that differs from before")
    if not re.fullmatch(MODEL_NAME, str(order.changes.get("model", "auto"))):
        raise BadRequest("model", "that is not the name of a model; one is large-v3")
    chosen = selection.choose(con, order.selection)
    if not chosen:
        raise BadRequest("selection", "no completed recording with its source fits; choose others")
    if len(chosen) > MOST_RECORDINGS:
        raise BadRequest("selection", "more than {most} recordings fit; choose fewer", {"most": MOST_RECORDINGS})
    ids = [one.job_id for one in chosen]
    asked_sha256 = hashlib.sha256(json.dumps([ids, order.changes], sort_keys=True).encode()).hexdigest()
    if known := campaign_rows.same(con, asked_sha256):
        return known
    campaign_id = new_id()
    values = {"id": campaign_id, "name": name, "asked_sha256": asked_sha256, "actor": actor, "now": utc_now()}
    values |= {"selection": told(order.selection), "changes": json.dumps(order.changes, sort_keys=True)}
    con.execute(INSERT, values | {"total": len(chosen)} | _values(order.budget))
    rows: dict[str, Any] = {"numbers": list(range(1, len(chosen) + 1)), "job_ids": ids}
    rows |= {"audio_s": [one.audio_s for one in chosen], "models": [one.model for one in chosen]}
    con.execute(INSERT_ITEMS, {"id": campaign_id, "languages": [one.language for one in chosen], **rows})
    detail = {"name": name, "recordings": len(chosen), "changes": order.changes}
    audit.record(con, actor=actor, action="campaign.create", subject=campaign_id, detail=detail)
    return campaign_rows.get(con, campaign_id)


def told(wanted: Selection) -> str:
    """Return a selection as JSON, without what it leaves open."""
    values = asdict(wanted)
    values |= {key: value for key, value in values.pop("jobs").items() if key not in {"shared", "only_shared"}}
    return json.dumps({key: value for key, value in sorted(values.items()) if value}, default=str)


def _values(budget: Budget) -> dict[str, Any]:
    values = asdict(budget)
    return {"budget_s": values.pop("device_s"), **values}


MOVE = """
UPDATE campaigns SET state = $state, started_at = coalesce(started_at, $started_at), ended_at = $ended_at
WHERE id = $id
"""
FROM: dict[CampaignState, tuple[CampaignState, ...]] = {
    CampaignState.RUNNING: (CampaignState.DRAFT, CampaignState.PAUSED),
    CampaignState.PAUSED: (CampaignState.RUNNING,),
    CampaignState.COMPLETED: (CampaignState.RUNNING,),
    CampaignState.CANCELLED: (CampaignState.DRAFT, CampaignState.RUNNING, CampaignState.PAUSED),
}
ACTIONS = {
    CampaignState.RUNNING: "campaign.start",
    CampaignState.PAUSED: "campaign.pause",
    CampaignState.COMPLETED: "campaign.complete",
    CampaignState.CANCELLED: "campaign.cancel",
}
CANCEL_WAITING = "UPDATE campaign_items SET state = 'cancelled' WHERE campaign_id = $id AND state = 'waiting'"


def move(con: DuckDBPyConnection, campaign_id: str, state: CampaignState, *, actor: str) -> Campaign:
    """Move the campaign to a state; one that is in it already is not changed.

    Raises:
        CampaignMoved: it cannot get there from where it is.
        NotFound: there is none with this id.
    """
    before = campaign_rows.get(con, campaign_id)
    if before.state is state:
        return before
    if before.state not in FROM[state]:
        raise CampaignMoved(before.name, before.state)
    now = utc_now()
    is_over = state in {CampaignState.COMPLETED, CampaignState.CANCELLED}
    values = {"id": campaign_id, "state": state.value, "ended_at": now if is_over else None}
    con.execute(MOVE, values | {"started_at": now if state is CampaignState.RUNNING else None})
    if state is CampaignState.CANCELLED:
        con.execute(CANCEL_WAITING, {"id": campaign_id})
    detail = {"name": before.name, "from": before.state}
    audit.record(con, actor=actor, action=ACTIONS[state], subject=campaign_id, detail=detail)
    return campaign_rows.get(con, campaign_id)


SET_BUDGET = """
UPDATE campaigns SET budget_s = $budget_s, from_hour = $from_hour, until_hour = $until_hour, time_zone = $time_zone
WHERE id = $id
"""


def set_budget(con: DuckDBPyConnection, campaign_id: str, budget: Budget, *, actor: str) -> Campaign:
    """Replace the budget; what is under way goes on.

    Raises:
        BadRequest: a value is out of range.
        CampaignMoved: the campaign has ended.
        NotFound: there is none with this id.
    """
    budget.check()
    before = campaign_rows.get(con, campaign_id)
    if before.state in {CampaignState.COMPLETED, CampaignState.CANCELLED}:
        raise CampaignMoved(before.name, before.state)
    con.execute(SET_BUDGET, {"id": campaign_id} | _values(budget))
    detail = {"name": before.name} | asdict(budget)
    audit.record(con, actor=actor, action="campaign.budget", subject=campaign_id, detail=detail)
    return campaign_rows.get(con, campaign_id)
