"""Order the queue: lane by lane, users in turn."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from duckdb import DuckDBPyConnection

from storage.domain.clock import utc_now
from storage.domain.records import Job, Lane
from storage.jobs.job_rows import found

UNKNOWN_S = 300.0
"""Stands for the length of a recording whose header does not tell it."""
WAITING = """
WITH owners AS (
    SELECT owner_id, lane,
        count(*) FILTER (WHERE flow_run_id IS NOT NULL AND state NOT IN ('completed', 'failed', 'cancelled')) AS busy,
        sum(coalesce(duration_s, $unknown_s)) FILTER (
            WHERE flow_run_id IS NOT NULL AND state NOT IN ('completed', 'failed', 'cancelled')
        ) AS busy_s,
        max(submitted_at) AS served_at
    FROM jobs GROUP BY owner_id, lane
), waiting AS (
    SELECT id AS job_id, owner_id, lane, coalesce(duration_s, $unknown_s) AS audio_s,
        row_number() OVER earlier AS place,
        sum(coalesce(duration_s, $unknown_s)) OVER earlier - coalesce(duration_s, $unknown_s) AS ahead_s
    FROM jobs WHERE state = 'queued' AND flow_run_id IS NULL AND NOT held AND NOT list_contains($without, lane)
        AND ($models IS NULL OR list_contains($models, options ->> '$.model'))
    WINDOW earlier AS (PARTITION BY owner_id, lane ORDER BY moved_up_at DESC NULLS LAST, id)
), held AS (
    SELECT owner_id, sum(busy) AS of_all_lanes FROM owners GROUP BY owner_id
), turns AS (
    SELECT job_id, owner_id AS of_owner, audio_s, lane AS of_lane, busy,
        coalesce(busy_s, 0) + ahead_s AS turn_s, served_at,
        of_all_lanes + row_number() OVER (
            PARTITION BY owner_id
            ORDER BY CASE lane WHEN 'interactive' THEN 0 WHEN 'batch' THEN 1 ELSE 2 END, place
        ) AS owners_number
    FROM waiting JOIN owners USING (owner_id, lane) JOIN held USING (owner_id)
)
"""
IN_ORDER = """
ORDER BY CASE of_lane WHEN 'interactive' THEN 0 WHEN 'batch' THEN 1 ELSE 2 END, turn_s, busy DESC,
    served_at NULLS FIRST, job_id
"""
JOBS_OF_TURNS = "SELECT job_rows.* FROM job_rows JOIN turns ON job_id = id"
LENGTHS_OF_TURNS = "SELECT job_id, of_owner, of_lane, audio_s FROM turns"
WITHIN_LIMIT = " WHERE $each IS NULL OR owners_number <= $each "
FIRST_TWO = """
SELECT * FROM job_rows WHERE state = 'queued' AND flow_run_id IS NULL AND NOT held LIMIT 2
"""
NEXT_QUEUED = WAITING + JOBS_OF_TURNS + WITHIN_LIMIT + IN_ORDER + "LIMIT $limit"
PLACES = WAITING + LENGTHS_OF_TURNS + IN_ORDER


def next_queued(
    con: DuckDBPyConnection,
    limit: int,
    *,
    models: Collection[str] | None = None,
    without: Collection[Lane] = (),
    each: int | None = None,
) -> list[Job]:
    """Return the next jobs to submit to Prefect, in order.

    Lanes come one after the other. Within a lane users take turns by seconds of audio: the user with fewer of them in
    flight there (including those earlier in this list) comes first, then the one served longest ago, then the older
    job. A user's own jobs come in the order of their upload, after those that were moved to the front. Paused jobs,
    those that request other models than `models`, and those of the lanes in `without`, stand aside. So do those of a
    user who would have more than `each` in flight over all lanes.

    A job that waits alone is next without a query for the order, which takes several times as long as the rest.
    """
    con.execute(FIRST_TWO)
    waiting = found(con)
    if len(waiting) < 2 and each is None:
        waiting = [job for job in waiting if models is None or job.options.model in models]
        return [job for job in waiting if job.lane not in without][:limit]
    chosen = _chosen(None if models is None else list(models), [lane.value for lane in without])
    con.execute(NEXT_QUEUED, {"limit": limit, "each": each, **chosen})
    return found(con)


ONLY = """
SELECT min(id) FROM jobs
WHERE state NOT IN ('completed', 'failed', 'cancelled') AND (flow_run_id IS NOT NULL OR NOT held)
HAVING count(*) = 1 AND bool_and(state = 'queued' AND flow_run_id IS NULL)
"""
ONLY_JOB = "SELECT * FROM job_rows WHERE id = $id"


def only_one(con: DuckDBPyConnection) -> Job | None:
    """Return the job that waits while no other waits or is in flight.

    Paused ones do not count.
    """
    row = con.execute(ONLY).fetchone()
    if row is None:
        return None
    con.execute(ONLY_JOB, {"id": row[0]})
    return found(con)[0]


def _chosen(models: list[str] | None, without: list[str]) -> dict[str, Any]:
    return {"models": models, "without": without, "unknown_s": UNKNOWN_S}


WANTED = """
SELECT DISTINCT options ->> '$.model' FROM jobs
WHERE state = 'queued' AND flow_run_id IS NULL AND NOT held ORDER BY ALL
"""


def wanted_models(con: DuckDBPyConnection) -> list[str]:
    """Return the models that waiting jobs request, each once."""
    return [row[0] for row in con.execute(WANTED).fetchall()]


UNTOLD = """
WHERE state = 'queued' AND flow_run_id IS NULL AND NOT held AND detail <> $detail
    AND list_contains($models, options ->> '$.model') AND ($lane IS NULL OR lane = $lane)
