"""Profile and quota of an account."""

import unicodedata

from duckdb import DuckDBPyConnection

from storage.accounts import users
from storage.domain.errors import BadRequest
from storage.domain.records import User
from storage.ledger import audit

SET_PROFILE = "UPDATE users SET display_name = $display_name, email = $email WHERE id = $id"


def set_profile(
    con: DuckDBPyConnection, user_id: str, *, display_name: str | None, email: str | None, actor: str
) -> User:
    """Change the display name and e-mail address; the login name stays.

    Raises:
        BadRequest: one of them is invalid.
    """
    before = users.get(con, user_id)
    shown = unicodedata.normalize("NFC", display_name or "").strip() or None
    if shown and (len(shown) > 64 or not shown.isprintable()):
        raise BadRequest("display name", "use up to 64 printable characters")
    values = {"id": user_id, "display_name": shown, "email": users.checked_email(email)}
    if (before.display_name, before.email) == (values["display_name"], values["email"]):
        return before
    con.execute(SET_PROFILE, values)
    audit.record(con, actor=actor, action="user.profile", subject=user_id)
    return users.get(con, user_id)


SET_QUOTA = "UPDATE users SET quota_hours = $hours, quota_bytes = $size_bytes WHERE id = $id"


def set_quota(
    con: DuckDBPyConnection, user_id: str, *, hours: float | None, size_bytes: int | None, actor: str
) -> User:
    """Limit the hours transcribed per month and the bytes stored; None means no limit.

    Raises:
        BadRequest: a limit is negative.
    """
    users.get(con, user_id)
    if (hours is not None and hours < 0) or (size_bytes is not None and size_bytes < 0):
        raise BadRequest("quota", "use a number from 0 on, or none for no limit")
    con.execute(SET_QUOTA, {"id": user_id, "hours": hours, "size_bytes": size_bytes})
    detail = {"hours": hours, "bytes": size_bytes}
    audit.record(con, actor=actor, action="user.quota", subject=user_id, detail=detail)
    return users.get(con, user_id)
