"""Accounts: names, roles, passwords (argon2id), profiles and quotas."""

import re
import secrets
import threading
import unicodedata
from collections.abc import Iterable
from datetime import UTC
from functools import cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from duckdb import DuckDBPyConnection
from pydantic import SecretStr

from storage.accounts import known_devices, login_attempts
from storage.accounts.credential_rules import MAX_PASSWORD_CHARS, checked_name, checked_password, look_alike
from storage.accounts.login_attempts import TryLimits
from storage.domain.clock import new_id, utc_now
from storage.domain.errors import BadRequest, NotFound, NotSignedIn
from storage.domain.records import Role, User
from storage.ledger import audit
from storage.ledger.database import Ledger

LOST, ELSEWHERE = "lost", "elsewhere"
"""In place of a hash: password lost in a rebuild, or login through a provider."""

INSERT = """
INSERT INTO users (id, name, name_key, password_hash, role, disabled, must_change_password, created_at, email)
VALUES ($id, $name, $name_key, $password_hash, $role, FALSE, $must_change, $created_at, $email)
"""
BY_ID = "SELECT * FROM user_rows WHERE id = $id"
BY_NAME = """
SELECT * FROM user_rows WHERE id = (SELECT id FROM users WHERE name_key = $name_key)
"""
ALL = "SELECT * FROM user_rows ORDER BY name_key"
HASH_BY_NAME = "SELECT password_hash FROM users WHERE name_key = $name_key"
CHANGE_HASH = """
UPDATE users SET password_hash = $password_hash, must_change_password = $must_change WHERE id = $id
"""
SET_DISABLED = "UPDATE users SET disabled = $disabled WHERE id = $id"
SET_ROLE = "UPDATE users SET role = $role WHERE id = $id"
OTHER_ADMINS = "SELECT count(*) FROM users WHERE role = 'admin' AND NOT disabled AND id <> $id"
END_SESSIONS = "DELETE FROM sessions WHERE user_id = $id"
HAS_ADMIN = "SELECT count(*) FROM users WHERE role = 'admin' AND NOT disabled AND password_hash <> 'lost'"

_hashing = threading.BoundedSemaphore(4)  # each hash takes 64 MiB


def create(
    con: DuckDBPyConnection,
    *,
    name: str,
    password: str | None,
    role: Role,
    must_change: bool = False,
    email: str | None = None,
    actor: str,
) -> User:
    """Create an account; names are unique regardless of case.

    Without a password, the user can log in only through a provider.

    Raises:
        BadRequest: the name is taken, looks like another or is invalid, or the password is too weak.
    """
    name = checked_name(name)
    if taken := taken_by(con, name):
        raise BadRequest(
            "name", "{name} is taken, or looks like {taken}; choose another", {"name": name, "taken": taken}
        )
    user_id, email = new_id(), checked_email(email)
    hashed = ELSEWHERE if password is None else _hash(checked_password(password, name=name))
    _insert(con, user_id=user_id, name=name, password_hash=hashed, role=role, must_change=must_change, email=email)
    audit.record(con, actor=actor, action="user.create", subject=user_id, detail={"name": name, "role": role})
    return get(con, user_id)


def authenticate(
    ledger: Ledger,
    *,
    name: str,
    password: str,
    client: str,
    device: str | None = None,
    session_id: str | None = None,
    limits: TryLimits = login_attempts.LIMITS,
) -> User:
    """Return the user with this password.

    Takes the same time for an unknown name. Attempts are counted before the password is checked, so that parallel
    guessing does not help. `device` is the cookie of a browser; one in which the user has logged in before, and a
    session of the user, are counted by themselves: no stranger's attempts lock them out, and they have
    `per_name_and_client` attempts.

    Raises:
        NotSignedIn: the name, the password or the account is not valid; the error does not say which.
        TooManyTries: too many failures within five minutes for this name or from this client.
    """
    with ledger.read() as con:
        row = con.execute(HASH_BY_NAME, {"name_key": _key(name)}).fetchone()
        user = by_name(con, name)
        known = known_devices.find(con, device, user_id=user.id if user else "", now=utc_now())
    tried = (_key(name), client)
    if session_id or known:
        own = f"session {session_id}" if session_id else f"device {known}"
        tried = (f"\t{own}", own)
    ledger.note(login_attempts.count, *tried, limits=limits)
    hashed = str(row[0]) if row else LOST
    right = _matches(_nobodys_hash() if hashed in {LOST, ELSEWHERE} else hashed, password)
    if user is None or user.disabled or not right:
        raise NotSignedIn("the name or the password is not right")
    ledger.note(login_attempts.forget, *tried)
    return user


