"""Brings campaigns on: begins trials, notes how they ended, and carries out what rules decided."""

import logging
from datetime import datetime

from dashboards.runtime import context, db, notify
from storage.campaigns import campaign_rows, campaign_states, decisions, trials
from storage.campaigns.campaign_rows import Campaign, CampaignItem, CampaignState, TrialState
from storage.domain.clock import utc_now
from storage.domain.errors import CampaignMoved, NotFound, TranscriberError
from storage.jobs import job_store

logger = logging.getLogger(__name__)
MOST_TRIALS = 8
"""Recordings of one campaign that are under way or next in the queue."""
DECISIONS_AT_ONCE = 50


async def run_campaigns(now: datetime | None = None) -> bool:
    """Bring all campaigns on a step; return whether there are any to bring on."""
    holder = context.current()
    active = await db.read(campaign_rows.active)
    for campaign in active:
        try:
            await _advance(campaign, now or utc_now())
        except TranscriberError as error:
            logger.warning("campaign %s could not be looked after, and is later: %s", campaign.id, error)
        except Exception:  # one campaign's trouble is not that of the others
            logger.exception("campaign %s could not be looked after, and is later", campaign.id)
    await db.in_thread(trials.clear_strays, holder.ledger, holder.files)
    return bool(active)


async def _advance(campaign: Campaign, now: datetime) -> None:
    holder = context.current()
    under_way = await db.read(campaign_rows.in_states, campaign.id, TrialState.TRANSCRIBING, limit=1000)
    for item in under_way:
        await db.in_thread(trials.settle, holder.ledger, holder.files, item)
    if campaign.state is not CampaignState.RUNNING or not campaign.is_within_hours(now):
        await _withdraw(campaign)
    while trial := await db.write(trials.begin, campaign.id, most=MOST_TRIALS, now=now):
        notify.announce(trial)
    for item in await db.read(campaign_rows.intended, campaign.id, limit=DECISIONS_AT_ONCE):
        await db.in_thread(_carry_out, item)
    await db.in_thread(trials.clear, holder.ledger, holder.files, campaign.id)
    await _complete(campaign.id)


async def _withdraw(campaign: Campaign) -> None:
    for job in await db.write(trials.withdraw, campaign.id):
        notify.announce(job)


def _carry_out(item: CampaignItem) -> None:
    version = decisions.carry_out(context.ledger(), context.files(), item)
    if version is not None:
        _tell_of_version(item.job_id, version.number)


def _tell_of_version(job_id: str, number: int) -> None:
    """Tell open pages of a recording that its transcript has another version."""
    try:
        job = db.look(job_store.get, job_id)
    except NotFound:
        return
    notify.tell(job.id, job.owner_id, version=number)


async def _complete(campaign_id: str) -> None:
    """Complete the campaign when all of its trials have ended."""
    campaign = await db.read(campaign_rows.get, campaign_id)
    sums = await db.read(campaign_rows.totals, campaign_id)
    is_open = sums.counts[TrialState.WAITING] or sums.counts[TrialState.TRANSCRIBING]
    if campaign.state is CampaignState.RUNNING and not is_open:
        try:
            await db.write(campaign_states.move, campaign_id, CampaignState.COMPLETED, actor=trials.ACTOR)
        except CampaignMoved:  # somebody cancelled it meanwhile
            return
        context.current().bus.look_again()
