"""Campaigns and their items as stored in the ledger."""

import json
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from duckdb import DuckDBPyConnection

from storage.domain.errors import NotFound


class CampaignState(StrEnum):
    """The state of a campaign; the last two are final, but decisions go on."""

    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class TrialState(StrEnum):
    """How far one recording of a campaign is."""

    WAITING = "waiting"
    TRANSCRIBING = "transcribing"
    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    KEPT = "kept"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """A campaign; `changes` are the options that differ from those of each recording.

    `budget_s` are device-seconds. It runs from `from_hour` until `until_hour` of the day in `time_zone`.
    """

    id: str
    name: str
    selection: dict[str, Any]
    changes: dict[str, Any]
    state: CampaignState
    total: int
    budget_s: float | None
    from_hour: int | None
    until_hour: int | None
    time_zone: str
    made_by: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    def is_within_hours(self, now: datetime) -> bool:
        """Return whether recordings may be begun at this time of the day."""
        if self.from_hour is None or self.until_hour is None or self.from_hour == self.until_hour:
            return True
        hour = now.astimezone(ZoneInfo(self.time_zone)).hour
        if self.from_hour < self.until_hour:
            return self.from_hour <= hour < self.until_hour
        return hour >= self.from_hour or hour < self.until_hour


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignItem:
    """A recording of a campaign.

    `base` is the version that the new transcript was compared with, `version` the one that it became, `restored` the
    one after it was rolled back. `language` is the current transcript's, or the new one's if that is unknown.
    `said_words` and errors are counted against a corrected transcript.
    """

    campaign_id: str
    number: int
    job_id: str
    audio_s: float
    old_model: str | None
    state: TrialState
    trial_id: str | None
    device_s: float
    heard_s: float
    base: int | None
    stored_as: str | None
    language: str | None
    new_model: str | None
    old_words: int | None
    changed_words: int | None
    change: float | None
    old_confidence: float | None
    new_confidence: float | None
    corrected: bool
    said_words: int | None
    old_errors: int | None
    new_errors: int | None
    error_code: str | None
    error: str | None
    intent: str | None
    version: int | None
    restored: int | None
    decided_by: str | None
    decided_at: datetime | None
    name: str | None = None
    owner_id: str | None = None


COLUMNS = """
SELECT id, name, selection, changes, state, total, budget_s, from_hour, until_hour, time_zone, made_by, created_at,
    started_at, ended_at
FROM campaigns
"""
GET = COLUMNS + "WHERE id = $id"
PAGE = COLUMNS + "WHERE ($before IS NULL OR id < $before) ORDER BY id DESC LIMIT $limit"
SAME = COLUMNS + "WHERE asked_sha256 = $asked_sha256 AND state IN ('draft', 'running', 'paused') ORDER BY id LIMIT 1"
ACTIVE = """
SELECT id FROM campaigns WHERE state = 'running' OR id IN (
    SELECT campaign_id FROM campaign_items WHERE trial_id IS NOT NULL OR intent IS NOT NULL)
ORDER BY id
"""


def get(con: DuckDBPyConnection, campaign_id: str) -> Campaign:
    """Return the campaign.

    Raises:
        NotFound: there is none with this id.
    """
    for row in con.execute(GET, {"id": campaign_id}).fetchall():
        return _campaign(row)
    raise NotFound("campaign", campaign_id)


def page(con: DuckDBPyConnection, *, before: str | None = None, limit: int = 50) -> list[Campaign]:
    """Return campaigns, newest first, after the id `before`."""
    return [_campaign(row) for row in con.execute(PAGE, {"before": before, "limit": limit}).fetchall()]


def same(con: DuckDBPyConnection, asked_sha256: str) -> Campaign | None:
    """Return the campaign that asks for the same and has not ended, or None."""
    row = con.execute(SAME, {"asked_sha256": asked_sha256}).fetchone()
    return _campaign(row) if row else None


def active(con: DuckDBPyConnection) -> list[Campaign]:
    """Return the campaigns for which something is to be done, oldest first."""
    return [get(con, row[0]) for row in con.execute(ACTIVE).fetchall()]


def _campaign(row: tuple[Any, ...]) -> Campaign:
    values = dict(zip([field.name for field in fields(Campaign)], row, strict=True))
    values |= {"selection": json.loads(values["selection"]), "changes": json.loads(values["changes"])}
    values |= {"state": CampaignState(values["state"])}
    for name in ("created_at", "started_at", "ended_at"):
        values[name] = values[name].astimezone(UTC) if values[name] else None
    return Campaign(**values)


