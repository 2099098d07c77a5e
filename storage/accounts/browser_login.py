"""Starts a session in a browser, which is known from then on."""

from datetime import datetime

from duckdb import DuckDBPyConnection

from storage.accounts import known_devices, sessions
from storage.domain.records import User


def begin(
    con: DuckDBPyConnection, user: User, *, device: str | None, client: str, now: datetime, max_days: int
) -> tuple[str, str]:
    """Return the session's token and the device's cookie, of which only hashes are stored."""
    token, session = sessions.start(con, user, client=client, now=now, max_days=max_days)
    return token, known_devices.remember(con, user, device, session_id=session.id, client=client, now=now)
