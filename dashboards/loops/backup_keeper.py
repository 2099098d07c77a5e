"""Background loop that backs the ledger up every day, and tries the backups."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from dashboards.runtime import context
from dashboards.runtime.maintenance import backup_runner
from dashboards.runtime.maintenance.backup_state import last_slot
from storage.backup.backup_store import KeptBackup
from storage.backup.packing import recipient_of
from storage.domain.clock import utc_now
from storage.domain.errors import BackupRunning, LedgerClosed, TranscriberError

logger = logging.getLogger(__name__)
FIRST_AFTER_S, LOOK_EVERY_S = 240.0, 60.0
LIST_EVERY = timedelta(hours=1)
AGAIN_AFTER = timedelta(minutes=15)


async def look_after(now: datetime) -> str | None:
    """Take a backup if one is due, else try one; return what was done.

    After a failure, nothing is tried for some minutes.
    """
    state, settings = context.current().backups, context.settings().backup
    if state.running or (state.failed_at and now - state.failed_at < AGAIN_AFTER):
        return None
    if state.looked_at is None or now - state.looked_at >= LIST_EVERY:
        await backup_runner.look()
    at = settings.backup_time
    if at and not any(one.manifest.made_at >= last_slot(at, now) for one in state.ours):
        made = await backup_runner.take()
        return f"backup {made.id}"
    if (untried := _to_try(state.ours, settings.backup_drill_days, now)) is None:
        return None
    report = await backup_runner.drill(untried.manifest.id)
    if not report.passed:
        logger.error("the backup %s failed its drill: %s", untried.manifest.id, "; ".join(report.problems))
    return f"drill of {untried.manifest.id}"


def _to_try(ours: Sequence[KeptBackup], days: float, now: datetime) -> KeptBackup | None:
    """Return the newest backup that our key opens and that was not tried lately."""
    if not days:
        return None
    key = context.settings().backup.backup_key
    opened = {None, recipient_of(key)} if key else {None}
    ours = [one for one in ours if one.manifest.recipient in opened]
    before = now - timedelta(days=days)
    return next((one for one in ours if one.drill is None or (one.drill.passed and one.drill.at < before)), None)


async def keep_backups(*, first_after_s: float = FIRST_AFTER_S, every_s: float = LOOK_EVERY_S) -> None:
    """Look every minute whether something is due."""
    await asyncio.sleep(first_after_s)
    while True:
        try:
            if did := await look_after(utc_now()):
                logger.info("backups: %s is done", did)
        except LedgerClosed:
            return
        except BackupRunning:
            logger.info("another process backs this ledger up")
        except TranscriberError as error:
            context.current().backups.fail(str(error), utc_now())
            logger.error("backups: %s", error)
        except Exception:
            context.current().backups.fail("it broke; the log of the web process says why", utc_now())
            logger.exception("backups failed, and are tried again")
        await asyncio.sleep(every_s)
