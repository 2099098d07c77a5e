"""API keys for programs: shown once, stored as a SHA-256, limited by a grant."""

import math
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from storage.accounts import users
from storage.accounts.secret_tokens import record_use, sha256_of
from storage.domain.clock import new_id, utc_now
from storage.domain.errors import BadRequest, NotFound
from storage.domain.network import key_networks
from storage.domain.records import ApiKey, KeyGrant, User
from storage.domain.scopes import in_order
from storage.ledger import audit
from storage.ledger.database import Ledger

MARK = "wt_"
PREFIX_CHARS = 11
MOST_REQUESTS_PER_HOUR = 1_000_000
LONGEST_OVERLAP = timedelta(days=30)
EVERYTHING = KeyGrant()
"""All that the key's user may do, without an end."""

INSERT = """
INSERT INTO api_keys (id, user_id, name, prefix, secret_sha256, created_at, scopes, expires_at, networks, quota_hours,
    requests_per_hour)
VALUES ($id, $user_id, $name, $prefix, $secret_sha256, $created_at, $scopes, $expires_at, $networks, $quota_hours,
    $requests_per_hour)
"""
BY_ID = "SELECT * FROM api_key_rows WHERE id = $id"
OF_USER = "SELECT * FROM api_key_rows WHERE user_id = $user_id ORDER BY id DESC"
FIND = """
SELECT * FROM api_key_rows WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $now) AND id = (
    SELECT id FROM api_keys WHERE secret_sha256 = $secret_sha256
    OR (previous_sha256 = $secret_sha256 AND previous_until > $now))
"""
TOUCH = "UPDATE api_keys SET last_used_at = $now WHERE id = $id"
ALIVE = """
SELECT api_keys.id FROM api_keys JOIN users ON users.id = api_keys.user_id
WHERE list_contains($ids, api_keys.id) AND api_keys.revoked_at IS NULL AND NOT users.disabled
  AND (api_keys.expires_at IS NULL OR api_keys.expires_at > $now)
"""
OVERLAP_ENDED = """
SELECT id FROM api_keys WHERE list_contains($ids, id) AND previous_until > $since AND previous_until <= $now
"""
REVOKE = "UPDATE api_keys SET revoked_at = $now WHERE id = $id AND revoked_at IS NULL RETURNING id"


def create(
    con: DuckDBPyConnection, *, user_id: str, name: str, actor: str, grant: KeyGrant = EVERYTHING
) -> tuple[str, ApiKey]:
    """Create a key for the user; return its secret, shown only once, and the key.

    Raises:
        NotFound: there is no such user.
        BadRequest: the name is too long or missing, or a part of the grant is invalid.
    """
    users.get(con, user_id)
    name = name.strip()
    if not 1 <= len(name) <= 100:
        raise BadRequest("name", "use 1 to 100 characters, such as the program's name")
    secret, key_id = _new_secret(), new_id()
    granted = _checked(grant)
    values = {
        "id": key_id,
        "user_id": user_id,
        "name": name,
        "prefix": secret[:PREFIX_CHARS],
        "secret_sha256": sha256_of(secret),
        "created_at": utc_now(),
    }
    con.execute(INSERT, values | granted)
    told = {field: str(value) for field, value in granted.items() if value}
    audit.record(con, actor=actor, action="key.create", subject=key_id, detail={"user": user_id, "name": name} | told)
    return secret, get(con, key_id)


def _new_secret() -> str:
    return MARK + secrets.token_urlsafe(32)


def _checked(grant: KeyGrant) -> dict[str, Any]:
    """Return the values of a grant's columns."""
    if grant.expires_at is not None and grant.expires_at <= utc_now():
        raise BadRequest("expires_at", "it is past; choose a later time, or none")
    hours = grant.quota_hours
    if hours is not None and not (math.isfinite(hours) and hours > 0):
        raise BadRequest("quota_hours", "choose more than 0 hours a month, or none for no limit")
    requests = grant.requests_per_hour
    if requests is not None and not 1 <= requests <= MOST_REQUESTS_PER_HOUR:
        problem = f"choose from 1 to {MOST_REQUESTS_PER_HOUR:,} requests an hour, or none for no limit"
        raise BadRequest("requests_per_hour", problem)
    return {
        "scopes": " ".join(in_order(grant.scopes)),
        "expires_at": grant.expires_at,
        "networks": ", ".join(map(str, key_networks.parse(grant.networks))),
        "quota_hours": hours,
        "requests_per_hour": requests,
    }


def get(con: DuckDBPyConnection, key_id: str) -> ApiKey:
    """Return the key.

    Raises:
        NotFound: there is none with this id.
    """
    row = con.execute(BY_ID, {"id": key_id}).fetchone()
    if row is None:
        raise NotFound("key", key_id)
    return _key(row)


