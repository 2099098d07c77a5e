"""Prefect's events of flow runs that somebody stopped or paused, as they happen."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect.events.clients import PrefectEventSubscriber

logger = logging.getLogger(__name__)

WATCHED = [f"prefect.flow-run.{name}" for name in ("Cancelling", "Cancelled", "Paused", "Suspended")]
AGAIN_AFTER_S = 2.0
CLOSED_WITHIN_S = 2.0


async def watch(on_event: Callable[[], None]) -> None:
    """Call `on_event` at each event, forever; a server that is away is asked again.

    It begins a moment after the start, when the reconciler has just looked at all runs.
    """
    while True:
        await asyncio.sleep(AGAIN_AFTER_S)
        try:
            await _listen(on_event)
        except Exception as error:  # noqa: BLE001 - the reconciler looks every few seconds meanwhile
            logger.info("no events from Prefect: %s: %s", type(error).__name__, error)


async def _listen(on_event: Callable[[], None]) -> None:
    events = await asyncio.to_thread(_subscriber)
    opening = asyncio.ensure_future(events.__aenter__())
    try:
        async for _ in await asyncio.shield(opening):
            on_event()
    finally:  # a connection that is cancelled while it opens would never be closed
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSED_WITHIN_S):
                await opening
                await events.__aexit__(None, None, None)


def _subscriber() -> "PrefectEventSubscriber":
    """Import Prefect's client of events, which takes a moment, and subscribe."""
    from prefect.events.clients import get_events_subscriber
    from prefect.events.filters import EventFilter, EventNameFilter

    return get_events_subscriber(filter=EventFilter(event=EventNameFilter(name=WATCHED)))
