"""The pause of the platform for maintenance, for administrators' programs and the command line."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboards.http.error_responses import bad_request
from dashboards.http.identity import caller_of
from dashboards.runtime import db
from dashboards.services import account_management, platform_control
from dashboards.services.platform_control import PlatformState
from storage.domain.errors import BadRequest
from storage.jobs.platform_pause import MAX_REASON_CHARS

router = APIRouter(tags=["administration"])


class MaintenanceOrder(BaseModel):
    """Pause with a reason that everybody reads, or resume."""

    model_config = ConfigDict(extra="forbid")

    paused: bool = Field(examples=[True])
    reason: str | None = Field(None, max_length=MAX_REASON_CHARS, examples=["New disks, until noon"])

    def wanted(self) -> str | None:
        """Return the reason of the pause, or None to resume.

        Raises:
            BadRequest: there is no reason.
        """
        if not self.paused:
            return None
        if not (self.reason or "").strip():
            raise BadRequest("reason", "say why, in words that everybody reads")
        return self.reason


class MaintenanceState(BaseModel):
    """Whether the platform is paused, why, and how many recordings still run."""

    paused: bool
    reason: str | None = None
    since: datetime | None = None
    running: int = Field(description="Recordings that were handed out and are not finished; 0 means quiet.")


def shown(state: PlatformState) -> MaintenanceState:
    """Return the state as JSON has it."""
    pause = state.pause
    return MaintenanceState(
        paused=pause is not None,
        reason=pause.reason if pause else None,
        since=pause.since if pause else None,
        running=state.running,
    )


@router.get("/v1/admin/maintenance")
async def get_maintenance(request: Request) -> MaintenanceState:
    """Return whether the platform is paused, and how many recordings still run."""
    account_management.require_admin(caller_of(request).the_user(), "maintenance")
    return shown(await db.in_ledger(platform_control.state))


@router.put("/v1/admin/maintenance")
async def put_maintenance(request: Request, order: MaintenanceOrder) -> MaintenanceState:
    """Hand out no more recordings until the platform is resumed.

    Uploads are accepted and wait. What was handed out before is finished: `running` counts it.
    """
    user = caller_of(request).the_user()
    return shown(await db.in_ledger(platform_control.set_pause, user, order.wanted()))


class OperatorsOrder(MaintenanceOrder):
    """The same from the command line; `actor` is "cli:" and the operating system's user name."""

    actor: str = Field("cli:unknown", pattern=r"^cli:\S{1,100}$")


async def get_for_operator(_: Request) -> Response:
    """Return the same for the command line."""
    return JSONResponse(shown(await db.in_ledger(platform_control.state)).model_dump(mode="json"))


async def put_by_operator(request: Request) -> Response:
    """Pause or resume for the command line."""
    try:
        order = OperatorsOrder.model_validate_json(await request.body())
    except ValidationError as error:
        raise bad_request(error) from error
    state = await db.in_ledger(platform_control.set_by_operator, order.wanted(), actor=order.actor)
    return JSONResponse(shown(state).model_dump(mode="json"))


ROUTES = [
    Route("/internal/v1/admin/maintenance", get_for_operator, methods=["GET"]),
    Route("/internal/v1/admin/maintenance", put_by_operator, methods=["PUT"]),
]
