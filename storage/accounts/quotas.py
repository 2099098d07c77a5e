"""A user's usage and quota: hours transcribed per calendar month (UTC), and bytes stored."""

from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from storage.accounts import users
from storage.domain.clock import utc_now
from storage.domain.errors import HoursUsedUp, SpaceUsedUp
from storage.domain.records import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Usage: `heard_s` completed this month, `coming_s` in progress, `stored_bytes` in total.

    Deleted recordings do not count as stored.
    """

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
    """Return the user's usage."""
    row = con.execute(HEARD, {"user_id": user_id, "month": _month()}).fetchone()
    coming_s, stored = con.execute(JOBS, {"user_id": user_id}).fetchall()[0]
    return Usage(heard_s=float(row[0]) if row else 0.0, coming_s=float(coming_s), stored_bytes=int(stored))


def check(con: DuckDBPyConnection, user_id: str, *, more_bytes: int) -> User:
    """Check that the user's quota allows one more recording of this size.

    Returns the user.

    The length of a recording is known only after it has been read, so the last one may exceed the hours.

    Raises:
        SpaceUsedUp: it would exceed the storage quota.
        HoursUsedUp: this month's hours are used up, including jobs in progress.
    """
    user = users.get(con, user_id)
    if user.quota_bytes is None and user.quota_hours is None:
        return user
    used = usage(con, user_id)
    if user.quota_bytes is not None and used.stored_bytes + more_bytes > user.quota_bytes:
        raise SpaceUsedUp(used.stored_bytes, more_bytes, user.quota_bytes)
    hours = (used.heard_s + used.coming_s) / 3600
    if user.quota_hours is not None and hours >= user.quota_hours:
        raise HoursUsedUp(hours, user.quota_hours)
    return user


ADD = "UPDATE usage SET heard_s = heard_s + $heard_s WHERE user_id = $user_id AND month = $month"
BEGIN_MONTH = "INSERT INTO usage (user_id, month, heard_s) VALUES ($user_id, $month, $heard_s)"


def add(con: DuckDBPyConnection, user_id: str, heard_s: float) -> None:
    """Count a completed recording, in the transaction that completes its job.

    `ON CONFLICT` takes several times as long as both statements.
    """
    values = {"user_id": user_id, "month": _month(), "heard_s": heard_s}
    if con.execute(ADD, values).fetchall() == [(0,)]:
        con.execute(BEGIN_MONTH, values)


RECOUNT = """
INSERT INTO usage (user_id, month, heard_s)
SELECT owner_id, strftime(finished_at, '%Y-%m'), sum(duration_s) FROM jobs
WHERE state = 'completed' AND duration_s IS NOT NULL AND finished_at IS NOT NULL GROUP BY ALL
ON CONFLICT (user_id, month) DO UPDATE SET heard_s = greatest(usage.heard_s, excluded.heard_s)
"""


def recount(con: DuckDBPyConnection) -> None:
    """Recount usage after a rebuild; recordings deleted before it are not known any more."""
    con.execute(RECOUNT)


def _month() -> str:
    return f"{utc_now():%Y-%m}"
