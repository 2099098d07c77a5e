"""Background loop that sends events of ended jobs and batches to Prefect.

Automations act on them there.
"""

import asyncio
import logging
from http import HTTPStatus

import duckdb
import httpx

from dashboards.runtime import context, db
from storage.accounts import prefect_outbox
from storage.domain.errors import TranscriberError
from storage.maintenance import batch_ends

logger = logging.getLogger(__name__)

AT_ONCE = 50
ASK_AGAIN = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS})
"""Refusals that pass: a secret that is being rotated, or too many requests."""


async def send_to_prefect() -> None:
    """Send what waits forever, including what earlier processes left."""
    pause_s = context.current().limits.prefect_look_every_s
    while True:
        try:
            await _look()
        except (httpx.HTTPError, duckdb.Error, TranscriberError) as error:
            logger.info("events wait for Prefect: %s: %s", type(error).__name__, error)
        await asyncio.sleep(pause_s)


async def _look() -> None:
    if ended := await db.read(batch_ends.ended):
        await db.write(batch_ends.tell, ended)
    while waiting := await db.read(prefect_outbox.waiting, limit=AT_ONCE):
        runs = context.current().runs
        if runs is None:
            return
        try:
            await runs.emit([event.body for event in waiting])
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            if status in ASK_AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            logger.error("Prefect refused %d events, which are dropped: %s", len(waiting), error)
        await db.write(prefect_outbox.remove, [event.id for event in waiting])