def get(con: DuckDBPyConnection, user_id: str) -> User:
    """Return the user.

    Raises:
        NotFound: there is none with this id.
    """
    row = con.execute(BY_ID, {"id": user_id}).fetchone()
    if row is None:
        raise NotFound("user", user_id)
    return _user(row)


def by_name(con: DuckDBPyConnection, name: str) -> User | None:
    """Return the user of this name, regardless of case, or None."""
    row = con.execute(BY_NAME, {"name_key": _key(name)}).fetchone()
    return _user(row) if row else None


NAMES_OF_ALL = "SELECT name FROM users ORDER BY id"


def taken_by(con: DuckDBPyConnection, name: str) -> str | None:
    """Return the user's name that is this one, or looks like it."""
    if user := by_name(con, name):
        return user.name
    return look_alike(name, (str(row[0]) for row in con.execute(NAMES_OF_ALL).fetchall()))


def list_all(con: DuckDBPyConnection) -> list[User]:
    """Return all users by name."""
    return [_user(row) for row in con.execute(ALL).fetchall()]


PAGE = """
SELECT * FROM user_rows
WHERE ($after IS NULL OR name_key > $after)
  AND ($search = '' OR contains(name_key, $search) OR contains(lower(coalesce(email, '')), $search)
       OR contains(lower(coalesce(display_name, '')), $search))
ORDER BY name_key LIMIT $limit
"""


def page(con: DuckDBPyConnection, *, after: str | None = None, search: str = "", limit: int = 50) -> list[User]:
    """Return users by name, after the name `after` (the last one of the previous page)."""
    found = {"after": None if after is None else _key(after), "search": _key(search), "limit": limit}
    return [_user(row) for row in con.execute(PAGE, found).fetchall()]


NAMES = "SELECT id, name FROM users WHERE list_contains($ids, id)"


def names_of(con: DuckDBPyConnection, user_ids: Iterable[str]) -> dict[str, str]:
    """Return the names of those users that exist."""
    return dict(con.execute(NAMES, {"ids": list(user_ids)}).fetchall())


ENABLED = "SELECT id FROM users WHERE list_contains($ids, id) AND NOT disabled"


def enabled_of(con: DuckDBPyConnection, user_ids: Iterable[str]) -> set[str]:
    """Return those of the ids whose accounts exist and are not disabled."""
    return {row[0] for row in con.execute(ENABLED, {"ids": list(user_ids)}).fetchall()}


CAN_TYPE_ONE = "SELECT password_hash NOT IN ('lost', 'elsewhere') FROM users WHERE id = $id"


def has_password(con: DuckDBPyConnection, user_id: str) -> bool:
    """Return whether the user logs in with a password."""
    row = con.execute(CAN_TYPE_ONE, {"id": user_id}).fetchone()
    return bool(row and row[0])


def set_password(
    con: DuckDBPyConnection,
    user_id: str,
    *,
    password: str,
    actor: str,
    must_change: bool = False,
    keep_session: str | None = None,
) -> None:
    """Set the user's password, and forget known devices but that of `keep_session`.

    Sessions continue until `sessions.end_all` ends them.

    Raises:
        BadRequest: the password is too short, or easily guessed.
        NotFound: there is no such user.
    """
    checked = checked_password(password, name=get(con, user_id).name)
    con.execute(CHANGE_HASH, {"id": user_id, "password_hash": _hash(checked), "must_change": must_change})
    audit.record(con, actor=actor, action="user.password", subject=user_id, detail={"must_change": must_change})
    known_devices.forget_all(con, user_id, actor=actor, but_session=keep_session)


