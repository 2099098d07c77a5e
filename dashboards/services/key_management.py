"""Creates, rotates and revokes API keys: one's own, or as an administrator anybody's."""

from datetime import timedelta

from duckdb import DuckDBPyConnection

from dashboards.runtime import db, notify
from dashboards.services import job_access
from storage.accounts import api_keys
from storage.domain.errors import KeyLimitExceeded, NotAllowed, NotFound, ScopeMissing
from storage.domain.records import ApiKey, KeyGrant, Role, User


def create(
    user: User, name: str, grant: KeyGrant, *, owner_id: str | None = None, by: KeyGrant | None = None
) -> tuple[str, ApiKey]:
    """Create a key, by default the user's own; return its secret and the key.

    `by` is the grant of the key that asks for it, if one does: a key creates none that may do more.

    Raises:
        NotAllowed: the user is read-only, or no administrator and names somebody else.
        ScopeMissing, KeyLimitExceeded: the key that asks lacks a scope of the new one, or has a limit that it exceeds.
        NotFound, BadRequest: there is no such owner, or the name or the grant is invalid.
    """
    job_access.require_writer(user, "creating keys")
    owner_id = owner_id or user.id
    if owner_id != user.id and user.role is not Role.ADMIN:
        raise NotAllowed("creating a key for somebody else", "an administrator")
    _require_no_more(grant, by)
    return db.change(api_keys.create, user_id=owner_id, name=name, grant=grant, actor=user.actor)


def _require_no_more(grant: KeyGrant, by: KeyGrant | None) -> None:
    """Check that a key gets no more than the key that asks for it."""
    if by is None:
        return
    for scope in grant.scopes:
        if scope not in by.scopes:
            raise ScopeMissing(scope, by.scopes)
    if excess := grant.excess_over(by):
        raise KeyLimitExceeded(*excess)


def rotate(user: User, key_id: str, *, overlap: timedelta, by: KeyGrant | None = None) -> tuple[str, ApiKey]:
    """Give a key a new secret; the present one works for `overlap` longer.

    Raises:
        NotFound: there is no such key, or it is somebody else's.
        ScopeMissing, KeyLimitExceeded: the key may do more than the key that asks.
        BadRequest: the key is revoked or expired, or the overlap is out of range.
    """
    key = db.look(visible, user, key_id)
    _require_no_more(key.grant, by)
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
