"""Signed-in browsers: the cookie carries a random token, the ledger keeps its SHA-256."""

import hashlib
import secrets
from collections.abc import Iterable
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection, TransactionException

from storage import audit, users
from storage.clock import new_id
from storage.errors import NotFound
from storage.records import Session, User

TOUCH_AFTER = timedelta(minutes=1)

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
    """Sign the user in; return the token for the cookie, which is kept nowhere, and the session."""
    token, session_id = secrets.token_urlsafe(32), new_id()
    values = {
        "id": session_id,
        "user_id": user.id,
        "token_sha256": _sha256(token),
        "client": client[:300],
        "now": now,
        "expires_at": now + timedelta(days=max_days),
    }
    con.execute(INSERT, values)
    audit.record(con, actor=f"user:{user.id}", action="session.start", subject=session_id, detail={"client": client})
    row = con.execute(FIND, {"token_sha256": values["token_sha256"]}).fetchall()[0]
    return token, _session(row, user)


def lookup(
    con: DuckDBPyConnection, token: str, *, now: datetime, idle_minutes: int, touch: bool = True
) -> Session | None:
    """Return the session of this token, unless it is idle or old or its user is disabled.

    Works on a `read` connection: that it was seen is noted at most once a minute, in a transaction of its own,
    and with `touch` alone.
    """
    row = con.execute(FIND, {"token_sha256": _sha256(token)}).fetchone()
    if row is None:
        return None
    try:
        session = _session(row, users.get(con, row[1]))
    except NotFound:
        return None
    idle = now - session.last_seen_at > timedelta(minutes=idle_minutes)
    if idle or now >= session.expires_at or session.user.disabled:
        return None
    if touch and now - session.last_seen_at >= TOUCH_AFTER:
        with closing(con.cursor()) as own, suppress(TransactionException):  # another thread has just noted it
            own.execute(TOUCH, {"id": session.id, "now": now})
    return session


def alive(con: DuckDBPyConnection, session_ids: Iterable[str], *, now: datetime, idle_minutes: int) -> set[str]:
    """Return those of the sessions that `lookup` would still let in."""
    asked = {"ids": list(session_ids), "now": now, "since": now - timedelta(minutes=idle_minutes)}
    return {row[0] for row in con.execute(ALIVE, asked).fetchall()}


def touch(con: DuckDBPyConnection, session_id: str, *, now: datetime) -> None:
    """Note that the session is in use."""
    con.execute(TOUCH, {"id": session_id, "now": now})


def renew(con: DuckDBPyConnection, session_id: str, *, now: datetime, max_days: int, actor: str) -> None:
    """Let the session last as long as a new one; whoever asks has checked the password again."""
    con.execute(RENEW, {"id": session_id, "now": now, "expires_at": now + timedelta(days=max_days)})
    audit.record(con, actor=actor, action="session.renew", subject=session_id)


def end(con: DuckDBPyConnection, session_id: str, *, actor: str) -> None:
    """Sign this browser out; one that is out already is no error."""
    if con.execute(END, {"id": session_id}).fetchone():
        audit.record(con, actor=actor, action="session.end", subject=session_id)


def end_all(con: DuckDBPyConnection, user_id: str, *, actor: str, but: str | None = None) -> int:
    """Sign the user out everywhere, but for the session `but`; return how many sessions ended."""
    ended = con.execute(END_ALL, {"user_id": user_id, "but": but}).fetchall()
    if ended:
        audit.record(con, actor=actor, action="session.end_all", subject=user_id, detail={"ended": len(ended)})
    return len(ended)


def list_of(con: DuckDBPyConnection, user_id: str) -> list[Session]:
    """Return the user's sessions, last seen first."""
    user = users.get(con, user_id)
    return [_session(row, user) for row in con.execute(OF_USER, {"user_id": user_id}).fetchall()]


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


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
