"""Retention rules and legal holds for the command line."""

import json
from typing import TypeVar

from duckdb import DuckDBPyConnection
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboards.http.error_responses import bad_request
from dashboards.runtime import db
from dashboards.services import retention_rules
from storage.domain.clock import utc_now
from storage.domain.records import to_json
from storage.jobs import legal_holds
from storage.jobs.kept_parts import KeptPart
from storage.jobs.legal_holds import HoldKind
from storage.maintenance import retention
from storage.maintenance.retention import EVERYBODY, RetentionState, Rule, RuleKind

T = TypeVar("T", bound=BaseModel)


class RuleOrder(BaseModel):
    """A rule; a person is named as the account is."""

    model_config = ConfigDict(extra="forbid")

    actor: str = Field("cli:unknown", pattern=r"^cli:\S{1,100}$")
    kind: RuleKind
    subject: str = Field(EVERYBODY, min_length=1, max_length=200)
    part: KeptPart
    days: float | None = None

    def rule(self, con: DuckDBPyConnection) -> Rule:
        subject = retention.subject_of(con, self.kind, self.subject)
        return Rule(kind=self.kind, subject=subject, part=self.part, days=self.days)


class HoldOrder(BaseModel):
    """A hold, with its reason where it is placed."""

    model_config = ConfigDict(extra="forbid")

    actor: str = Field("cli:unknown", pattern=r"^cli:\S{1,100}$")
    kind: HoldKind
    subject: str = Field(min_length=1, max_length=200)
    reason: str = ""


async def _read(request: Request, kind: type[T]) -> T:
    try:
        return kind.model_validate_json(await request.body() or b"{}")
    except ValidationError as error:
        raise bad_request(error) from error


async def show(_: Request) -> Response:
    """Return the rules, the holds, and what is due now; nothing is deleted."""
    return _told(await db.read(retention.state, now=utc_now()))


async def change_rule(request: Request) -> Response:
    """Set or remove a rule, and return what is due then."""
    order = await _read(request, RuleOrder)
    change = retention.put if request.method == "PUT" else retention.remove
    await db.write(lambda con: change(con, order.rule(con), actor=order.actor))
    return await show(request)


async def change_hold(request: Request) -> Response:
    """Place or release a legal hold."""
    order = await _read(request, HoldOrder)

    def change(con: DuckDBPyConnection) -> None:
        subject = retention.subject_of(con, RuleKind(order.kind), order.subject)
        if request.method == "PUT":
            legal_holds.put(con, order.kind, subject, reason=order.reason, actor=order.actor)
        else:
            legal_holds.release(con, order.kind, subject, actor=order.actor)

    await db.write(change)
    return await show(request)


async def run(_: Request) -> Response:
    """Delete what is due now, rather than within the hour."""
    return JSONResponse({"deleted": await db.in_thread(retention_rules.apply_by_operator)})


def _told(state: RetentionState) -> Response:
    return JSONResponse(json.loads(to_json(state)))


ROUTES = [
    Route("/internal/v1/admin/retention", show, methods=["GET"]),
    Route("/internal/v1/admin/retention/rules", change_rule, methods=["PUT", "DELETE"]),
    Route("/internal/v1/admin/retention/holds", change_hold, methods=["PUT", "DELETE"]),
    Route("/internal/v1/admin/retention/runs", run, methods=["POST"]),
]
