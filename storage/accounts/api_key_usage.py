"""The use of API keys by calendar month (UTC): requests, recordings, hours."""

from collections.abc import Mapping
from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from storage.domain.clock import utc_now
from storage.domain.errors import KeyHoursUsedUp


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMonth:
    """One month of a key: requests, recordings that became jobs, and seconds that were transcribed."""

    month: str
    requests: int
    recordings: int
    heard_s: float


MONTHS = """
SELECT month, requests, recordings, heard_s FROM api_key_usage
WHERE key_id = $key_id ORDER BY month DESC LIMIT $limit
"""


def months_of(con: DuckDBPyConnection, key_id: str, *, limit: int = 12) -> list[KeyMonth]:
    """Return the months in which the key was used, latest first."""
    rows = con.execute(MONTHS, {"key_id": key_id, "limit": limit}).fetchall()
    return [KeyMonth(month=row[0], requests=row[1], recordings=row[2], heard_s=row[3]) for row in rows]


USED = """
SELECT coalesce((SELECT heard_s FROM api_key_usage WHERE key_id = $key_id AND month = $month), 0)
    + coalesce((SELECT sum(jobs.duration_s) FROM jobs_by_key JOIN jobs ON jobs.id = jobs_by_key.job_id
        WHERE jobs_by_key.key_id = $key_id AND jobs.deleted_at IS NULL
          AND jobs.state NOT IN ('completed', 'failed', 'cancelled')), 0)
"""


def check(con: DuckDBPyConnection, key_id: str, *, most_hours: float) -> None:
    """Check that a key with this quota may bring one more recording.

    As with a user's quota, the last recording may exceed it, and those in progress count.

    Raises:
        KeyHoursUsedUp: this month's hours are used up.
    """
    hours = con.execute(USED, {"key_id": key_id, "month": _month()}).fetchall()[0][0] / 3600
    if hours >= most_hours:
        raise KeyHoursUsedUp(hours, most_hours)


ADD = """
UPDATE api_key_usage SET requests = requests + $requests, recordings = recordings + $recordings,
    heard_s = heard_s + $heard_s
WHERE key_id = $key_id AND month = $month
"""
BEGIN_MONTH = """
INSERT INTO api_key_usage (key_id, month, requests, recordings, heard_s)
VALUES ($key_id, $month, $requests, $recordings, $heard_s)
"""


def _add(con: DuckDBPyConnection, key_id: str, *, requests: int = 0, recordings: int = 0, heard_s: float = 0.0) -> None:
    values = {"key_id": key_id, "month": _month(), "requests": requests, "recordings": recordings, "heard_s": heard_s}
    if con.execute(ADD, values).fetchall() == [(0,)]:
        con.execute(BEGIN_MONTH, values)


def add_requests(con: DuckDBPyConnection, counts: Mapping[str, int]) -> None:
    """Count requests by key."""
    for key_id, count in counts.items():
        _add(con, key_id, requests=count)


SENT = "INSERT INTO jobs_by_key (job_id, key_id) VALUES ($job_id, $key_id)"
SENDER = "SELECT key_id FROM jobs_by_key WHERE job_id = $job_id"


def add_job(con: DuckDBPyConnection, key_id: str | None, job_id: str) -> None:
    """Count a recording that a key sent, in the transaction that creates its job."""
    if key_id:
        con.execute(SENT, {"job_id": job_id, "key_id": key_id})
        _add(con, key_id, recordings=1)


def add_heard(con: DuckDBPyConnection, job_id: str, heard_s: float) -> None:
    """Count a completed recording, in the transaction that completes its job."""
    if row := con.execute(SENDER, {"job_id": job_id}).fetchone():
        _add(con, row[0], heard_s=heard_s)


def _month() -> str:
    return f"{utc_now():%Y-%m}"
