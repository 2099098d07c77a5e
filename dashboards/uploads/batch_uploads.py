"""Batches of recordings, brought on in the background."""

import asyncio
import logging

from dashboards.runtime import context
from dashboards.services import batch_orders

logger = logging.getLogger(__name__)


async def keep_going() -> None:
    """Bring batches on forever, also those that an earlier process began."""
    limits = context.current().limits
    while True:
        busy = False
        try:
            busy = await batch_orders.advance()
        except Exception:
            logger.exception("batches could not be looked after, and are later")
        await asyncio.sleep(limits.batch_pause_s if busy else limits.download_look_every_s)
