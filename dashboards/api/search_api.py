"""`/api/v1/search`: the words of all transcripts, for programs."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from dashboards import context, searching
from dashboards.callers import caller_of
from storage.errors import NotAllowed
from storage.search_query import MAX_CHARS

router = APIRouter(tags=["results"])
ASK = (
    'Words, prefixes (`budget*`), phrases (`"next steps"`), `AND`, `OR`, `NOT` or `-word`, parentheses, and filters: '
    "`speaker:`, `language:`, `name:`, `after:` and `before:` (2026, 2026-03 or 2026-03-31, days in UTC). "
    "Case and accents make no difference."
)


class MomentBody(BaseModel):
    """A place in a recording."""

    start_s: float
    speaker: str | None
    text: str
    marks: list[tuple[int, int]] = Field(description="Stretches [from, to) of `text`, in characters, that answer.")


class ResultBody(BaseModel):
    """One transcript that was found."""

    job_id: str
    owner_id: str
    name: str
    language: str | None
    duration_s: float | None
    created_at: datetime
    moments: list[MomentBody] = Field(description="The best few, in the order of the recording.")
    moments_total: int


class SearchBody(BaseModel):
    """A page of results, best first."""

    results: list[ResultBody]
    page: int
    pages: int
    total: int = Field(description="Transcripts found, on all pages.")
    hints: list[str] = Field(description="What of the query could not be understood.")
    behind: int = Field(description="Transcripts that are not in the index yet; ask again in a moment.")


@router.get("/v1/search")
async def search(
    request: Request,
    q: Annotated[str, Query(description=ASK, max_length=4 * MAX_CHARS)],
    page: Annotated[int, Query(ge=1, le=searching.MAX_PAGE)] = 1,
    everybody: Annotated[bool, Query(description="All users' transcripts; for administrators.")] = False,
) -> SearchBody:
    """Search the text of transcripts."""
    caller = caller_of(request)
    if everybody and not caller.is_admin:
        raise NotAllowed("searching everybody's transcripts", "an administrator")
    owner = None if everybody else caller.the_user().id
    found = await context.in_ledger(searching.search, q, owner_id=owner, zone=UTC, page=page)
    return SearchBody(
        results=[_result(one) for one in found.results],
        page=found.page,
        pages=found.pages,
        total=found.total,
        hints=list(found.query.hints),
        behind=found.index.behind,
    )


def _result(found: searching.Result) -> ResultBody:
    job = found.job
    shown = [
        MomentBody(start_s=one.start_s, speaker=one.speaker, text=one.text, marks=list(one.marks))
        for one in found.moments.shown
    ]
    return ResultBody(
        job_id=job.id,
        owner_id=job.owner_id,
        name=job.name,
        language=job.language,
        duration_s=job.duration_s,
        created_at=job.created_at,
        moments=shown,
        moments_total=found.moments.total,
    )