def lookup(ledger: Ledger, secret: str) -> tuple[ApiKey, User] | None:
    """Return a valid key and its user, recording its use each minute.

    A disabled user has no valid keys.
    """
    now = utc_now()
    with ledger.read() as con:
        row = con.execute(FIND, {"secret_sha256": sha256_of(secret), "now": now}).fetchone()
        if row is None:
            return None
        key = _key(row)
        try:
            user = users.get(con, key.user_id)
        except NotFound:
            return None
    record_use(ledger, _touch, key.id, last_used_at=key.last_used_at, now=now)
    return None if user.disabled else (key, user)


def _touch(con: DuckDBPyConnection, key_id: str, *, now: datetime) -> None:
    con.execute(TOUCH, {"id": key_id, "now": now})


def alive(con: DuckDBPyConnection, key_ids: Iterable[str]) -> set[str]:
    """Return the keys that `lookup` would still accept."""
    return {row[0] for row in con.execute(ALIVE, {"ids": list(key_ids), "now": utc_now()}).fetchall()}


def overlap_ended(con: DuckDBPyConnection, key_ids: Iterable[str], *, since: datetime, now: datetime) -> set[str]:
    """Return the keys whose secret before a rotation ended in this time."""
    asked = {"ids": list(key_ids), "since": since, "now": now}
    return {row[0] for row in con.execute(OVERLAP_ENDED, asked).fetchall()}


ROTATE = """
UPDATE api_keys SET previous_sha256 = secret_sha256, previous_until = $previous_until,
    secret_sha256 = $secret_sha256, prefix = $prefix
WHERE id = $id
"""


def rotate(con: DuckDBPyConnection, key_id: str, *, overlap: timedelta, actor: str) -> tuple[str, ApiKey]:
    """Give the key a new secret; the present one works for `overlap` longer.

    A secret from a rotation before ends at once.

    Raises:
        NotFound: there is no such key.
        BadRequest: the key is revoked or expired, or the overlap is out of range.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise BadRequest("overlap", "choose from 0 to {days} days", {"days": LONGEST_OVERLAP.days})
    now = utc_now()
    if not get(con, key_id).is_valid(now):
        raise BadRequest("key", "it is revoked or expired; create another one")
    secret = _new_secret()
    until = now + overlap
    values = {"id": key_id, "secret_sha256": sha256_of(secret), "prefix": secret[:PREFIX_CHARS]}
    con.execute(ROTATE, values | {"previous_until": until})
    audit.record(con, actor=actor, action="key.rotate", subject=key_id, detail={"previous_until": until.isoformat()})
    return secret, get(con, key_id)


def revoke(con: DuckDBPyConnection, key_id: str, *, actor: str) -> ApiKey:
    """Revoke the key permanently; a revoked key is not changed."""
    key = get(con, key_id)
    if con.execute(REVOKE, {"id": key_id, "now": utc_now()}).fetchone():
        audit.record(con, actor=actor, action="key.revoke", subject=key_id, detail={"user": key.user_id})
    return get(con, key_id)


def list_of(con: DuckDBPyConnection, user_id: str) -> list[ApiKey]:
    """Return the user's keys, newest first, including revoked ones."""
    return [_key(row) for row in con.execute(OF_USER, {"user_id": user_id}).fetchall()]


PAGE = """
SELECT * FROM api_key_rows
WHERE ($before IS NULL OR id < $before) AND ($user_id IS NULL OR user_id = $user_id)
  AND NOT ($only_valid AND (revoked_at IS NOT NULL OR coalesce(expires_at <= $now, FALSE)))
ORDER BY id DESC LIMIT $limit
"""


def page(
    con: DuckDBPyConnection,
    *,
    user_id: str | None = None,
    before: str | None = None,
    only_valid: bool = False,
    limit: int = 50,
) -> list[ApiKey]:
    """Return one user's or all users' keys, newest first, after the id `before`."""
    asked = {"user_id": user_id, "before": before, "only_valid": only_valid, "limit": limit, "now": utc_now()}
    return [_key(row) for row in con.execute(PAGE, asked).fetchall()]


def _key(row: tuple[Any, ...]) -> ApiKey:
    key_id, user_id, name, prefix, created_at, last_used_at, revoked_at = row[:7]
    scopes, expires_at, networks, hours, until, requests = row[7:]
    return ApiKey(
        id=key_id,
        user_id=user_id,
        name=name,
        prefix=prefix,
        created_at=created_at.astimezone(UTC),
        last_used_at=last_used_at.astimezone(UTC) if last_used_at else None,
        revoked_at=revoked_at.astimezone(UTC) if revoked_at else None,
        grant=KeyGrant(
            scopes=in_order(scopes.split()),
            expires_at=expires_at.astimezone(UTC) if expires_at else None,
            networks=networks,
            quota_hours=hours,
            requests_per_hour=requests,
        ),
        previous_until=until.astimezone(UTC) if until else None,
    )
