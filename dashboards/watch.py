"""Looks twice a second whether the sessions behind open pages still hold, whoever ended them and how."""

import asyncio
import logging

import duckdb

from dashboards import context
from storage import sessions
from storage.clock import utc_now

logger = logging.getLogger(__name__)
EVERY_S = 0.5


async def watch_doors() -> None:
    """Close the pages of sessions that were ended, are idle or old, or whose user was disabled."""
    doors = context.current().doors
    minutes = context.settings().web.session_idle_minutes
    while True:
        await asyncio.sleep(EVERY_S)
        open_now = doors.session_ids()
        if not open_now:
            continue
        try:
            alive = await context.read(sessions.alive, open_now, now=utc_now(), idle_minutes=minutes)
        except duckdb.Error as error:
            logger.warning("sessions could not be looked at: %s", error)
            continue
        doors.kick(open_now - alive)
