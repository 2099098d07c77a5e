"""The audit log for administrators: rows, counts, and exports streamed while they are built.

`/api/v1/admin/audit` is for programs, `/audit/export` for the pages' buttons.
"""

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from dashboards.http.identity import Caller, caller_of
from dashboards.presenters import csv_text
from dashboards.runtime import context, db
from storage.domain.audit_actions import SECURITY_KINDS, AuditAction, AuditKind, of_kinds
from storage.domain.clock import utc_now
from storage.domain.errors import NotAllowed
from storage.domain.records import AuditRow
from storage.ledger import audit

router = APIRouter(tags=["admin"])
FIELDS = (
    *("seq", "happened_at", "actor", "action", "subject", "detail", "hash"),
    *("address", "agent", "request_id", "key_id"),
)
SECURITY = "security"
TYPES = {"csv": "text/csv", "jsonl": "application/x-ndjson"}


class AuditFilter(BaseModel):
    """The filter in the URL; an empty field does not filter."""

    model_config = ConfigDict(extra="forbid")

    actor: str | None = Field(None, max_length=300, description="`user:` and an id, or a prefix such as `worker`.")
    action: str | None = Field(None, max_length=100, description="Such as `login.fail`.")
    kind: Literal["security"] | AuditKind | None = Field(None, description="`security` is every kind but `recording`.")
    subject: str | None = Field(None, max_length=300, description="The id of a user, key, recording or link.")
    address: str | None = Field(None, max_length=64)
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None

    def filters(self) -> dict[str, Any]:
        """Return arguments of `audit.page`."""
        kinds: tuple[AuditKind, ...] = ()
        if self.kind:
            kinds = SECURITY_KINDS if self.kind == SECURITY else (AuditKind(self.kind),)
        known = {name: getattr(self, name) for name in ("actor", "action", "subject", "address", "since", "until")}
        return known | {"actions": of_kinds(kinds) if kinds else None}

    def told(self) -> dict[str, str]:
        """Return what filters, for the row that records the export."""
        return {name: str(value) for name, value in self if value and name != "format"}


class AuditOrder(AuditFilter):
    """The filter with the format of the file."""

    format: Literal["csv", "jsonl"] = "csv"


def require_admin(request: Request) -> Caller:
    """Return the caller, who must be an administrator.

    Raises:
        NotAllowed: they are not.
    """
    caller = caller_of(request)
    if not caller.is_admin:
        raise NotAllowed("the audit log", "an administrator")
    return caller


async def export_page(request: Request) -> Response:
    """Send the rows, newest first; the export itself is recorded as a row."""
    require_admin(request)
    wanted = {key: value for key, value in request.query_params.items() if value}
    return await exported(request, AuditOrder.model_validate(wanted))


async def exported(request: Request, wanted: AuditOrder) -> Response:
    """Send the wanted rows to an administrator."""
    caller, filters = require_admin(request), wanted.filters()
    await db.write(audit.record, actor=caller.actor, action="audit.export", subject=wanted.format, detail=wanted.told())
    headers = {"Content-Disposition": f'attachment; filename="audit.{wanted.format}"'}
    lines = _csv(filters) if wanted.format == "csv" else _jsonl(filters)
    return StreamingResponse(lines, media_type=TYPES[wanted.format], headers=headers)


def _rows(filters: dict[str, Any]) -> Iterator[list[AuditRow]]:
    before, limit = None, context.current().limits.audit_export_rows
    while True:
        with context.ledger().read() as con:
            rows = audit.page(con, before_seq=before, limit=limit, **filters)
        if not rows:
            return
        yield rows
        before = rows[-1].seq


def _values(row: AuditRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in FIELDS} | {"happened_at": row.happened_at.isoformat()}


def _jsonl(filters: dict[str, Any]) -> Iterator[str]:
    for rows in _rows(filters):
        yield "".join(json.dumps(_values(row), ensure_ascii=False) + "\n" for row in rows)


def _csv(filters: dict[str, Any]) -> Iterator[str]:
    yield ",".join(FIELDS) + "\r\n"
    for rows in _rows(filters):
        text = io.StringIO()
        out = csv.writer(text)
        for row in rows:
            values = _values(row) | {"detail": json.dumps(row.detail, ensure_ascii=False)}
            out.writerow(["" if values[name] is None else csv_text.cell(str(values[name])) for name in FIELDS])
        yield text.getvalue()


class AuditPageOrder(AuditFilter):
    """The filter with the place in the log."""

    before: int | None = Field(None, ge=1, description="Rows before this `seq`, such as the last answer's `next`.")
    limit: int = Field(100, ge=1, le=1000)


class AuditRowBody(BaseModel):
    """A row of the audit log; `hash` covers it and the previous hash."""

    seq: int
    happened_at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    address: str | None
    agent: str | None
    request_id: str | None
    key_id: str | None
    hash: str


class AuditPageBody(BaseModel):
    """Rows, newest first; `next` is the `before` of the following page."""

    rows: list[AuditRowBody]
    next: int | None


class AuditCountBody(BaseModel):
    """How often an action was recorded lately."""

    action: str
    kind: AuditKind
    day: int = Field(description="In the last 24 hours.")
    week: int = Field(description="In the last 7 days.")
    month: int = Field(description="In the last 30 days.")


@router.get("/v1/admin/audit")
async def rows(request: Request, asked: Annotated[AuditPageOrder, Query()]) -> AuditPageBody:
    """Return rows of the audit log, newest first, to an administrator."""
    require_admin(request)
    found = await db.read(audit.page, before_seq=asked.before, limit=asked.limit + 1, **asked.filters())
    shown = found[: asked.limit]
    bodies = [AuditRowBody.model_validate(row, from_attributes=True) for row in shown]
    return AuditPageBody(rows=bodies, next=shown[-1].seq if len(found) > len(shown) else None)


@router.get("/v1/admin/audit/counts")
async def counts(request: Request) -> list[AuditCountBody]:
    """Return how often each kind of security event happened lately, to an administrator."""
    require_admin(request)
    found = await db.read(audit.counts, of_kinds(SECURITY_KINDS), now=utc_now())
    return [
        AuditCountBody(action=name, kind=AuditAction(name).spec.kind, day=one.day, week=one.week, month=one.month)
        for name, one in found.items()
    ]


@router.get(
    "/v1/admin/audit/export",
    response_class=Response,
    responses={200: {"content": {media_type: {} for media_type in TYPES.values()}}},
)
async def export(request: Request, asked: Annotated[AuditOrder, Query()]) -> Response:
    """Return the matching rows as CSV or JSON Lines; the export is recorded."""
    return await exported(request, asked)


ROUTES = [Route("/audit/export", export_page, methods=["GET"])]
