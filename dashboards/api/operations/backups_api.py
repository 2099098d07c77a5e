"""Backups for the command line: begin one, try one, list them."""

import logging
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboards.http.error_responses import bad_request
from dashboards.runtime import context, db
from dashboards.runtime.maintenance import backup_runner
from storage.backup.backup_manifest import origin_of
from storage.backup.backup_store import NEWEST, KeptBackup
from storage.domain.errors import BackupRunning, BadRequest, TranscriberError
from storage.maintenance import housekeeping

logger = logging.getLogger(__name__)
T = TypeVar("T", bound=BaseModel)


class BackupOrder(BaseModel):
    """Begin a backup, or copy the ledger to the file `to`."""

    model_config = ConfigDict(extra="forbid")

    actor: str = Field("cli:unknown", pattern=r"^cli:\S{1,100}$")
    to: Path | None = None


class DrillOrder(BaseModel):
    """Begin the drill of a backup."""

    model_config = ConfigDict(extra="forbid")

    actor: str = Field("cli:unknown", pattern=r"^cli:\S{1,100}$")
    id: str = NEWEST


async def _read(request: Request, kind: type[T]) -> T:
    try:
        return kind.model_validate_json(await request.body() or b"{}")
    except ValidationError as error:
        raise bad_request(error) from error


async def begin_backup(request: Request) -> Response:
    """Begin a backup, which goes on behind the answer.

    With `to`, the ledger is copied to this file instead."""
    order = await _read(request, BackupOrder)
    if order.to is None:
        return _begin(backup_runner.take(actor=order.actor), "a backup")
    try:
        path = await db.in_thread(housekeeping.backup, context.ledger(), order.to, actor=order.actor)
    except FileExistsError as error:
        raise BadRequest("to", str(error)) from error
    return JSONResponse({"path": str(path)})


async def begin_drill(request: Request) -> Response:
    """Begin the drill of a backup, which goes on behind the answer."""
    order = await _read(request, DrillOrder)
    origin = await db.read(origin_of)
    manifest = await db.in_thread(backup_runner.store().manifest, order.id, origin=origin)
    return _begin(backup_runner.drill(manifest.id, actor=order.actor), "a drill", id=manifest.id)


def _begin(work: Coroutine[Any, Any, object], name: str, **told: str) -> Response:
    state = context.current().backups
    if state.running:
        work.close()
        raise BackupRunning(str(context.ledger().path.parent))
    context.current().background.start(_logged(work), name)
    return JSONResponse({"began": True, "runs": state.runs, **told}, 202)


async def _logged(work: Coroutine[Any, Any, object]) -> None:
    try:
        await work
    except TranscriberError as error:  # the state has it, where the command line reads it
        logger.warning("%s", error)


async def list_backups(_: Request) -> Response:
    """List the backups that are there, and say what runs and what failed."""
    state = context.current().backups
    if not state.running:
        await backup_runner.look()
    told = {"runs": state.runs, "running": state.running, "error": state.error, "url": backup_runner.store().url}
    return JSONResponse(told | {"backups": [shown(one, is_ours=one in state.ours) for one in state.kept]})


def shown(one: KeptBackup, *, is_ours: bool) -> dict[str, Any]:
    """Return one backup as JSON has it."""
    made, drill = one.manifest, one.drill
    return {
        "id": made.id,
        "ours": is_ours,
        "made_at": made.made_at.isoformat(),
        "bytes": made.stored.size_bytes,
        "encrypted": made.recipient is not None,
        "program": made.program,
        "jobs": made.contents.rows.get("jobs", 0),
        "audit_rows": made.contents.audit_rows,
        "drill": drill and {"at": drill.at.isoformat(), "passed": drill.passed, "problems": list(drill.problems)},
    }


ROUTES = [
    Route("/internal/v1/admin/backups", begin_backup, methods=["POST"]),
    Route("/internal/v1/admin/backups", list_backups, methods=["GET"]),
    Route("/internal/v1/admin/drills", begin_drill, methods=["POST"]),
]
