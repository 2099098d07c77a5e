"""Periodic checks: expired sessions with open websockets, silent workers, and the machine's load."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import duckdb
import psutil

from dashboards.runtime import context, db, machine_load
from storage.accounts import api_keys, sessions
from storage.domain.clock import utc_now
from storage.domain.errors import TranscriberError
from storage.remote.worker_troubles import troubles

logger = logging.getLogger(__name__)
EVERY_S = 0.5
WORKERS_EVERY_S = 1.0
DISKS_EVERY_S = 3.0


async def watch_doors() -> None:
    """Close the websockets of ended or expired sessions, revoked keys and disabled users.

    When the secret before a rotation ends, all connections of the key close: some may have been opened with it.
    Programs open them again with the present one.
    """
    doors = context.current().doors
    minutes = context.settings().web.session_idle_minutes
    since = utc_now()
    while True:
        await asyncio.sleep(EVERY_S)
        open_now, now = doors.idents(), utc_now()
        if not open_now:
            since = now
            continue
        try:
            alive = await db.read(sessions.alive, open_now, now=now, idle_minutes=minutes)
            alive |= await db.read(api_keys.alive, open_now)
            alive -= await db.read(api_keys.overlap_ended, open_now, since=since, now=now)
        except (duckdb.Error, TranscriberError) as error:
            logger.warning("sessions and keys could not be looked at: %s", error)
            continue
        since = now
        doors.kick(open_now - alive)


async def watch_workers(every_s: float = WORKERS_EVERY_S) -> None:
    """Let open pages look again when a worker fell silent, came back or signed off."""
    holder = context.current()
    known: Sequence[str] = []
    while True:
        found = troubles(holder.workers, utc_now())
        if found != known:
            known = found
            holder.bus.look_again()
        await asyncio.sleep(every_s)


async def look_at_disks() -> None:
    """Look whether a disk is nearly full; tell pages and log of a change."""
    holder = context.current()
    storage = holder.settings.storage
    if await db.in_thread(holder.disks.look, [storage.data_dir, Path(storage.root_url)], storage.disk_spare_bytes):
        holder.bus.look_again()
        if low := holder.disks.low:
            free, spare = low.free_bytes >> 20, low.spare_bytes >> 20
            logger.error("nothing new is accepted: %d MiB are free in %s, %d are spared", free, low.folder, spare)
        else:
            logger.warning("the disks have room again, and new recordings are accepted")


async def watch_disks() -> None:
    """Look at the disks every few seconds."""
    while True:
        try:
            await look_at_disks()
        except OSError as error:
            logger.warning("the disks could not be looked at: %s", error)
        await asyncio.sleep(DISKS_EVERY_S)


async def watch_machine() -> None:
    """Sample the machine's load every few seconds while the process runs."""
    holder = context.current()
    folder = holder.settings.storage.data_dir
    while True:
        try:
            pages = len(holder.doors.idents())
            await db.in_thread(holder.gauges.take, holder.ledger, folder, pages=pages)
        except (duckdb.Error, OSError, TranscriberError, psutil.Error) as error:
            logger.warning("the machine could not be looked at: %s", error)
        await asyncio.sleep(machine_load.EVERY_S)
