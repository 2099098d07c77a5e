"""Background loop that checkpoints the ledger's write-ahead log by size and by time.

DuckDB does so by itself only at the end of a write during which nobody read; with many open pages that moment may not
come.
"""

import asyncio
import logging
import shutil
import time
from dataclasses import dataclass

import duckdb

from dashboards.runtime import context, db
from storage.domain.errors import LedgerClosed, TranscriberError
from storage.ledger.database import Ledger

logger = logging.getLogger(__name__)
LOOK_EVERY_S = 5.0
SLOW_S = 1.0
SPARE_BYTES = 8 << 20
"""A checkpoint needs room besides the log's size; one that fails costs the open file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointLimits:
    """When a checkpoint is due, and when and how long readers wait for one."""

    due_after_s: float = 300.0
    due_bytes: int = 4 << 20
    urgent_bytes: int = 32 << 20
    readers_within_s: float = 1.0


class Checkpointer:
    """Knows when the next checkpoint is due."""

    def __init__(self, ledger: Ledger, limits: CheckpointLimits | None = None) -> None:
        self._ledger, self._limits = ledger, limits or CheckpointLimits()
        self._last_s = time.monotonic()

    def look(self) -> bool:
        """Checkpoint if the log is large or old; return whether it did. Readers wait only for a very large one."""
        size_bytes, limits = self._ledger.wal_bytes(), self._limits
        is_old = size_bytes > 0 and time.monotonic() - self._last_s >= limits.due_after_s
        if size_bytes < limits.due_bytes and not is_old:
            return False
        if shutil.disk_usage(self._ledger.path.parent).free < size_bytes + SPARE_BYTES:
            logger.warning("the ledger's log is not checkpointed, because the disk is nearly full")
            return False
        is_urgent = size_bytes >= limits.urgent_bytes
        if not self._ledger.checkpoint(readers_within_s=limits.readers_within_s if is_urgent else 0.0):
            return False
        self._last_s = time.monotonic()
        if (took_s := self._ledger.checkpoints.last_s) >= SLOW_S:
            logger.warning("a checkpoint of %d MB took %.1f s", size_bytes >> 20, took_s)
        return True


async def keep_short() -> None:
    """Look at the log every few seconds; failures are retried."""
    checkpointer = Checkpointer(context.ledger())
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        try:
            await db.in_thread(checkpointer.look)
        except LedgerClosed:
            return
        except (duckdb.Error, OSError, TranscriberError) as error:
            logger.warning("the ledger's log could not be checkpointed: %s", error)
