"""Looks twice a second whether the sessions and keys behind open websockets still hold, whoever ended them and how."""

import asyncio
import logging

import duckdb

from dashboards import context
from storage import keys, sessions
from storage.clock import utc_now

logger = logging.getLogger(__name__)
EVERY_S = 0.5


async def watch_doors() -> None:
    """Close what sessions have open that were ended, are idle or old, and revoked keys, or whose user was disabled."""
    doors = context.current().doors
    minutes = context.settings().web.session_idle_minutes
    while True:
        await asyncio.sleep(EVERY_S)
        open_now = doors.idents()
        if not open_now:
            continue
        try:
            alive = await context.read(sessions.alive, open_now, now=utc_now(), idle_minutes=minutes)
            alive |= await context.read(keys.alive, open_now)
        except duckdb.Error as error:
            logger.warning("sessions and keys could not be looked at: %s", error)
            continue
        doors.kick(open_now - alive)
