"""Login sessions: the cookie holds a random token, the ledger its SHA-256."""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from storage.accounts import users
from storage.accounts.secret_tokens import record_use, sha256_of
from storage.domain.clock import new_id
from storage.domain.errors import NotFound
from storage.domain.records import Session, User
from storage.ledger import audit
from storage.ledger.database import Ledger

INSERT = """
INSERT INTO sessions (id, user_id, token_sha256, client, created_at, last_seen_at, expires_at)
VALUES ($id, $user_id, $token_sha256, $client, $now, $now, $expires_at)
"""
FIND = """
SELECT id, user_id, created_at, last_seen_at, expires_at, client FROM sessions WHERE token_sha256 = $token_sha256
"""
OF_USER = """
SELECT id, user_id, created_at, last_seen_at, expires_at, client FROM sessions
WHERE user_id = $user_id ORDER BY last_seen_at DESC
"""
ALIVE = """
SELECT sessions.id FROM sessions JOIN users ON users.id = sessions.user_id
WHERE list_contains($ids, sessions.id) AND NOT users.disabled
  AND sessions.expires_at > $now AND sessions.last_seen_at >= $since
"""
TOUCH = "UPDATE sessions SET last_seen_at = $now WHERE id = $id AND last_seen_at < $now"
RENEW = "UPDATE sessions SET expires_at = $expires_at, last_seen_at = greatest(last_seen_at, $now) WHERE id = $id"
END = "DELETE FROM sessions WHERE id = $id RETURNING user_id"
END_ALL = "DELETE FROM sessions WHERE user_id = $user_id AND id IS DISTINCT FROM $but RETURNING id"


def start(con: DuckDBPyConnection, user: User, *, client: str, now: datetime, max_days: int) -> tuple[str, Session]:
    """Start a session; return its token, which is not stored, and the session."""
    token, session_id = secrets.token_urlsafe(32), new_id()
    values = {
        "id": session_id,
        "user_id": user.id,
        "token_sha256": sha256_of(token),
        "client": client[:300],
        "now": now,
        "expires_at": now + timedelta(days=max_days),
    }
    con.execute(INSERT, values)
    audit.record(con, actor=f"user:{user.id}", action="session.start", subject=session_id, detail={"client": client})
    row = con.execute(FIND, {"token_sha256": values["token_sha256"]}).fetchall()[0]
    return token, _session(row, user)


def lookup(ledger: Ledger, token: str, *, now: datetime, idle_minutes: int, seen: bool = True) -> Session | None:
    """Return the session of a token, unless it is idle, expired or disabled.

    The last use is recorded at most once a minute, and only with `seen`.
    """
    with ledger.read() as con:
        session = _find(con, token)
    if session is None or session.user.disabled or now >= session.expires_at:
        return None
    if now - session.last_seen_at > timedelta(minutes=idle_minutes):
        return None
    if seen:
        record_use(ledger, touch, session.id, last_used_at=session.last_seen_at, now=now)
    return session


def _find(con: DuckDBPyConnection, token: str) -> Session | None:
    row = con.execute(FIND, {"token_sha256": sha256_of(token)}).fetchone()
    try:
        return _session(row, users.get(con, row[1])) if row else None
    except NotFound:
        return None


def alive(con: DuckDBPyConnection, session_ids: Iterable[str], *, now: datetime, idle_minutes: int) -> set[str]:
    """Return the sessions that `lookup` would still accept."""
    asked = {"ids": list(session_ids), "now": now, "since": now - timedelta(minutes=idle_minutes)}
    return {row[0] for row in con.execute(ALIVE, asked).fetchall()}


def touch(con: DuckDBPyConnection, session_id: str, *, now: datetime) -> None:
    """Record that the session is in use."""
    con.execute(TOUCH, {"id": session_id, "now": now})


def renew(con: DuckDBPyConnection, session_id: str, *, now: datetime, max_days: int, actor: str) -> None:
    """Extend the session like a new one; the caller has checked the password again."""
    con.execute(RENEW, {"id": session_id, "now": now, "expires_at": now + timedelta(days=max_days)})
    audit.record(con, actor=actor, action="session.renew", subject=session_id)


def end(con: DuckDBPyConnection, session_id: str, *, actor: str) -> None:
    """End this session; ending it twice is not an error."""
    if con.execute(END, {"id": session_id}).fetchone():
        audit.record(con, actor=actor, action="session.end", subject=session_id)


def end_all(con: DuckDBPyConnection, user_id: str, *, actor: str, but: str | None = None) -> int:
    """End the user's sessions except `but`; return how many ended."""
    ended = con.execute(END_ALL, {"user_id": user_id, "but": but}).fetchall()
    if ended:
        audit.record(con, actor=actor, action="session.end_all", subject=user_id, detail={"ended": len(ended)})
    return len(ended)


def list_of(con: DuckDBPyConnection, user_id: str) -> list[Session]:
    """Return the user's sessions, most recently seen first."""
    user = users.get(con, user_id)
    return [_session(row, user) for row in con.execute(OF_USER, {"user_id": user_id}).fetchall()]


def _session(row: tuple[Any, ...], user: User) -> Session:
    session_id, _, created_at, last_seen_at, expires_at, client = row
    return Session(
        id=session_id,
        user=user,
        created_at=created_at.astimezone(UTC),
        last_seen_at=last_seen_at.astimezone(UTC),
        expires_at=expires_at.astimezone(UTC),
        client=client,
    )
