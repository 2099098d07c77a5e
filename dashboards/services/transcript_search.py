"""Full-text search for the page and the API: parsed query, results, and missing transcripts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo

from dashboards.runtime import context, db
from storage.domain.languages import NAMES
from storage.domain.records import Job
from storage.jobs import collaborators, listing
from storage.search.ranking import find
from storage.search.search_index import IndexStatus
from storage.search.search_query import Query, parse
from storage.search.snippets import Moments, moments

PAGE_RESULTS = 10
MAX_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One matching transcript."""

    job: Job
    moments: Moments


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A page of results."""

    query: Query
    results: tuple[Result, ...] = ()
    page: int = 1
    pages: int = 1
    total: int = 0
    index: IndexStatus


def search(text: str, *, owner_id: str | None, zone: tzinfo, page: int = 1) -> Answer:
    """Search the transcripts that one user owns or reads, or everybody's; `page` counts from 1.

    Raises:
        NotReady: the index is being rebuilt.
    """
    query = _with_codes(parse(text, zone))
    page = min(max(1, page), MAX_PAGE)
    index = context.current().search
    shared = db.look(collaborators.shared_with, owner_id) if owner_id else ()
    with index.read() as con:
        some = {"offset": PAGE_RESULTS * (page - 1), "limit": PAGE_RESULTS}
        hits = find(con, query, owner_id=owner_id, shared=shared, **some)
        found = _still_there(hits.job_ids, owner_id, shared)
        where = moments(con, list(found), hits.phrases, speakers=query.speakers) if found else {}
    results = tuple(Result(job=found[job_id], moments=where[job_id]) for job_id in hits.job_ids if job_id in found)
    pages = max(1, -(-hits.total // PAGE_RESULTS))
    return Answer(query=query, results=results, page=page, pages=pages, total=hits.total, index=index.status)


def _still_there(job_ids: Sequence[str], owner_id: str | None, shared: Sequence[str]) -> dict[str, Job]:
    """Return the jobs that the user still owns or reads, according to the ledger."""
    if not job_ids:
        return {}
    with context.ledger().read() as con:
        rows = listing.some(con, job_ids)
    return {
        job.id: job for job in rows if not job.deleted_at and (owner_id in {None, job.owner_id} or job.id in shared)
    }


def _with_codes(query: Query) -> Query:
    """Accept English names of languages in the query, too."""
    return replace(query, languages=_codes(query.languages), without_languages=_codes(query.without_languages))


def _codes(languages: Sequence[str]) -> tuple[str, ...]:
    return tuple({name: code for code, name in NAMES.items()}.get(one.lower(), one.lower()) for one in languages)
