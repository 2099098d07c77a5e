"""How much a user has used, and may use: hours heard in a calendar month (UTC), and bytes stored."""

from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from storage import users
from storage.clock import utc_now
from storage.errors import HoursUsedUp, SpaceUsedUp


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """`heard_s` counts what completed this month, `coming_s` what is under way; `stored_bytes` all recordings
    but deleted ones."""

    heard_s: float
    coming_s: float
    stored_bytes: int


HEARD = "SELECT heard_s FROM usage WHERE user_id = $user_id AND month = $month"
JOBS = """
SELECT coalesce(sum(duration_s) FILTER (WHERE state NOT IN ('completed', 'failed', 'cancelled')), 0),
       coalesce(sum(media_bytes), 0)::BIGINT
FROM jobs WHERE owner_id = $user_id AND deleted_at IS NULL
"""


def usage(con: DuckDBPyConnection, user_id: str) -> Usage:
    """Return what the user has used."""
    row = con.execute(HEARD, {"user_id": user_id, "month": _month()}).fetchone()
    coming_s, stored = con.execute(JOBS, {"user_id": user_id}).fetchall()[0]
    return Usage(heard_s=float(row[0]) if row else 0.0, coming_s=float(coming_s), stored_bytes=int(stored))


def check(con: DuckDBPyConnection, user_id: str, *, more_bytes: int) -> None:
    """Let one more recording of this size through.

    The length of a recording is known only when it has been read, so the last one may go over the limit of hours.

    Raises:
        SpaceUsedUp: it would be more than may be stored.
        HoursUsedUp: this month's hours are used up, counting what is under way.
    """
    user = users.get(con, user_id)
    if user.quota_bytes is None and user.quota_hours is None:
        return
    used = usage(con, user_id)
    if user.quota_bytes is not None and used.stored_bytes + more_bytes > user.quota_bytes:
        raise SpaceUsedUp(used.stored_bytes, more_bytes, user.quota_bytes)
    hours = (used.heard_s + used.coming_s) / 3600
    if user.quota_hours is not None and hours >= user.quota_hours:
        raise HoursUsedUp(hours, user.quota_hours)


ADD = """
INSERT INTO usage (user_id, month, heard_s) VALUES ($user_id, $month, $heard_s)
ON CONFLICT (user_id, month) DO UPDATE SET heard_s = usage.heard_s + excluded.heard_s
"""


def add(con: DuckDBPyConnection, user_id: str, heard_s: float) -> None:
    """Count a recording that has been heard; belongs to the transaction that completes its job."""
    con.execute(ADD, {"user_id": user_id, "month": _month(), "heard_s": heard_s})


RECOUNT = """
INSERT INTO usage (user_id, month, heard_s)
SELECT owner_id, strftime(finished_at, '%Y-%m'), sum(duration_s) FROM jobs
WHERE state = 'completed' AND duration_s IS NOT NULL AND finished_at IS NOT NULL GROUP BY ALL
ON CONFLICT (user_id, month) DO UPDATE SET heard_s = greatest(usage.heard_s, excluded.heard_s)
"""


def recount(con: DuckDBPyConnection) -> None:
    """Count what is there, after a rebuild; what was deleted before it is not known any more."""
    con.execute(RECOUNT)


def _month() -> str:
    return f"{utc_now():%Y-%m}"
