"""Changing one's password: other sessions and devices end, and API keys if wanted."""

from duckdb import DuckDBPyConnection

from storage.accounts import api_keys, device_notices, sessions, users
from storage.domain.clock import utc_now


def change(
    con: DuckDBPyConnection, user_id: str, *, password: str, keep: str | None, end_keys: bool, actor: str
) -> list[str]:
    """Set the password; return the ended sessions and keys. The session `keep` stays, without notices of others.

    Raises:
        BadRequest: the password is too short, or easily guessed.
        NotFound: there is no such user.
    """
    if keep:
        device_notices.dismiss(con, user_id, keep, now=utc_now(), actor=actor)
    users.set_password(con, user_id, password=password, actor=actor, keep_session=keep)
    ended = [session.id for session in sessions.list_of(con, user_id) if session.id != keep]
    sessions.end_all(con, user_id, actor=actor, but=keep)
    keys = [key.id for key in api_keys.list_of(con, user_id) if not key.revoked_at] if end_keys else []
    for key_id in keys:
        api_keys.revoke(con, key_id, actor=actor)
    return ended + keys