def set_disabled(con: DuckDBPyConnection, user_id: str, *, disabled: bool, actor: str) -> User:
    """Disable the user with all sessions and keys, or enable the user again.

    Raises:
        BadRequest: it is the last administrator.
    """
    user = get(con, user_id)
    if disabled and user.role is Role.ADMIN:
        _needs_another_admin(con, user_id, "disabled")
    con.execute(SET_DISABLED, {"id": user_id, "disabled": disabled})
    if disabled:
        con.execute(END_SESSIONS, {"id": user_id})
    audit.record(con, actor=actor, action="user.disable" if disabled else "user.enable", subject=user_id)
    return get(con, user_id)


def set_role(con: DuckDBPyConnection, user_id: str, *, role: Role, actor: str) -> User:
    """Change the user's role.

    Raises:
        BadRequest: it would leave no administrator.
    """
    user = get(con, user_id)
    if user.role is Role.ADMIN and role is not Role.ADMIN:
        _needs_another_admin(con, user_id, "role")
    con.execute(SET_ROLE, {"id": user_id, "role": role})
    audit.record(con, actor=actor, action="user.role", subject=user_id, detail={"from": user.role, "to": role})
    return get(con, user_id)


def ensure_admin(con: DuckDBPyConnection, password: SecretStr | None) -> str | None:
    """Create the user `admin` if there is no administrator; return a generated password.

    It must be changed at the first login, whoever chose it. An `admin` restored by a rebuild without its password gets
    a new one.
    """
    row = con.execute(HAS_ADMIN).fetchone()
    if row and row[0]:
        return None
    made_up = None if password else secrets.token_urlsafe(12)
    chosen = password.get_secret_value() if password else str(made_up)
    actor = "system:setup"
    if there := by_name(con, "admin"):
        set_password(con, there.id, password=chosen, must_change=True, actor=actor)
        set_role(con, there.id, role=Role.ADMIN, actor=actor)
        set_disabled(con, there.id, disabled=False, actor=actor)
    else:
        create(con, name="admin", password=chosen, role=Role.ADMIN, must_change=True, actor=actor)
    return made_up


def restore(con: DuckDBPyConnection, *, user_id: str, name: str, role: Role, actor: str) -> User:
    """Restore an account without its password; an administrator has to set a new one."""
    _insert(con, user_id=user_id, name=name, password_hash=LOST, role=role, must_change=True)
    audit.record(con, actor=actor, action="user.restore", subject=user_id, detail={"name": name, "role": role})
    return get(con, user_id)


def _insert(
    con: DuckDBPyConnection,
    *,
    user_id: str,
    name: str,
    password_hash: str,
    role: Role,
    must_change: bool,
    email: str | None = None,
) -> None:
    values = {
        "id": user_id,
        "name": name,
        "name_key": _key(name),
        "password_hash": password_hash,
        "role": role,
        "must_change": must_change,
        "created_at": utc_now(),
        "email": email,
    }
    con.execute(INSERT, values)


def _hash(password: str) -> str:
    with _hashing:
        return PasswordHasher().hash(password)


def _matches(password_hash: str, password: str) -> bool:
    try:
        with _hashing:
            return PasswordHasher().verify(password_hash, password[: MAX_PASSWORD_CHARS + 1])
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    return _hash(secrets.token_urlsafe(16))


def _key(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()


EMAIL = re.compile(r"[^@\s<>,;:\"()\[\]\\]{1,64}@[A-Za-z0-9.-]{1,253}")


def checked_email(email: str | None) -> str | None:
    """Return a valid e-mail address, or None without one.

    Raises:
        BadRequest: it is not an e-mail address.
    """
    email = (email or "").strip()
    if email and not (EMAIL.fullmatch(email) and email.isprintable()):
        raise BadRequest("e-mail", "this is no e-mail address such as ada@example.org")
    return email or None


def _needs_another_admin(con: DuckDBPyConnection, user_id: str, field: str) -> None:
    row = con.execute(OTHER_ADMINS, {"id": user_id}).fetchone()
    if not row or not row[0]:
        raise BadRequest(field, "this is the last administrator; make another one first")


def _user(row: tuple[Any, ...]) -> User:
    user_id, _, name, role, disabled, must_change, created_at, display_name, email, hours, size_bytes = row
    return User(
        id=user_id,
        name=name,
        role=Role(role),
        disabled=disabled,
        must_change_password=must_change,
        created_at=created_at.astimezone(UTC),
        display_name=display_name,
        email=email,
        quota_hours=hours,
        quota_bytes=size_bytes,
    )
