"""Exports datasets, for the page, the scheduled flow and the command line."""

import logging
from typing import Any

from dashboards.runtime import context, db
from dashboards.runtime.maintenance.dataset_state import DatasetState
from dashboards.services import account_management
from storage.datasets import dataset_export
from storage.datasets.dataset_export import Exported
from storage.datasets.dataset_place import DatasetPlace
from storage.domain.errors import DatasetsRunning, TranscriberError
from storage.domain.records import User

logger = logging.getLogger(__name__)


def state() -> DatasetState:
    return context.current().datasets


def place() -> DatasetPlace:
    """Return the configured place."""
    return DatasetPlace.from_settings(context.settings())


def export_now(user: User) -> Exported:
    """Export what changed, and return when it is done.

    Raises:
        NotAllowed: the user is no administrator.
        DatasetsRunning: an export is running.
        TranscriberError: it failed, for the reason that is shown.
    """
    account_management.require_admin(user, "exporting datasets")
    if not state().begin():
        raise DatasetsRunning
    return _export(place(), full=False, actor=user.actor)


def begin(*, actor: str, full: bool, url: str | None = None) -> bool:
    """Begin an export behind the answer; return False if one is running."""
    target = DatasetPlace.at(url, context.settings()) if url else place()
    if not state().begin():
        return False
    context.current().background.start(_logged(target, full=full, actor=actor), "an export of datasets")
    return True


async def _logged(target: DatasetPlace, *, full: bool, actor: str) -> None:
    try:
        await db.in_thread(_export, target, full=full, actor=actor)
    except TranscriberError as error:  # the state has it, where the caller reads it
        logger.warning("%s", error)


def _export(target: DatasetPlace, *, full: bool, actor: str) -> Exported:
    """Export; the caller has begun in the state."""
    done: Exported | None = None
    problem: str | None = "it was interrupted; the log says why"
    try:
        cost = context.settings().datasets.device_hour_cost
        done = dataset_export.export(context.ledger(), target, actor=actor, full=full, device_hour_cost=cost)
        problem = None
        return done
    except TranscriberError as error:
        problem = str(error)
        raise
    finally:
        state().end(done, problem)


def told() -> dict[str, Any]:
    """Return what the flow and the command line follow."""
    here = state()
    answer: dict[str, Any] = {"runs": here.runs, "running": here.running, "error": here.error}
    if (last := here.last) is not None:
        written = [{"partition": one.name, "rows": one.rows, "bytes": one.size_bytes} for one in last.written]
        answer |= {"url": last.url, "written": written, "deleted": list(last.deleted), "took_s": last.took_s}
    return answer
