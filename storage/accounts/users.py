"""Accounts: names, roles, passwords (argon2id), profiles and quotas."""

import re
import secrets
import threading
import unicodedata
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC
from functools import cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from duckdb import DuckDBPyConnection
from pydantic import SecretStr

from storage import audit, tries
from storage.clock import new_id, utc_now
from storage.errors import BadRequest, NotFound, NotSignedIn
from storage.records import Role, User

MIN_PASSWORD_CHARS, MAX_PASSWORD_CHARS = 8, 1024
LOST, ELSEWHERE = "lost", "elsewhere"
"""In place of a hash: the password was lost in a rebuild, or the user logs in through a provider alone."""

INSERT = """
INSERT INTO users (id, name, name_key, password_hash, role, disabled, must_change_password, created_at, email)
VALUES ($id, $name, $name_key, $password_hash, $role, FALSE, $must_change, $created_at, $email)
"""
BY_ID = "SELECT * FROM user_rows WHERE id = $id"
BY_NAME = """
SELECT * FROM user_rows WHERE id = (SELECT id FROM users WHERE name_key = $name_key)
"""
ALL = "SELECT * FROM user_rows ORDER BY name_key"
HASH_BY_NAME = "SELECT id, password_hash FROM users WHERE name_key = $name_key"
CHANGE_HASH = """
UPDATE users SET password_hash = $password_hash, must_change_password = $must_change WHERE id = $id RETURNING id
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
    """Add an account; names are unique without regard to case. Without a password only a provider lets it in.

    Raises:
        BadRequest: the name is taken or unusable, or the password too short.
    """
    name = _checked_name(name)
    if by_name(con, name):
        raise BadRequest("name", f"{name} is taken; choose another")
    user_id, email = new_id(), checked_email(email)
    hashed = ELSEWHERE if password is None else _hash(_checked_password(password))
    _insert(con, user_id=user_id, name=name, password_hash=hashed, role=role, must_change=must_change, email=email)
    audit.record(con, actor=actor, action="user.create", subject=user_id, detail={"name": name, "role": role})
    return get(con, user_id)


def authenticate(con: DuckDBPyConnection, *, name: str, password: str, client: str) -> User:
    """Return the user whose password this is; works on a `read` connection, too.

    Takes the same time for a name that nobody has. Tries are counted in a transaction of their own, so that a
    failed one stays counted, and before the password is looked at, so that guessing in parallel does not help.

    Raises:
        NotSignedIn: the name, the password or the account will not do; which one is not said.
        TooManyTries: too many failures within five minutes for this name or from this client.
    """
    key = _key(name)
    with closing(con.cursor()) as own:
        tries.count(own, key, client)
        row = con.execute(HASH_BY_NAME, {"name_key": key}).fetchone()
        hashed = str(row[1]) if row else LOST
        right = _matches(_nobodys_hash() if hashed in {LOST, ELSEWHERE} else hashed, password)
        user = get(con, row[0]) if row and right else None
        if user is None or user.disabled:
            raise NotSignedIn("the name or the password is not right")
        tries.forget(own, key, client)
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
    """Return the user of this name in any case, or None."""
    row = con.execute(BY_NAME, {"name_key": _key(name)}).fetchone()
    return _user(row) if row else None


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
    """Return users by name, behind the name `after` (the last one of the page above)."""
    found = {"after": None if after is None else _key(after), "search": _key(search), "limit": limit}
    return [_user(row) for row in con.execute(PAGE, found).fetchall()]


NAMES = "SELECT id, name FROM users WHERE list_contains($ids, id)"


def names_of(con: DuckDBPyConnection, user_ids: Iterable[str]) -> dict[str, str]:
    """Return the names of those users that there are."""
    return dict(con.execute(NAMES, {"ids": list(user_ids)}).fetchall())


CAN_TYPE_ONE = "SELECT password_hash NOT IN ('lost', 'elsewhere') FROM users WHERE id = $id"


def has_password(con: DuckDBPyConnection, user_id: str) -> bool:
    """Tell whether the user logs in with a password."""
    row = con.execute(CAN_TYPE_ONE, {"id": user_id}).fetchone()
    return bool(row and row[0])


def set_password(
    con: DuckDBPyConnection, user_id: str, *, password: str, actor: str, must_change: bool = False
) -> None:
    """Give the user a new password; sessions go on until `sessions.end_all` ends them.

    Raises:
        BadRequest: the password is too short.
        NotFound: there is no such user.
    """
    values = {"id": user_id, "password_hash": _hash(_checked_password(password)), "must_change": must_change}
    if con.execute(CHANGE_HASH, values).fetchone() is None:
        raise NotFound("user", user_id)
    audit.record(con, actor=actor, action="user.password", subject=user_id, detail={"must_change": must_change})


def set_disabled(con: DuckDBPyConnection, user_id: str, *, disabled: bool, actor: str) -> User:
    """Shut the user out, sessions and keys too, or let the user in again.

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
    """Change what the user may do.

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
    """Make the user `admin` where nobody could administer; return its password if one had to be made up.

    It must be changed at the first log-in, whoever chose it. An `admin` that a rebuild brought back without its
    password gets one.
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
    """Put an account back whose password is lost: nobody can log in until an administrator sets a new one."""
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


def _checked_name(name: str) -> str:
    name = unicodedata.normalize("NFC", name).strip()
    if not 1 <= len(name) <= 64 or not name.isprintable():
        raise BadRequest("name", "use 1 to 64 printable characters")
    return name


EMAIL = re.compile(r"[^@\s<>,;:\"()\[\]\\]{1,64}@[A-Za-z0-9.-]{1,253}")


def checked_email(email: str | None) -> str | None:
    """Return an address that mail can be sent to; None where there is none.

    Raises:
        BadRequest: it is something else.
    """
    email = (email or "").strip()
    if email and not (EMAIL.fullmatch(email) and email.isprintable()):
        raise BadRequest("e-mail", "this is no e-mail address such as ada@example.org")
    return email or None


def _checked_password(password: str) -> str:
    if not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
        raise BadRequest("password", f"use {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters")
    return password


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
