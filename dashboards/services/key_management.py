"""Creates, rotates and revokes API keys: one's own, or as an administrator anybody's."""

from collections.abc import Collection
from datetime import timedelta

from duckdb import DuckDBPyConnection

from dashboards.runtime import db, notify
from dashboards.services import job_access
from storage.accounts import api_keys
from storage.domain.errors import NotAllowed, NotFound, ScopeMissing
from storage.domain.records import ApiKey, KeyGrant, Role, User
from storage.domain.scopes import Scope


def create(
    user: User, name: str, grant: KeyGrant, *, owner_id: str | None = None, scopes: Collection[Scope] = tuple(Scope)
) -> tuple[str, ApiKey]:
    """Create a key, by default the user's own; return its secret and the key.

    `scopes` are those of the caller: a key creates no key that may do more.

    Raises:
        NotAllowed: the user is read-only, or no administrator and names somebody else.
        ScopeMissing: the caller lacks a scope of the new key.
        NotFound, BadRequest: there is no such owner, or the name or the grant is invalid.
    """
    job_access.require_writer(user, "creating keys")
    owner_id = owner_id or user.id
    if owner_id != user.id and user.role is not Role.ADMIN:
        raise NotAllowed("creating a key for somebody else", "an administrator")
    for scope in grant.scopes:
        if scope not in scopes:
            raise ScopeMissing(scope, tuple(scopes))
    return db.change(api_keys.create, user_id=owner_id, name=name, grant=grant, actor=user.actor)


def rotate(
    user: User, key_id: str, *, overlap: timedelta, scopes: Collection[Scope] = tuple(Scope)
) -> tuple[str, ApiKey]:
    """Give a key a new secret; the present one works for `overlap` longer.

    Raises:
        NotFound: there is no such key, or it is somebody else's.
        ScopeMissing: the key may do what the caller may not.
        BadRequest: the key is revoked or expired, or the overlap is out of range.
    """
    key = db.look(visible, user, key_id)
    for scope in key.grant.scopes:
        if scope not in scopes:
            raise ScopeMissing(scope, tuple(scopes))
    secret, rotated = db.change(api_keys.rotate, key.id, overlap=overlap, actor=user.actor)
    if not overlap:
        notify.kick([key.id])
    return secret, rotated


def revoke(user: User, key_id: str) -> ApiKey:
    """Revoke a key at once, and close its open websockets.

    Raises:
        NotFound: there is no such key, or it is somebody else's.
    """
    key = db.look(visible, user, key_id)
    revoked = db.change(api_keys.revoke, key.id, actor=user.actor)
    notify.kick([key.id])
    return revoked


def visible(con: DuckDBPyConnection, user: User, key_id: str) -> ApiKey:
    """Return a key of the user, or for an administrator anybody's.

    Raises:
        NotFound: there is none, or it is somebody else's, which is not revealed.
    """
    key = api_keys.get(con, key_id)
    if key.user_id != user.id and user.role is not Role.ADMIN:
        raise NotFound("key", key_id)
    return key
