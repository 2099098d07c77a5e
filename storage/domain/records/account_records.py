"""Accounts: users, sessions, API keys, and rows of the audit log."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from storage.domain.network import key_networks
from storage.domain.scopes import Scope


class Role(StrEnum):
    """A user's permissions: everything, own recordings, or reading own recordings."""

    ADMIN = "admin"
    MEMBER = "member"
    READER = "reader"

    @property
    def may_write(self) -> bool:
        return self is not Role.READER


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An account; its password hash never leaves `storage.accounts.users`."""

    id: str
    name: str
    role: Role
    disabled: bool
    must_change_password: bool
    created_at: datetime
    display_name: str | None = None
    email: str | None = None
    quota_hours: float | None = None
    quota_bytes: int | None = None

    @property
    def actor(self) -> str:
        """The user's name in the audit log."""
        return f"user:{self.id}"

    @property
    def shown_name(self) -> str:
        return self.display_name or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A login session; the ledger stores only the token's SHA-256."""

    id: str
    user: User
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    client: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyGrant:
    """What a key may do: scopes, end, networks, hours a month, requests an hour.

    Without networks it may be used from anywhere.
    """

    scopes: tuple[Scope, ...] = tuple(Scope)
    expires_at: datetime | None = None
    networks: str = ""
    quota_hours: float | None = None
    requests_per_hour: int | None = None

    def excess_over(self, other: "KeyGrant") -> tuple[str, str] | None:
        """Return the first limit of `other`, scopes aside, that this exceeds; and its value."""
        if other.networks and not key_networks.within(self.networks, other.networks):
            return "networks", other.networks
        if other.expires_at and (self.expires_at is None or self.expires_at > other.expires_at):
            return "expires_at", other.expires_at.isoformat()
        for limit in ("quota_hours", "requests_per_hour"):
            own, most = getattr(self, limit), getattr(other, limit)
            if most is not None and (own is None or own > most):
                return limit, f"{most:g}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """An API key, stored as a hash; `prefix` identifies it in lists.

    After a rotation, the previous secret works until `previous_until`.
    """

    id: str
    user_id: str
    name: str
    prefix: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    grant: KeyGrant = field(default_factory=KeyGrant)
    previous_until: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Return whether the key is neither revoked nor expired."""
        return self.revoked_at is None and (self.grant.expires_at is None or self.grant.expires_at > now)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """Who did what to which subject, and from where.

    `hash` covers the row and the previous hash, `key_id` is the API key that acted. What the platform does by itself
    comes from nowhere.
    """

    seq: int
    happened_at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any] = field(default_factory=dict)
    address: str | None = None
    agent: str | None = None
    request_id: str | None = None
    key_id: str | None = None
    hash: str
