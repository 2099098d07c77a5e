"""`/api/v1/search`: full-text search of transcripts, for programs."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from dashboards.http.identity import caller_of
from dashboards.runtime import db, security_log
from dashboards.services import job_access, transcript_search
from storage.domain.scopes import Scope
from storage.search.search_query import MAX_CHARS

router = APIRouter(tags=["results"])
ASK = (
    'Words, prefixes (`budget*`), phrases (`"next steps"`), `AND`, `OR`, `NOT` or `-word`, parentheses, and filters: '
    "`speaker:`, `language:`, `name:`, `after:` and `before:` (2026, 2026-03 or 2026-03-31, days in UTC). "
    "Case and accents make no difference."
)


class MomentBody(BaseModel):
    """A moment in a recording."""

    start_s: float
    speaker: str | None
    text: str
    marks: list[tuple[int, int]] = Field(description="Ranges [from, to) of `text` that match, in characters.")


class ResultBody(BaseModel):
    """One matching transcript."""

    job_id: str
    owner_id: str
    name: str
    language: str | None
    duration_s: float | None
    created_at: datetime
    moments: list[MomentBody] = Field(description="The best matches, in order of time.")
    moments_total: int


class SearchBody(BaseModel):
    """A page of results, best first."""

    results: list[ResultBody]
    page: int
    pages: int
    total: int = Field(description="Number of matching transcripts.")
    hints: list[str] = Field(description="Parts of the query that could not be interpreted.")
    behind: int = Field(description="Transcripts that are not indexed yet; try again in a moment.")


@router.get("/v1/search")
async def search(
    request: Request,
    q: Annotated[str, Query(description=ASK, max_length=4 * MAX_CHARS)],
    page: Annotated[int, Query(ge=1, le=transcript_search.MAX_PAGE)] = 1,
    everybody: Annotated[bool, Query(description="All users' transcripts; for administrators.")] = False,
) -> SearchBody:
    """Search the text of transcripts."""
    user = caller_of(request).the_user()
    if everybody:
        caller_of(request).require(Scope.ADMIN)
    owner = job_access.listed_owner(user, everybody=everybody, doing="searching everybody's transcripts")
    if everybody:
        security_log.others_searched(user)
    found = await db.in_ledger(transcript_search.search, q, owner_id=owner, zone=UTC, page=page)
    return SearchBody(
        results=[_result(one) for one in found.results],
        page=found.page,
        pages=found.pages,
        total=found.total,
        hints=list(found.query.hints),
        behind=found.index.behind,
    )


def _result(found: transcript_search.Result) -> ResultBody:
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