ITEMS = """
SELECT campaign_id, number, job_id, audio_s, old_model, items.state, trial_id, device_s, heard_s, base, stored_as,
    items.language, new_model, old_words, changed_words, change, old_confidence, new_confidence, corrected, said_words,
    old_errors, new_errors, items.error_code, items.error, intent, items.version, restored, decided_by, decided_at,
    jobs.name, jobs.owner_id
FROM campaign_items AS items LEFT JOIN jobs ON jobs.id = job_id AND jobs.deleted_at IS NULL
WHERE campaign_id = $campaign_id
"""
ONE = ITEMS + " AND number = $number"
RANKED = (
    ITEMS
    + """
  AND ($states IS NULL OR list_contains($states::VARCHAR[], items.state))
ORDER BY change DESC NULLS LAST, number LIMIT $limit OFFSET $offset
"""
)
IN_STATES = ITEMS + " AND list_contains($states::VARCHAR[], items.state) ORDER BY number LIMIT $limit"
INTENDED = ITEMS + " AND intent IS NOT NULL ORDER BY number LIMIT $limit"


def item(con: DuckDBPyConnection, campaign_id: str, number: int) -> CampaignItem:
    """Return one item.

    Raises:
        NotFound: there is no such campaign, or no such item of it.
    """
    get(con, campaign_id)
    for row in con.execute(ONE, {"campaign_id": campaign_id, "number": number}).fetchall():
        return _item(row)
    raise NotFound("recording of the campaign", str(number))


def ranked(
    con: DuckDBPyConnection,
    campaign_id: str,
    *,
    states: tuple[TrialState, ...] = (),
    offset: int = 0,
    limit: int = 50,
) -> list[CampaignItem]:
    """Return items with the largest change first; those that have none yet are last."""
    asked = {"campaign_id": campaign_id, "states": [one.value for one in states] or None}
    rows = con.execute(RANKED, asked | {"offset": offset, "limit": limit}).fetchall()
    return [_item(row) for row in rows]


def in_states(con: DuckDBPyConnection, campaign_id: str, *states: TrialState, limit: int) -> list[CampaignItem]:
    """Return items in these states, in their order."""
    asked = {"campaign_id": campaign_id, "states": [one.value for one in states], "limit": limit}
    return [_item(row) for row in con.execute(IN_STATES, asked).fetchall()]


def intended(con: DuckDBPyConnection, campaign_id: str, *, limit: int) -> list[CampaignItem]:
    """Return items for which the decision of a rule is still to be carried out."""
    rows = con.execute(INTENDED, {"campaign_id": campaign_id, "limit": limit}).fetchall()
    return [_item(row) for row in rows]


def _item(row: tuple[Any, ...]) -> CampaignItem:
    values = dict(zip([field.name for field in fields(CampaignItem)], row, strict=True))
    decided_at: datetime | None = values["decided_at"]
    values |= {"state": TrialState(values["state"])}
    values |= {"decided_at": decided_at.astimezone(UTC) if decided_at else None}
    return CampaignItem(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignTotals:
    """The sums of a campaign; `counts` are by state.

    `device_s` includes `under_way_s`, of trials that have not ended. `deciding` are decisions to be carried out.
    """

    counts: dict[TrialState, int]
    audio_s: float
    left_s: float
    heard_s: float
    device_s: float
    under_way_s: float
    deciding: int


COUNTS = """
SELECT state, count(*), sum(audio_s), sum(heard_s), sum(device_s), count(intent)
FROM campaign_items WHERE campaign_id = $id GROUP BY state
"""
UNDER_WAY = """
SELECT coalesce(sum(engine_s), 0) FROM spans
WHERE NOT reused AND job_id IN (SELECT trial_id FROM campaign_items WHERE campaign_id = $id AND state = 'transcribing')
"""


def totals(con: DuckDBPyConnection, campaign_id: str) -> CampaignTotals:
    """Return the sums, with the device-seconds of recordings under way."""
    rows = con.execute(COUNTS, {"id": campaign_id}).fetchall()
    under_way_s = float(con.execute(UNDER_WAY, {"id": campaign_id}).fetchall()[0][0])
    counted = dict.fromkeys(TrialState, 0) | {TrialState(row[0]): int(row[1]) for row in rows}
    open_states = {TrialState.WAITING, TrialState.TRANSCRIBING}
    return CampaignTotals(
        counts=counted,
        audio_s=sum(row[2] for row in rows),
        left_s=sum(row[2] for row in rows if TrialState(row[0]) in open_states),
        heard_s=sum(row[3] for row in rows),
        device_s=sum(row[4] for row in rows) + under_way_s,
        under_way_s=under_way_s,
        deciding=sum(row[5] for row in rows),
    )
