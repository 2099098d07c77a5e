"""Lists of jobs: filtered, sorted, in pages that stay correct while jobs change.

A page starts after the last row of the previous one (keyset pagination), never at an offset.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from duckdb import DuckDBPyConnection

from storage.domain.records import Job, JobState
from storage.domain.tags import with_folders
from storage.jobs import job_rows
from storage.jobs.annotations import tagging

SOME = "SELECT * FROM job_rows WHERE id IN (SELECT unnest($ids::VARCHAR[]))"


def some(con: DuckDBPyConnection, job_ids: Sequence[str]) -> list[Job]:
    """Return the existing jobs among these ids, in any order."""
    con.execute(SOME, {"ids": list(job_ids)})
    return job_rows.found(con)


class Sort(StrEnum):
    """The sort orders of a list."""

    NEWEST = "newest"
    OLDEST = "oldest"
    NAME = "name"
    LONGEST = "longest"
    SHORTEST = "shortest"
    STATE = "state"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """The filter of a list; None and empty match all.

    `model` is a name as readers see it, without a folder's path; `tag` is one as it is stored; `text` is searched in
    names. `shared` are recordings beside the owner's, which others share; with `only_shared` these alone.
    """

    owner_id: str | None = None
    shared: tuple[str, ...] = ()
    only_shared: bool = False
    states: tuple[JobState, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    language: str | None = None
    model: str | None = None
    tag: str | None = None
    text: str = ""


OWNED = "deleted_at IS NULL AND ($owner_id IS NULL AND owner_id <> 'canary' OR owner_id = $owner_id)"
OWNED_OR_SHARED = """
deleted_at IS NULL AND (owner_id = $owner_id AND NOT $only_shared OR id IN (SELECT unnest($shared::VARCHAR[])))
"""
"""A statement of its own, since looking for shared ones doubles the time of a list."""
FITS = """
  AND ($since IS NULL OR created_at >= $since) AND ($until IS NULL OR created_at < $until)
  AND ($language IS NULL OR language = $language)
  AND ($model IS NULL OR split_part(rtrim(model, '/'), '/', -1) = $model)
  AND ($text IS NULL OR contains(lower(strip_accents(name)), lower(strip_accents($text))))
"""
IN_STATES = "AND ($states IS NULL OR list_contains($states::VARCHAR[], state))"
RANKED = """
SELECT id, CASE $sort
        WHEN 'state' THEN CASE state WHEN 'transcribing' THEN 1 WHEN 'exporting' THEN 2 WHEN 'ingesting' THEN 3
            WHEN 'queued' THEN 4 WHEN 'failed' THEN 5 WHEN 'completed' THEN 6 ELSE 7 END
        WHEN 'longest' THEN -coalesce(duration_s, 0)
        WHEN 'shortest' THEN coalesce(duration_s, 1e9)
        ELSE 0 END::DOUBLE AS rank,
    CASE $sort WHEN 'name' THEN lower(strip_accents(name)) ELSE '' END AS word
FROM jobs WHERE
"""
FITTING = "SELECT id, rank, word FROM fitting"
DOWN = """
WHERE $id IS NULL OR rank > $rank OR rank = $rank AND (word > $word OR word = $word AND id < $id)
ORDER BY rank, word, id DESC LIMIT $limit
"""
BY_ID = "SELECT * FROM job_rows WHERE "
NEWEST = " AND ($id IS NULL OR id < $id) ORDER BY id DESC LIMIT $limit"
OLDEST = " AND ($id IS NULL OR id > $id) ORDER BY id LIMIT $limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a list; `next` is the next page's cursor, or None."""

    jobs: tuple[Job, ...]
    next: str | None


def page(
    con: DuckDBPyConnection, wanted: JobFilter, *, sort: Sort = Sort.NEWEST, after: str | None = None, limit: int = 25
) -> Page:
    """Return the matching jobs in this order, from the cursor `after` on.

    An invalid cursor, or one of another order, starts at the top.
    """
    rank, word, job_id = _opened(after, sort)
    if sort in {Sort.NEWEST, Sort.OLDEST}:
        statement = BY_ID + _fitting(wanted) + IN_STATES + (NEWEST if sort is Sort.NEWEST else OLDEST)
        con.execute(statement, _asked(wanted) | {"id": job_id, "limit": limit + 1})
        jobs = job_rows.found(con)
        last = _closed((jobs[limit - 1].id, 0.0, ""), sort) if len(jobs) > limit else None
        return Page(jobs=tuple(jobs[:limit]), next=last)
    told = {"sort": sort.value, "rank": rank, "word": word, "id": job_id, "limit": limit + 1}
    fitting = RANKED + _fitting(wanted) + IN_STATES
    rows = con.execute(f"WITH fitting AS ({fitting}) {FITTING} {DOWN}", _asked(wanted) | told).fetchall()
    picked = rows[:limit]
    found = {job.id: job for job in some(con, [row[0] for row in picked])}
    last = _closed(picked[-1], sort) if len(rows) > limit else None
    return Page(jobs=tuple(found[row[0]] for row in picked), next=last)


