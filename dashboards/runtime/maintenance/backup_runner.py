"""Takes and tries backups of the open ledger, in a child process."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from dashboards.runtime import context, db
from storage.backup import backup_work
from storage.backup.backup_manifest import BackupManifest, origin_of
from storage.backup.backup_process import Order
from storage.backup.backup_store import BackupStore, DrillReport
from storage.backup.rotation import Kept
from storage.domain.clock import utc_now
from storage.domain.errors import BackupRunning, TranscriberError
from storage.domain.records import from_json
from storage.ledger import audit
from storage.maintenance import audit_heads
from storage.maintenance.audit_heads import AuditHead

COMMAND = (sys.executable, "-m", "storage.backup.backup_process")
ROOT = Path(__file__).parents[3]


class BackupFailed(TranscriberError):
    """A backup or a drill could not be done."""

    code = "backup_failed"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


def store() -> BackupStore:
    """Return the place of backups."""
    return BackupStore.from_settings(context.settings())


async def look() -> None:
    """List the backups again."""
    state = context.current().backups
    state.origin = await db.read(origin_of)
    state.kept = tuple(await db.in_thread(store().all))
    state.looked_at = utc_now()


async def take(*, actor: str = "system:backup") -> BackupManifest:
    """Back the ledger up, record it, and delete the backups that are no longer kept.

    Raises:
        BackupRunning: another backup or a drill is running.
        TranscriberError: it failed; nothing half-made is left.
    """
    async with _only_one("backup") as work:
        taken = await db.in_thread(backup_work.snapshot, context.ledger(), work)
        made = from_json(BackupManifest, await _child("pack", taken.id, taken.made_at, work))
        told = {"bytes": made.stored.size_bytes, "sha256": made.stored.sha256, "url": store().url}
        await db.write(audit.record, actor=actor, action="ledger.backup", subject=made.id, detail=told)
        backup = context.settings().backup
        kept = Kept(daily=backup.backup_daily, weekly=backup.backup_weekly, monthly=backup.backup_monthly)
        origin = made.contents.origin
        await db.in_thread(backup_work.prune, store(), kept, origin=origin, now=utc_now())
        await look()
    return made


async def drill(backup_id: str, *, actor: str = "system:backup") -> DrillReport:
    """Restore a backup on trial, compare it, and record the result.

    It is compared with its manifest and with this ledger.

    Raises:
        BackupRunning: a backup or another drill is running.
        TranscriberError: it could not be tried; that says nothing of the backup.
    """
    async with _only_one("drill") as work:
        manifest = await db.in_thread(store().manifest, backup_id)
        report = from_json(DrillReport, await _child("drill", manifest.id, manifest.made_at, work))
        missing = await _not_in_this_ledger(manifest)
        report = DrillReport(at=report.at, took_s=report.took_s, problems=(*report.problems, *missing))
        await db.in_thread(backup_work.record_drill, context.ledger(), store(), manifest.id, report, actor=actor)
        await look()
    return report


async def _not_in_this_ledger(manifest: BackupManifest) -> list[str]:
    """Compare a backup's audit chain with this ledger's, if it is its backup."""
    if await db.read(origin_of) != manifest.contents.origin:
        return []
    said = manifest.contents
    head = AuditHead(at=manifest.made_at, rows=said.audit_rows, hash=said.audit_head)
    return await db.read(audit_heads.compare, [head])


@asynccontextmanager
async def _only_one(what: str) -> AsyncIterator[Path]:
    """Hold the lock of backups while the block runs, and note how it ended."""
    state = context.current().backups
    held = backup_work.alone(context.ledger().path)
    if not state.begin(what):
        raise BackupRunning(str(context.ledger().path.parent))
    error: str | None = "it was interrupted"
    try:
        work = await db.in_thread(held.__enter__)
        try:
            yield work
        finally:
            await asyncio.shield(db.in_thread(held.__exit__, None, None, None))
        error = None
    except Exception as failure:
        error = str(failure)
        raise
    finally:
        state.end(now=utc_now(), error=error)


async def _child(do: Literal["pack", "drill"], backup_id: str, made_at: datetime, work: Path) -> bytes:
    """Let a child process do the work, which ends if this one does."""
    order = Order.of(context.settings(), do, backup_id, made_at, work)
    child = await asyncio.create_subprocess_exec(
        *COMMAND, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    try:
        answer, _ = await child.communicate(order.to_bytes())
    except BaseException:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
        raise
    if child.returncode == 0:
        return answer
    raise BackupFailed(_reason(answer, child.returncode))


def _reason(answer: bytes, status: int | None) -> str:
    try:
        refused: dict[str, Any] = json.loads(answer)["refused"]
    except (ValueError, KeyError):
        return f"the process of backups ended with status {status}; its log says why"
    return str(refused["message"])
