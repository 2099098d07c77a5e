"""What administrators do with accounts by the API."""

from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from dashboards.runtime import db, notify
from storage.accounts import api_keys, profiles, sessions, users
from storage.domain.errors import NotAllowed
from storage.domain.records import Role, User


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """What to change; None leaves it as it is. `limits` are hours a month and bytes, None meaning no limit."""

    role: Role | None = None
    disabled: bool | None = None
    limits: tuple[float | None, int | None] | None = None


def require_admin(user: User, doing: str) -> None:
    """Check that the user is an administrator.

    Raises:
        NotAllowed: the user is none.
    """
    if user.role is not Role.ADMIN:
        raise NotAllowed(doing, "an administrator")


def create(user: User, *, name: str, role: Role, password: str, email: str | None) -> User:
    """Create an account whose password must be changed at the first login.

    Raises:
        NotAllowed: the user is no administrator.
        BadRequest: the name, the address or the password is not acceptable.
    """
    require_admin(user, "creating accounts")
    created = {"name": name, "role": role, "password": password, "email": email}
    return db.change(users.create, **created, must_change=True, actor=user.actor)  # type: ignore[arg-type]


def change(user: User, user_id: str, wanted: AccountChange) -> User:
    """Change an account in one transaction.

    What was open with the rights of before is closed.

    Raises:
        NotAllowed: the user is no administrator.
        NotFound: there is no such account.
        BadRequest: a limit is negative, or no administrator would be left.
    """
    require_admin(user, "changing accounts")
    opened = [one.id for one in db.look(sessions.list_of, user_id)]
    opened += [one.id for one in db.look(api_keys.list_of, user_id)]
    changed = db.change(_change, user_id, wanted, actor=user.actor)
    if wanted.role is not None or wanted.disabled:
        notify.kick(opened)
    return changed


def _change(con: DuckDBPyConnection, user_id: str, wanted: AccountChange, *, actor: str) -> User:
    before = users.get(con, user_id)
    if wanted.role is not None and wanted.role is not before.role:
        users.set_role(con, user_id, role=wanted.role, actor=actor)
    if wanted.disabled is not None and wanted.disabled is not before.disabled:
        users.set_disabled(con, user_id, disabled=wanted.disabled, actor=actor)
    if wanted.limits is not None:
        hours, size_bytes = wanted.limits
        profiles.set_quota(con, user_id, hours=hours, size_bytes=size_bytes, actor=actor)
    return users.get(con, user_id)
