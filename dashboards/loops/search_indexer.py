"""Keeps the search index up with the ledger: at the start, when jobs change, and now and then in any case."""

import asyncio
import logging

from dashboards import context
from storage.errors import LedgerClosed

logger = logging.getLogger(__name__)
GATHER_S = 1.0
EVERY_S = 60.0
FINAL = {"completed", "deleted"}


async def keep_up() -> None:
    """Sync the index whenever a transcript may have come, changed or gone; a failure is tried again later."""
    holder = context.current()
    with holder.bus.listen() as listener:
        while True:
            try:
                await context.in_thread(holder.search.sync, holder.ledger)
            except LedgerClosed:
                return
            except Exception:
                logger.exception("the search index could not be brought up to date; it is tried again")
            until = asyncio.get_running_loop().time() + EVERY_S
            while (left := until - asyncio.get_running_loop().time()) > 0:
                news = await listener.next(wait_s=left)
                if any(one.get("state") in FINAL or "state" not in one for one in news):
                    break
            await asyncio.sleep(GATHER_S)