COUNTS = "SELECT state, count(*) FROM jobs WHERE "


def counts(con: DuckDBPyConnection, wanted: JobFilter) -> dict[JobState, int]:
    """Return the number of matching jobs in each state, regardless of the filter's states."""
    asked = {name: value for name, value in _asked(wanted).items() if name != "states"}
    there = {
        JobState(state): int(number)
        for state, number in con.execute(COUNTS + _fitting(wanted) + "GROUP BY state", asked).fetchall()
    }
    return {state: there.get(state, 0) for state in JobState}


CHOICES = """
SELECT list(DISTINCT language ORDER BY language), list(DISTINCT name ORDER BY name) FROM (
    SELECT language, owner_id, deleted_at, split_part(rtrim(model, '/'), '/', -1) AS name FROM jobs
)
WHERE deleted_at IS NULL AND ($owner_id IS NULL AND owner_id <> 'canary' OR owner_id = $owner_id)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterChoices:
    """The available values of the filters."""

    languages: tuple[str, ...]
    models: tuple[str, ...]
    tags: tuple[str, ...]


def choices(con: DuckDBPyConnection, owner_id: str | None = None) -> FilterChoices:
    """Return the languages, the names of models and the tags that the jobs have."""
    languages, models = con.execute(CHOICES, {"owner_id": owner_id}).fetchall()[0]
    return FilterChoices(
        languages=tuple(one for one in languages or () if one),
        models=tuple(one for one in models or () if one),
        tags=with_folders(tagging.used(con, owner_id)),
    )


STATISTICS = """
SELECT count(*), count(*) FILTER (WHERE state = 'completed'), count(*) FILTER (WHERE state = 'failed'),
    count(*) FILTER (WHERE state IN ('queued', 'ingesting', 'transcribing', 'exporting')),
    count(*) FILTER (WHERE created_at >= $month), coalesce(sum(duration_s) FILTER (WHERE state = 'completed'), 0)
FROM jobs WHERE deleted_at IS NULL AND ($owner_id IS NULL OR owner_id = $owner_id)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Totals of one owner's jobs, or of all."""

    total: int
    completed: int
    failed: int
    processing: int
    this_month: int
    heard_s: float

    @property
    def success(self) -> float | None:
        """The share of ended jobs that completed; None before any has ended."""
        ended = self.completed + self.failed
        return self.completed / ended if ended else None


def statistics(con: DuckDBPyConnection, owner_id: str | None, *, month: datetime) -> Statistics:
    """Count the jobs that are not deleted; `month` is the start of the reader's month."""
    row = con.execute(STATISTICS, {"owner_id": owner_id, "month": month}).fetchall()[0]
    total, completed, failed, processing, this_month, heard_s = row
    return Statistics(
        total=total,
        completed=completed,
        failed=failed,
        processing=processing,
        this_month=this_month,
        heard_s=heard_s,
    )


def condition(wanted: JobFilter) -> tuple[str, dict[str, Any]]:
    """Return a filter as a condition on rows of `jobs`, with its parameters."""
    return _fitting(wanted) + IN_STATES, _asked(wanted)


def _has_shared(wanted: JobFilter) -> bool:
    return wanted.owner_id is not None and bool(wanted.shared or wanted.only_shared)


def _fitting(wanted: JobFilter) -> str:
    """Return the condition that a filter stands for, without its states."""
    return (OWNED_OR_SHARED if _has_shared(wanted) else OWNED) + job_rows.HAS_TAG + FITS


def _asked(wanted: JobFilter) -> dict[str, Any]:
    asked = {name: getattr(wanted, name) for name in ("owner_id", "since", "until", "language", "model", "tag")}
    if _has_shared(wanted):
        asked |= {"shared": list(wanted.shared), "only_shared": wanted.only_shared}
    return asked | {"states": [str(one) for one in wanted.states] or None, "text": wanted.text.strip() or None}


def _closed(row: tuple[str, float, str], sort: Sort) -> str:
    job_id, rank, word = row
    return base64.urlsafe_b64encode(json.dumps([sort, rank, word, job_id]).encode()).decode().rstrip("=")


def _opened(after: str | None, sort: Sort) -> tuple[float | None, str | None, str | None]:
    try:
        of, rank, word, job_id = json.loads(base64.urlsafe_b64decode(f"{after or ''}==="))
        if of == sort:
            return float(rank), str(word), str(job_id)
    except (ValueError, TypeError):
        pass
    return None, None, None
