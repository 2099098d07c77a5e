"""Tokens of single workers: shown once, stored as a SHA-256, revocable.

The shared token in the data dir stays for the workers that `up` starts beside the web process.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from duckdb import DuckDBPyConnection

from storage.accounts.secret_tokens import record_use, sha256_of
from storage.domain.clock import new_id, utc_now
from storage.domain.errors import BadRequest, NotFound
from storage.ledger import audit
from storage.ledger.database import Ledger

MARK = "ww_"
PREFIX_CHARS = 11
MAX_NAME_CHARS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerToken:
    """A worker's token without its secret; `name` is the actor of what the worker does."""

    id: str
    name: str
    prefix: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


INSERT = """
INSERT INTO worker_tokens (id, name, prefix, secret_sha256, created_at)
VALUES ($id, $name, $prefix, $secret_sha256, $created_at)
"""
SAME_NAME = "SELECT id FROM worker_tokens WHERE name = $name AND revoked_at IS NULL"


def create(con: DuckDBPyConnection, *, name: str, actor: str) -> tuple[str, WorkerToken]:
    """Create a token; return its secret, shown only once, and the token.

    Raises:
        BadRequest: the name is invalid, or another valid token has it.
    """
    name = name.strip()
    if not 1 <= len(name) <= MAX_NAME_CHARS or not name.isprintable():
        raise BadRequest(
            "name",
            "use 1 to {max_name_chars} printable characters, such as the machine's name",
            {"max_name_chars": MAX_NAME_CHARS},
        )
    if con.execute(SAME_NAME, {"name": name}).fetchone():
        raise BadRequest("name", "there is a token named {name}; revoke it, or choose another name", {"name": name})
    secret, token_id = MARK + secrets.token_urlsafe(32), new_id()
    values = {
        "id": token_id,
        "name": name,
        "prefix": secret[:PREFIX_CHARS],
        "secret_sha256": sha256_of(secret),
        "created_at": utc_now(),
    }
    con.execute(INSERT, values)
    audit.record(con, actor=actor, action="worker_token.create", subject=token_id, detail={"name": name})
    return secret, _get(con, token_id)


FIND = "SELECT id, name, last_used_at FROM worker_tokens WHERE secret_sha256 = $secret_sha256 AND revoked_at IS NULL"
TOUCH = "UPDATE worker_tokens SET last_used_at = $now WHERE id = $id"


def lookup(ledger: Ledger, secret: str) -> str | None:
    """Return the name of a valid token, recording its use each minute."""
    with ledger.read() as con:
        row = con.execute(FIND, {"secret_sha256": sha256_of(secret)}).fetchone()
    if row is None:
        return None
    token_id, name, last_used_at = row
    record_use(ledger, _touch, token_id, last_used_at=last_used_at, now=utc_now())
    return str(name)


def _touch(con: DuckDBPyConnection, token_id: str, *, now: datetime) -> None:
    con.execute(TOUCH, {"id": token_id, "now": now})


REVOKE = "UPDATE worker_tokens SET revoked_at = $now WHERE id = $id AND revoked_at IS NULL RETURNING id"


def revoke(con: DuckDBPyConnection, token_id: str, *, actor: str) -> WorkerToken:
    """Revoke a token permanently; a revoked one is not changed.

    Raises:
        NotFound: there is none with this id.
    """
    token = _get(con, token_id)
    if con.execute(REVOKE, {"id": token_id, "now": utc_now()}).fetchone():
        audit.record(con, actor=actor, action="worker_token.revoke", subject=token_id, detail={"name": token.name})
    return _get(con, token_id)


LIST = """
SELECT id, name, prefix, created_at, last_used_at, revoked_at FROM worker_tokens
WHERE NOT ($only_valid AND revoked_at IS NOT NULL) ORDER BY id DESC
"""


def list_all(con: DuckDBPyConnection, *, only_valid: bool = False) -> list[WorkerToken]:
    """Return all tokens, newest first."""
    return [_token(row) for row in con.execute(LIST, {"only_valid": only_valid}).fetchall()]


def _get(con: DuckDBPyConnection, token_id: str) -> WorkerToken:
    for token in list_all(con):
        if token.id == token_id:
            return token
    raise NotFound("worker token", token_id)


def _token(row: tuple[Any, ...]) -> WorkerToken:
    token_id, name, prefix, created_at, last_used_at, revoked_at = row
    return WorkerToken(
        id=token_id,
        name=name,
        prefix=prefix,
        created_at=created_at.astimezone(UTC),
        last_used_at=last_used_at.astimezone(UTC) if last_used_at else None,
        revoked_at=revoked_at.astimezone(UTC) if revoked_at else None,
    )
