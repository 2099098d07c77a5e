"""Single-use links that expire: invitations to create an account, and password resets.

The ledger stores the SHA-256 of the token in the link. Whoever has the link needs nothing else, so it must be handed
over like a password.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from storage.accounts import sessions, users
from storage.accounts.secret_tokens import sha256_of
from storage.domain.clock import new_id, utc_now
from storage.domain.errors import LinkSpent
from storage.domain.records import Role, User
from storage.ledger import audit

INVITATION_FOR, RESET_FOR = timedelta(days=7), timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A single-use link; with `user_id`, it resets that user's password.

    It ends when it is used or revoked.
    """

    id: str
    user_id: str | None
    role: Role
    email: str | None
    made_by: str
    created_at: datetime
    expires_at: datetime
    used_by: str | None
    ended_at: datetime | None


INSERT = """
INSERT INTO invitations (id, token_sha256, user_id, role, email, made_by, created_at, expires_at)
VALUES ($id, $token_sha256, $user_id, $role, $email, $made_by, $now, $expires_at)
"""
BY_ID = """
SELECT id, user_id, role, email, made_by, created_at, expires_at, used_by, ended_at FROM invitations WHERE id = $id
"""


def invite(
    con: DuckDBPyConnection, *, role: Role, email: str | None = None, lasts: timedelta = INVITATION_FOR, actor: str
) -> tuple[str, Invitation]:
    """Create an invitation; return its token, which is not stored, and the row.

    Raises:
        BadRequest: the e-mail address is invalid.
    """
    email = users.checked_email(email)
    token, made = _make(con, user_id=None, role=role, email=email, lasts=lasts, actor=actor)
    detail = {"role": role, "email": email}
    audit.record(con, actor=actor, action="invitation.create", subject=made.id, detail=detail)
    return token, made


WITHDRAW_RESETS = "UPDATE invitations SET ended_at = $now WHERE user_id = $user_id AND ended_at IS NULL"


def offer_reset(
    con: DuckDBPyConnection, user_id: str, *, lasts: timedelta = RESET_FOR, actor: str
) -> tuple[str, Invitation]:
    """Create a link to choose a new password; the user's previous link stops working."""
    user = users.get(con, user_id)
    con.execute(WITHDRAW_RESETS, {"user_id": user_id, "now": utc_now()})
    token, made = _make(con, user_id=user_id, role=user.role, email=user.email, lasts=lasts, actor=actor)
    audit.record(con, actor=actor, action="user.reset_link", subject=user_id, detail={"link": made.id})
    return token, made


def _make(
    con: DuckDBPyConnection, *, user_id: str | None, role: Role, email: str | None, lasts: timedelta, actor: str
) -> tuple[str, Invitation]:
    token, link_id, now = secrets.token_urlsafe(32), new_id(), utc_now()
    values = {
        "id": link_id,
        "token_sha256": sha256_of(token),
        "user_id": user_id,
        "role": role,
        "email": email,
        "made_by": actor,
        "now": now,
        "expires_at": now + lasts,
    }
    con.execute(INSERT, values)
    return token, _invitation(con.execute(BY_ID, {"id": link_id}).fetchall()[0])


FIND = """
SELECT id, user_id, role, email, made_by, created_at, expires_at, used_by, ended_at FROM invitations
WHERE token_sha256 = $token_sha256 AND ended_at IS NULL AND expires_at > $now AND (user_id IS NOT NULL) = $reset
"""


def find(con: DuckDBPyConnection, token: str, *, reset: bool = False) -> Invitation:
    """Return the open invitation or reset of a token.

    Raises:
        LinkSpent: the token is unknown, used, revoked or expired.
    """
    row = con.execute(FIND, {"token_sha256": sha256_of(token), "now": utc_now(), "reset": reset}).fetchone()
    if row is None:
        raise LinkSpent("password reset" if reset else "invitation")
    return _invitation(row)


FOR_EMAIL = """
SELECT id, user_id, role, email, made_by, created_at, expires_at, used_by, ended_at FROM invitations
WHERE lower(email) = lower($email) AND user_id IS NULL AND ended_at IS NULL AND expires_at > $now
ORDER BY id LIMIT 1
"""


def for_email(con: DuckDBPyConnection, email: str) -> Invitation | None:
    """Return the open invitation of an address; the caller has verified the address."""
    row = con.execute(FOR_EMAIL, {"email": email, "now": utc_now()}).fetchone()
    return _invitation(row) if row else None


def accept(
    con: DuckDBPyConnection, invitation: Invitation, *, name: str, password: str | None, email: str | None = None
) -> User:
    """Create the invited account, and mark the invitation as used."""
    actor = f"invitation:{invitation.id}"
    user = users.create(
        con, name=name, password=password, role=invitation.role, email=email or invitation.email, actor=actor
    )
    _end(con, invitation.id, used_by=user.id)
    audit.record(con, actor=f"user:{user.id}", action="invitation.use", subject=invitation.id)
    return user


def reset(con: DuckDBPyConnection, token: str, *, password: str) -> tuple[User, list[str]]:
    """Set the user's password and use up the link; return the user and ended sessions.

    Raises:
        LinkSpent: the token is not valid any more.
        BadRequest: the password is too short; the link stays valid.
    """
    link = find(con, token, reset=True)
    user = users.get(con, str(link.user_id))
    actor = f"user:{user.id}"
    users.set_password(con, user.id, password=password, actor=actor)
    ended = [session.id for session in sessions.list_of(con, user.id)]
    sessions.end_all(con, user.id, actor=actor)
    _end(con, link.id, used_by=user.id)
    return users.get(con, user.id), ended


def revoke(con: DuckDBPyConnection, link_id: str, *, actor: str) -> None:
    """Revoke a link; one that has ended is not changed."""
    if _end(con, link_id, used_by=None):
        audit.record(con, actor=actor, action="invitation.revoke", subject=link_id)


END = """
UPDATE invitations SET ended_at = $now, used_by = $used_by WHERE id = $id AND ended_at IS NULL RETURNING id
"""


def _end(con: DuckDBPyConnection, link_id: str, *, used_by: str | None) -> bool:
    return con.execute(END, {"id": link_id, "used_by": used_by, "now": utc_now()}).fetchone() is not None


OPEN = """
SELECT id, user_id, role, email, made_by, created_at, expires_at, used_by, ended_at FROM invitations
WHERE user_id IS NULL AND ended_at IS NULL AND expires_at > $now ORDER BY id DESC LIMIT $limit
"""


def list_open(con: DuckDBPyConnection, *, limit: int = 200) -> list[Invitation]:
    """Return the invitations that can still be used, newest first."""
    return [_invitation(row) for row in con.execute(OPEN, {"now": utc_now(), "limit": limit}).fetchall()]


def _invitation(row: tuple[Any, ...]) -> Invitation:
    link_id, user_id, role, email, made_by, created_at, expires_at, used_by, ended_at = row
    return Invitation(
        id=link_id,
        user_id=user_id,
        role=Role(role),
        email=email,
        made_by=made_by,
        created_at=created_at.astimezone(UTC),
        expires_at=expires_at.astimezone(UTC),
        used_by=used_by,
        ended_at=ended_at.astimezone(UTC) if ended_at else None,
    )
