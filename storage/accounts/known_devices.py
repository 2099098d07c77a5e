"""Browsers in which a user has logged in before.

While strangers guess at a name, the lock-out of the name is for unknown browsers only. The cookie of a browser holds a
random token for each of its last users, the ledger their SHA-256. A token is never taken over for another user, so that
nobody can plant a cookie and have it become known.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from storage.accounts import device_notices
from storage.accounts.secret_tokens import sha256_of
from storage.domain.clock import new_id
from storage.domain.records import User
from storage.ledger import audit

KEPT_DAYS = 365
MOST_OF_USER, MOST_IN_COOKIE = 10, 5
MAX_TOKEN_CHARS = 64

FIND = """
SELECT id, user_id, token_sha256 FROM known_devices
WHERE list_contains($tokens, token_sha256) AND last_used_at > $since ORDER BY last_used_at DESC, id
"""
INSERT = """
INSERT INTO known_devices (id, user_id, token_sha256, client, session_id, created_at, last_used_at)
VALUES ($id, $user_id, $token_sha256, $client, $session_id, $now, $now)
"""
USE = "UPDATE known_devices SET client = $client, session_id = $session_id, last_used_at = $now WHERE id = $id"
TRIM = """
DELETE FROM known_devices WHERE user_id = $user_id AND id NOT IN (
    SELECT id FROM known_devices WHERE user_id = $user_id AND last_used_at > $since
    ORDER BY last_used_at DESC, id DESC LIMIT $most
)
"""
OF_USER = """
SELECT known_devices.id, known_devices.client, known_devices.created_at, last_used_at, session_id, device_id IS NOT NULL
FROM known_devices LEFT JOIN device_notices ON device_id = known_devices.id AND dismissed_at IS NULL
WHERE known_devices.user_id = $user_id AND last_used_at > $since ORDER BY last_used_at DESC, known_devices.id
"""
FORGET = """
DELETE FROM known_devices WHERE user_id = $user_id AND session_id IS DISTINCT FROM $but_session RETURNING id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDevice:
    """A browser that a user has logged in with, by address and user agent.

    It is `new` if nobody has confirmed its first log-in since; see `device_notices`.
    """

    id: str
    client: str
    created_at: datetime
    last_used_at: datetime
    session_id: str
    new: bool


def find(con: DuckDBPyConnection, cookie: str | None, *, user_id: str | None = None, now: datetime) -> str | None:
    """Return the id of the device with this cookie, or None. It may be anybody's without `user_id`."""
    return next((found for found, owner, _ in _rows(con, cookie, now) if user_id in {None, owner}), None)


def remember(
    con: DuckDBPyConnection, user: User, cookie: str | None, *, session_id: str, client: str, now: datetime
) -> str:
    """Record a log-in of this device, and return its cookie from now on.

    A new one is told to the user, who may not be the one who logged in.
    """
    rows, used = _rows(con, cookie, now), {"client": client[:300], "session_id": session_id, "now": now}
    if found := next((ident for ident, owner, _ in rows if owner == user.id), None):
        con.execute(USE, used | {"id": found})
        return str(cookie)
    token, ident = secrets.token_urlsafe(32), new_id()
    con.execute(INSERT, used | {"id": ident, "user_id": user.id, "token_sha256": sha256_of(token)})
    con.execute(TRIM, {"user_id": user.id, "since": _since(now), "most": MOST_OF_USER})
    audit.record(con, actor=user.actor, action="device.remember", subject=ident, detail={"client": client})
    device_notices.give(con, user, device_id=ident, session_id=session_id, client=client[:300], now=now)
    known = {digest for _, _, digest in rows}
    others = [each for each in _tokens(cookie) if sha256_of(each) in known]
    return ".".join([token, *others][:MOST_IN_COOKIE])


def list_of(con: DuckDBPyConnection, user_id: str, *, now: datetime) -> list[KnownDevice]:
    """Return the user's devices, most recently used first."""
    rows = con.execute(OF_USER, {"user_id": user_id, "since": _since(now)}).fetchall()
    return [
        KnownDevice(
            id=ident,
            client=client,
            created_at=made.astimezone(UTC),
            last_used_at=used.astimezone(UTC),
            session_id=session_id,
            new=new,
        )
        for ident, client, made, used, session_id, new in rows
    ]


def forget_all(con: DuckDBPyConnection, user_id: str, *, actor: str, but_session: str | None = None) -> int:
    """Forget the user's devices, except the one that a session began in; return how many."""
    gone = con.execute(FORGET, {"user_id": user_id, "but_session": but_session}).fetchall()
    if gone:
        audit.record(con, actor=actor, action="device.forget_all", subject=user_id, detail={"forgotten": len(gone)})
    return len(gone)


def _rows(con: DuckDBPyConnection, cookie: str | None, now: datetime) -> Sequence[tuple[Any, ...]]:
    tokens = [sha256_of(token) for token in _tokens(cookie)]
    return con.execute(FIND, {"tokens": tokens, "since": _since(now)}).fetchall() if tokens else []


def _tokens(cookie: str | None) -> list[str]:
    """Return the tokens of a cookie, whatever somebody has written into it."""
    parts = (cookie or "").split(".", MOST_IN_COOKIE)[:MOST_IN_COOKIE]
    return [part for part in parts if 0 < len(part) <= MAX_TOKEN_CHARS]


def _since(now: datetime) -> datetime:
    return now - timedelta(days=KEPT_DAYS)
