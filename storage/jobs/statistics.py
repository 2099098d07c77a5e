"""Statistics for administrators: throughput, failures, backlog and storage."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from duckdb import DuckDBPyConnection

from storage.domain.records import Job, Lane
from storage.jobs.job_rows import found


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """The jobs that ended in one hour; `heard_s` is the length of the completed ones."""

    start: datetime
    completed: int
    failed: int
    heard_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """One lane: waiting jobs, jobs in progress, and since when the oldest waits."""

    lane: Lane
    waiting: int
    in_hand: int
    oldest: datetime | None


HOURS = """
SELECT date_trunc('hour', finished_at) AS hour,
    count(*) FILTER (WHERE state = 'completed'), count(*) FILTER (WHERE state = 'failed'),
    coalesce(sum(duration_s) FILTER (WHERE state = 'completed'), 0)
FROM jobs WHERE finished_at >= $since AND state IN ('completed', 'failed') AND owner_id <> 'canary'
GROUP BY hour ORDER BY hour
"""


def hours(con: DuckDBPyConnection, *, now: datetime, count: int = 24) -> list[Hour]:
    """Return the last `count` hours, including empty ones."""
    last = now.replace(minute=0, second=0, microsecond=0)
    since = last - timedelta(hours=count - 1)
    rows = {row[0]: row for row in con.execute(HOURS, {"since": since}).fetchall()}
    every = [since + timedelta(hours=place) for place in range(count)]
    return [_hour(start, rows.get(start)) for start in every]


def _hour(start: datetime, row: tuple[datetime, int, int, float] | None) -> Hour:
    if row is None:
        return Hour(start=start, completed=0, failed=0, heard_s=0.0)
    return Hour(start=start, completed=int(row[1]), failed=int(row[2]), heard_s=float(row[3]))


SPEED = """
SELECT sum(duration_s) / nullif(sum(epoch(finished_at) - epoch(started_at)), 0)
FROM jobs WHERE state = 'completed' AND finished_at >= $since AND started_at IS NOT NULL
    AND owner_id <> 'canary'
"""


def speed(con: DuckDBPyConnection, *, since: datetime) -> float | None:
    """Return the average seconds of audio per second of work; None without completed jobs."""
    row = con.execute(SPEED, {"since": since}).fetchone()
    return float(row[0]) if row and row[0] is not None else None


BACKLOG = """
SELECT lane, count(*) FILTER (WHERE state = 'queued' AND flow_run_id IS NULL),
    count(*) FILTER (WHERE NOT (state = 'queued' AND flow_run_id IS NULL)),
    min(created_at) FILTER (WHERE state = 'queued' AND flow_run_id IS NULL)
FROM jobs WHERE state NOT IN ('completed', 'failed', 'cancelled') AND deleted_at IS NULL
GROUP BY lane
"""


def backlog(con: DuckDBPyConnection) -> list[Backlog]:
    """Return the backlog of every lane in order, including empty ones."""
    rows = {Lane(row[0]): row for row in con.execute(BACKLOG).fetchall()}
    there = {lane: rows.get(lane, (lane, 0, 0, None)) for lane in Lane}
    return [Backlog(lane=lane, waiting=row[1], in_hand=row[2], oldest=row[3]) for lane, row in there.items()]


STORED = """
SELECT count(*), coalesce(sum(size_bytes), 0)::BIGINT
FROM (SELECT max(media_bytes) AS size_bytes FROM jobs WHERE owner_id <> 'canary' GROUP BY media_sha256)
"""


def stored(con: DuckDBPyConnection) -> tuple[int, int]:
    """Return the number of distinct recordings and their bytes."""
    count, size_bytes = con.execute(STORED).fetchall()[0]
    return int(count), int(size_bytes)


FAILURES = """
SELECT * FROM job_rows WHERE state = 'failed' AND deleted_at IS NULL ORDER BY finished_at DESC LIMIT $limit
"""


def failures(con: DuckDBPyConnection, *, limit: int = 8) -> list[Job]:
    """Return the jobs that failed most recently."""
    con.execute(FAILURES, {"limit": limit})
    return found(con)
