"""The audit log as a file: what the filters leave, as CSV or JSON Lines, made while it is sent."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from dashboards import context
from dashboards.callers import caller_of
from storage import audit
from storage.errors import NotAllowed
from storage.records import AuditRow

CHUNK = 2000
FIELDS = ("seq", "happened_at", "actor", "action", "subject", "detail", "hash")
TYPES = {"csv": "text/csv", "jsonl": "application/x-ndjson"}
RISKY = ("=", "+", "-", "@", "\t", "\r")


class Wanted(BaseModel):
    """What the address asks for; an empty field is none."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["csv", "jsonl"] = "csv"
    actor: str | None = Field(None, max_length=300)
    action: str | None = Field(None, max_length=100)
    subject: str | None = Field(None, max_length=300)
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


async def export(request: Request) -> Response:
    """Send the rows, newest first; that they were taken is a row itself."""
    caller = caller_of(request)
    if not caller.is_admin:
        raise NotAllowed("the audit log", "an administrator")
    wanted = Wanted.model_validate({key: value for key, value in request.query_params.items() if value})
    filters = wanted.model_dump(exclude={"format"})
    told = {key: str(value) for key, value in filters.items() if value}
    await context.write(audit.record, actor=caller.actor, action="audit.export", subject=wanted.format, detail=told)
    headers = {"Content-Disposition": f'attachment; filename="audit.{wanted.format}"'}
    lines = _csv(filters) if wanted.format == "csv" else _jsonl(filters)
    return StreamingResponse(lines, media_type=TYPES[wanted.format], headers=headers)


def _rows(filters: dict[str, str | datetime | None]) -> Iterator[list[AuditRow]]:
    before: int | None = None
    while True:
        with context.ledger().read() as con:
            rows = audit.page(con, before_seq=before, limit=CHUNK, **filters)  # type: ignore[arg-type]
        if not rows:
            return
        yield rows
        before = rows[-1].seq


def _values(row: AuditRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in FIELDS} | {"happened_at": row.happened_at.isoformat()}


def _jsonl(filters: dict[str, str | datetime | None]) -> Iterator[str]:
    for rows in _rows(filters):
        yield "".join(json.dumps(_values(row), ensure_ascii=False) + "\n" for row in rows)


def _csv(filters: dict[str, str | datetime | None]) -> Iterator[str]:
    yield ",".join(FIELDS) + "\r\n"
    for rows in _rows(filters):
        text = io.StringIO()
        out = csv.writer(text)
        for row in rows:
            values = _values(row) | {"detail": json.dumps(row.detail, ensure_ascii=False)}
            out.writerow([_harmless(str(values[name])) for name in FIELDS])
        yield text.getvalue()


def _harmless(value: str) -> str:
    """Keep a spreadsheet from taking a value for a formula (OWASP, CSV injection)."""
    return f"'{value}" if value.startswith(RISKY) else value


ROUTES = [Route("/audit/export", export, methods=["GET"])]
