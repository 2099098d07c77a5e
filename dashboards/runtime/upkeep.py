"""Hourly maintenance: deletes what has expired, been abandoned, or been deleted long enough ago."""

import asyncio
import json
import logging
from datetime import timedelta
from typing import Any

from dashboards.runtime import context, db
from dashboards.runtime.context import Context
from dashboards.runtime.head_publisher import HeadPublisher
from storage.accounts import prefect_outbox
from storage.domain.clock import utc_now
from storage.domain.errors import StorageUnreachable
from storage.domain.records import to_json
from storage.jobs import intake
from storage.maintenance import housekeeping, orphans, retention
from storage.maintenance.orphans import Swept

logger = logging.getLogger(__name__)

FIRST_AFTER_S, EVERY_S = 300.0, 3600.0
ORPHANS_EVERY = timedelta(hours=12)


async def tidy() -> dict[str, Any]:
    """Purge deleted jobs, and delete old uploads, sessions, login attempts and answers; return how many."""
    tidied = await db.write(housekeeping.tidy, now=utc_now())
    await db.write(prefect_outbox.remove_old, now=utc_now())
    told: dict[str, Any] = json.loads(to_json(tidied))
    holder = context.current()
    told["uploads"] = await db.in_thread(holder.shelf.sweep)
    before = utc_now() - timedelta(days=holder.settings.web.deleted_kept_days)
    told["purged"] = await db.in_thread(intake.purge_deleted, holder.ledger, holder.files, before=before)
    told["not_kept"] = await db.in_thread(retention.apply, holder.ledger, holder.files, now=utc_now())
    told["partial_texts"] = await db.in_thread(intake.drop_partials, holder.ledger, holder.files)
    holder.orphans = await _sweep_orphans(holder)
    told["orphans"] = holder.orphans.deleted
    told["half_written"] = await _sweep_half_written()
    return told


async def _sweep_half_written() -> int:
    """Delete what killed writers left on storage.

    Keys for a bucket may lack the right to.
    """
    try:
        return await db.in_thread(context.files().sweep)
    except StorageUnreachable as error:
        logger.info("what killed processes left on storage stays: %s", error)
        return 0


async def _sweep_orphans(holder: Context) -> Swept:
    """Look once a day for files that belong to no recording."""
    now = utc_now()
    if holder.orphans_looked_at and now - holder.orphans_looked_at < ORPHANS_EVERY:
        return holder.orphans
    swept = await db.in_thread(
        orphans.sweep, holder.ledger, holder.files, holder.settings.storage.orphans_path, now=now
    )
    holder.orphans_looked_at = now
    if swept.unsafe:
        logger.warning("no orphans are deleted: %s", swept.unsafe)
    return swept


async def keep_tidy(*, first_after_s: float = FIRST_AFTER_S, every_s: float = EVERY_S) -> None:
    """Do the maintenance every hour; no worker may ask for it.

    The head of the audit chain goes out in the first hour of each day.
    """
    await asyncio.sleep(first_after_s)
    publisher = HeadPublisher()
    while True:
        try:
            logger.info("maintenance: %s", await tidy())
        except Exception:
            logger.exception("maintenance failed, and is tried again in an hour")
        try:
            await publisher.publish()
        except Exception:
            logger.exception("the head of the audit chain was not sent, and is tried again in an hour")
        await asyncio.sleep(every_s)