"""
ANY_UNTOLD = f"SELECT count(*) FROM jobs {UNTOLD}"  # noqa: S608 - constants
NOTE_ALL = f"UPDATE jobs SET detail = $detail, updated_at = $now, version = version + 1 {UNTOLD} RETURNING id"  # noqa: S608


def is_untold(con: DuckDBPyConnection, detail: str, *, models: Collection[str], lane: Lane | None = None) -> bool:
    """Return whether `note_all` would change a job: a commit without any drops all kept answers."""
    values = {"detail": detail, "models": list(models), "lane": lane and lane.value}
    return bool(con.execute(ANY_UNTOLD, values).fetchall()[0][0])


def note_all(con: DuckDBPyConnection, detail: str, *, models: Collection[str], lane: Lane | None = None) -> list[str]:
    """Set the status line of waiting jobs that request one of the models.

    `lane` restricts them to one lane. Return the ids of those that had another one.
    """
    values = {"detail": detail, "now": utc_now(), "models": list(models), "lane": lane and lane.value}
    return [row[0] for row in con.execute(NOTE_ALL, values).fetchall()]


MISTOLD = """
WITH busy AS (
    SELECT owner_id FROM jobs WHERE flow_run_id IS NOT NULL AND state NOT IN ('completed', 'failed', 'cancelled')
    GROUP BY owner_id HAVING count(*) >= $each
), told AS (
    SELECT id, detail, flow_run_id IS NULL AND NOT list_contains($without, lane)
        AND list_contains($models, options ->> '$.model') AND owner_id IN (SELECT owner_id FROM busy) AS held
    FROM jobs WHERE state = 'queued'
)
SELECT id FROM told WHERE held <> (detail = $detail) AND (held OR detail = $detail) ORDER BY id
"""
TOLD_RIGHT = """
UPDATE jobs SET detail = CASE WHEN detail = $detail THEN '' ELSE $detail END, updated_at = $now, version = version + 1
WHERE id IN (SELECT unnest($ids::VARCHAR[])) AND state = 'queued'
"""


def mistold(
    con: DuckDBPyConnection, detail: str, *, each: int, models: Collection[str], without: Collection[Lane]
) -> list[str]:
    """Return the waiting jobs whose line about that limit is missing or out of date."""
    lanes = [lane.value for lane in without]
    asked = {"detail": detail, "each": each, "models": list(models), "without": lanes}
    return [row[0] for row in con.execute(MISTOLD, asked).fetchall()]


def tell_right(con: DuckDBPyConnection, detail: str, job_ids: Sequence[str]) -> None:
    """Turn the status line of these jobs on or off, see `mistold`."""
    con.execute(TOLD_RIGHT, {"detail": detail, "ids": list(job_ids), "now": utc_now()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A waiting job's place in the queue: `number` jobs are before it."""

    number: int
    owner_id: str
    lane: Lane
    audio_s: float


def places(con: DuckDBPyConnection) -> dict[str, Place]:
    """Return the place of each job that waits, in their order; 0 is next."""
    rows = con.execute(PLACES, _chosen(None, [])).fetchall()
    return {
        job_id: Place(number=number, owner_id=owner_id, lane=Lane(lane), audio_s=audio_s)
        for number, (job_id, owner_id, lane, audio_s) in enumerate(rows)
    }
