"""API keys of programs: shown once, kept as a SHA-256 (they are random, so a slow hash adds nothing)."""

import hashlib
import secrets
from collections.abc import Iterable
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection, TransactionException

from storage import audit, users
from storage.clock import new_id, utc_now
from storage.errors import BadRequest, NotFound
from storage.records import ApiKey, User

MARK = "wt_"
PREFIX_CHARS = 11
TOUCH_AFTER = timedelta(minutes=1)

INSERT = """
INSERT INTO api_keys (id, user_id, name, prefix, secret_sha256, created_at)
VALUES ($id, $user_id, $name, $prefix, $secret_sha256, $created_at)
"""
BY_ID = "SELECT id, user_id, name, prefix, created_at, last_used_at, revoked_at FROM api_keys WHERE id = $id"
OF_USER = """
SELECT id, user_id, name, prefix, created_at, last_used_at, revoked_at FROM api_keys
WHERE user_id = $user_id ORDER BY id DESC
"""
FIND = """
SELECT id, user_id, last_used_at FROM api_keys WHERE secret_sha256 = $secret_sha256 AND revoked_at IS NULL
"""
TOUCH = "UPDATE api_keys SET last_used_at = $now WHERE id = $id"
ALIVE = """
SELECT api_keys.id FROM api_keys JOIN users ON users.id = api_keys.user_id
WHERE list_contains($ids, api_keys.id) AND api_keys.revoked_at IS NULL AND NOT users.disabled
"""
REVOKE = "UPDATE api_keys SET revoked_at = $now WHERE id = $id AND revoked_at IS NULL RETURNING id"


def create(con: DuckDBPyConnection, *, user_id: str, name: str, actor: str) -> tuple[str, ApiKey]:
    """Make a key for the user; return its secret, which cannot be shown again, and the key."""
    users.get(con, user_id)
    name = name.strip()
    if not 1 <= len(name) <= 100:
        raise BadRequest("name", "use 1 to 100 characters, such as the program's name")
    secret, key_id = MARK + secrets.token_urlsafe(32), new_id()
    values = {
        "id": key_id,
        "user_id": user_id,
        "name": name,
        "prefix": secret[:PREFIX_CHARS],
        "secret_sha256": _sha256(secret),
        "created_at": utc_now(),
    }
    con.execute(INSERT, values)
    audit.record(con, actor=actor, action="key.create", subject=key_id, detail={"user": user_id, "name": name})
    return secret, get(con, key_id)


def get(con: DuckDBPyConnection, key_id: str) -> ApiKey:
    """Return the key.

    Raises:
        NotFound: there is none with this id.
    """
    row = con.execute(BY_ID, {"id": key_id}).fetchone()
    if row is None:
        raise NotFound("key", key_id)
    return _key(row)


def lookup(con: DuckDBPyConnection, secret: str) -> tuple[str, User] | None:
    """Return the id and the user of a key that is valid, unless disabled; works on a `read` connection, too."""
    row = con.execute(FIND, {"secret_sha256": _sha256(secret)}).fetchone()
    if row is None:
        return None
    key_id, user_id, last_used_at = row
    now: datetime = utc_now()
    if last_used_at is None or now - last_used_at >= TOUCH_AFTER:
        with closing(con.cursor()) as own, suppress(TransactionException):  # another thread has just noted it
            own.execute(TOUCH, {"id": key_id, "now": now})
    try:
        user = users.get(con, user_id)
    except NotFound:
        return None
    return None if user.disabled else (key_id, user)


def alive(con: DuckDBPyConnection, key_ids: Iterable[str]) -> set[str]:
    """Return those of the keys that `lookup` would still let in."""
    return {row[0] for row in con.execute(ALIVE, {"ids": list(key_ids)}).fetchall()}


def revoke(con: DuckDBPyConnection, key_id: str, *, actor: str) -> ApiKey:
    """End the key for good; one that has ended already stays as it is."""
    key = get(con, key_id)
    if con.execute(REVOKE, {"id": key_id, "now": utc_now()}).fetchone():
        audit.record(con, actor=actor, action="key.revoke", subject=key_id, detail={"user": key.user_id})
    return get(con, key_id)


def list_of(con: DuckDBPyConnection, user_id: str) -> list[ApiKey]:
    """Return the user's keys, newest first, the revoked ones too."""
    return [_key(row) for row in con.execute(OF_USER, {"user_id": user_id}).fetchall()]


PAGE = """
SELECT id, user_id, name, prefix, created_at, last_used_at, revoked_at FROM api_keys
WHERE ($before IS NULL OR id < $before) AND NOT ($only_valid AND revoked_at IS NOT NULL)
ORDER BY id DESC LIMIT $limit
"""


def page(
    con: DuckDBPyConnection, *, before: str | None = None, only_valid: bool = False, limit: int = 50
) -> list[ApiKey]:
    """Return everybody's keys, newest first, below the id `before` (the last one of the page above)."""
    asked = {"before": before, "only_valid": only_valid, "limit": limit}
    return [_key(row) for row in con.execute(PAGE, asked).fetchall()]


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _key(row: tuple[Any, ...]) -> ApiKey:
    key_id, user_id, name, prefix, created_at, last_used_at, revoked_at = row
    return ApiKey(
        id=key_id,
        user_id=user_id,
        name=name,
        prefix=prefix,
        created_at=created_at.astimezone(UTC),
        last_used_at=last_used_at.astimezone(UTC) if last_used_at else None,
        revoked_at=revoked_at.astimezone(UTC) if revoked_at else None,
    )
