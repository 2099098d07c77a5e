"""Exports of datasets for the scheduled flow and the command line: begin one, follow it."""

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboards.http.error_responses import bad_request
from dashboards.http.identity import caller_of
from dashboards.services.datasets import dataset_runs
from storage.domain.errors import DatasetsRunning


class FlowsOrder(BaseModel):
    """Export to the configured place, what changed or everything."""

    model_config = ConfigDict(extra="forbid")

    full: bool = False


class OperatorsExport(FlowsOrder):
    """The same from the command line, which may also name another place."""

    actor: str = Field("cli:unknown", pattern=r"^cli:\S{1,100}$")
    to: str | None = Field(None, min_length=1, max_length=1000)


async def begin_for_flow(request: Request) -> Response:
    """Begin an export unless one is running, which then is followed instead."""
    try:
        order = FlowsOrder.model_validate_json(await request.body() or b"{}")
    except ValidationError as error:
        raise bad_request(error) from error
    dataset_runs.begin(actor=caller_of(request).recorded_as, full=order.full)
    return JSONResponse(dataset_runs.told(), 202)


async def begin_for_operator(request: Request) -> Response:
    """Begin an export, also to another place."""
    try:
        order = OperatorsExport.model_validate_json(await request.body() or b"{}")
    except ValidationError as error:
        raise bad_request(error) from error
    if not dataset_runs.begin(actor=order.actor, full=order.full, url=order.to):
        raise DatasetsRunning
    return JSONResponse(dataset_runs.told(), 202)


async def follow(_: Request) -> Response:
    """Say whether an export is running, and how the last one ended."""
    return JSONResponse(dataset_runs.told())


ROUTES = [
    Route("/internal/v1/datasets/exports", begin_for_flow, methods=["POST"]),
    Route("/internal/v1/datasets/exports", follow, methods=["GET"]),
    Route("/internal/v1/admin/datasets", begin_for_operator, methods=["POST"]),
    Route("/internal/v1/admin/datasets", follow, methods=["GET"]),
]
