"""Looks that are taken again and again: whether open websockets still may be, and how the machine is doing."""

import asyncio
import logging

import duckdb
import psutil

from dashboards import context, gauges
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


async def watch_machine() -> None:
    """Take a sample of the machine's load every few seconds for as long as the process runs."""
    holder = context.current()
    folder = holder.settings.storage.data_dir
    while True:
        try:
            pages = len(holder.doors.idents())
            await context.in_thread(holder.gauges.take, holder.ledger, folder, pages=pages)
        except (duckdb.Error, OSError, psutil.Error) as error:
            logger.warning("the machine could not be looked at: %s", error)
        await asyncio.sleep(gauges.EVERY_S)
