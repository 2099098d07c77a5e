"""A user's usage and quota: hours transcribed per calendar month (UTC), and bytes stored."""

from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from storage.accounts import api_key_usage
from storage.domain.clock import utc_now
from storage.domain.errors import HoursUsedUp, NotFound, SpaceUsedUp
from storage.domain.records import Role


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


ALLOWED = """
SELECT 'user', quota_hours, quota_bytes, name, role FROM users WHERE id = $user_id
UNION ALL SELECT 'key', quota_hours, NULL, NULL, NULL FROM api_keys WHERE id = $key_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedOwner:
    """The owner of a recording that the quotas allow."""

    name: str
    role: Role


def check(con: DuckDBPyConnection, user_id: str, *, more_bytes: int, api_key_id: str | None = None) -> AllowedOwner:
    """Check that the quotas of user and key allow this recording.

    The length of a recording is known only after it has been read, so the last one may exceed the hours.

    Raises:
        NotFound: there is no such user.
        SpaceUsedUp: it would exceed the storage quota.
        HoursUsedUp: this month's hours are used up, including jobs in progress.
        KeyHoursUsedUp: those of the key are.
    """
    rows = con.execute(ALLOWED, {"user_id": user_id, "key_id": api_key_id}).fetchall()
    found = {kind: values for kind, *values in rows}
    if "user" not in found:
        raise NotFound("user", user_id)
    hours, size_bytes, name, role = found["user"]
    if hours is not None or size_bytes is not None:
        _check_user(usage(con, user_id), more_bytes, most_bytes=size_bytes, most_hours=hours)
    if api_key_id and "key" in found and (key_hours := found["key"][0]) is not None:
        api_key_usage.check(con, api_key_id, most_hours=key_hours)
    return AllowedOwner(name=name, role=Role(role))


def _check_user(used: Usage, more_bytes: int, *, most_bytes: int | None, most_hours: float | None) -> None:
    if most_bytes is not None and used.stored_bytes + more_bytes > most_bytes:
        raise SpaceUsedUp(used.stored_bytes, more_bytes, most_bytes)
    hours = (used.heard_s + used.coming_s) / 3600
    if most_hours is not None and hours >= most_hours:
        raise HoursUsedUp(hours, most_hours)


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
