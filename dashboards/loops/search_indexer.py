"""Background loop that updates the search index on job changes and periodically."""

import asyncio
import logging

from dashboards.runtime import context, db
from storage.domain.errors import LedgerClosed, TranscriberError

logger = logging.getLogger(__name__)
GATHER_S = 1.0
EVERY_S = 60.0
FINAL = {"completed", "deleted"}


async def keep_up() -> None:
    """Sync the index whenever a transcript may have changed; failures are retried."""
    holder = context.current()
    with holder.bus.listen() as listener:
        while True:
            try:
                await db.in_thread(holder.search.sync, holder.ledger)
            except LedgerClosed:
                return
            except TranscriberError as error:  # such as a full disk
                logger.warning("the search index is not up to date: %s", error)
            except Exception:
                logger.exception("the search index could not be brought up to date; it is tried again")
            until = asyncio.get_running_loop().time() + EVERY_S
            while (left := until - asyncio.get_running_loop().time()) > 0:
                news = await listener.next(wait_s=left)
                if any(one.get("state") in FINAL or "state" not in one for one in news):
                    break
            await asyncio.sleep(GATHER_S)
