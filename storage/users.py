"""Accounts: names, roles, passwords (argon2id), and the limit on guessing them."""

import secrets
import threading
import unicodedata
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from duckdb import DuckDBPyConnection, TransactionException
from pydantic import SecretStr

from storage import audit
from storage.clock import new_id, utc_now
from storage.errors import BadRequest, NotFound, NotSignedIn, TooManyTries
from storage.records import Role, User

MIN_PASSWORD_CHARS, MAX_PASSWORD_CHARS = 8, 1024
WINDOW_S = 300
TRIES_PER_NAME_AND_CLIENT, TRIES_PER_CLIENT, TRIES_PER_NAME = 5, 20, 50

INSERT = """
INSERT INTO users (id, name, name_key, password_hash, role, disabled, must_change_password, created_at)
VALUES ($id, $name, $name_key, $password_hash, $role, FALSE, $must_change, $created_at)
"""
BY_ID = "SELECT id, name, role, disabled, must_change_password, created_at FROM users WHERE id = $id"
BY_NAME = "SELECT id, name, role, disabled, must_change_password, created_at FROM users WHERE name_key = $name_key"
ALL = "SELECT id, name, role, disabled, must_change_password, created_at FROM users ORDER BY name_key"
HASH_BY_NAME = "SELECT id, password_hash FROM users WHERE name_key = $name_key"
CHANGE_HASH = """
UPDATE users SET password_hash = $password_hash, must_change_password = $must_change WHERE id = $id RETURNING id
"""
SET_DISABLED = "UPDATE users SET disabled = $disabled WHERE id = $id"
SET_ROLE = "UPDATE users SET role = $role WHERE id = $id"
OTHER_ADMINS = "SELECT count(*) FROM users WHERE role = 'admin' AND NOT disabled AND id <> $id"
END_SESSIONS = "DELETE FROM sessions WHERE user_id = $id"
LOST = "lost"
HAS_ADMIN = "SELECT count(*) FROM users WHERE role = 'admin' AND NOT disabled AND password_hash <> 'lost'"

TRIES = """
SELECT count(*) FILTER (WHERE name_key = $name_key AND client = $client),
       count(*) FILTER (WHERE client = $client),
       count(*) FILTER (WHERE name_key = $name_key),
       min(tried_at) FILTER (WHERE name_key = $name_key OR client = $client)
FROM login_tries WHERE tried_at > $since
"""
ADD_TRY = "INSERT INTO login_tries (id, name_key, client, tried_at) VALUES ($id, $name_key, $client, $tried_at)"
FORGET_TRIES = "DELETE FROM login_tries WHERE name_key = $name_key AND client = $client OR tried_at < $since"

_tries_lock = threading.Lock()
_hashing = threading.BoundedSemaphore(4)  # each hash takes 64 MiB


def create(
    con: DuckDBPyConnection, *, name: str, password: str, role: Role, must_change: bool = False, actor: str
) -> User:
    """Add an account; names are unique without regard to case.

    Raises:
        BadRequest: the name is taken or unusable, or the password too short.
    """
    name = _checked_name(name)
    if by_name(con, name):
        raise BadRequest("name", f"{name} is taken; choose another")
    user_id = new_id()
    hashed = _hash(_checked_password(password))
    _insert(con, user_id=user_id, name=name, password_hash=hashed, role=role, must_change=must_change)
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
        _count_try(own, key, client)
        row = con.execute(HASH_BY_NAME, {"name_key": key}).fetchone()
        right = _matches(str(row[1]) if row else _nobodys_hash(), password)
        user = get(con, row[0]) if row and right else None
        if user is None or user.disabled:
            raise NotSignedIn("the name or the password is not right")
        since = utc_now() - timedelta(seconds=WINDOW_S)
        with _tries_lock, suppress(TransactionException):  # the upkeep is deleting the same old rows
            own.execute(FORGET_TRIES, {"name_key": key, "client": client, "since": since})
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
    con: DuckDBPyConnection, *, user_id: str, name: str, password_hash: str, role: Role, must_change: bool
) -> None:
    values = {
        "id": user_id,
        "name": name,
        "name_key": _key(name),
        "password_hash": password_hash,
        "role": role,
        "must_change": must_change,
        "created_at": utc_now(),
    }
    con.execute(INSERT, values)


def _count_try(own: DuckDBPyConnection, key: str, client: str) -> None:
    now = utc_now()
    with _tries_lock:
        found = {"name_key": key, "client": client, "since": now - timedelta(seconds=WINDOW_S)}
        both, by_client, by_key, oldest = own.execute(TRIES, found).fetchall()[0]
        if both >= TRIES_PER_NAME_AND_CLIENT or by_client >= TRIES_PER_CLIENT or by_key >= TRIES_PER_NAME:
            raise TooManyTries(max(1, WINDOW_S - int((now - oldest).total_seconds())))
        own.execute(ADD_TRY, {"id": new_id(), "name_key": key, "client": client, "tried_at": now})


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


def _checked_password(password: str) -> str:
    if not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
        raise BadRequest("password", f"use {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters")
    return password


def _needs_another_admin(con: DuckDBPyConnection, user_id: str, field: str) -> None:
    row = con.execute(OTHER_ADMINS, {"id": user_id}).fetchone()
    if not row or not row[0]:
        raise BadRequest(field, "this is the last administrator; make another one first")


def _user(row: tuple[Any, ...]) -> User:
    user_id, name, role, disabled, must_change, created_at = row
    made: datetime = created_at.astimezone(UTC)
    return User(
        id=user_id, name=name, role=Role(role), disabled=disabled, must_change_password=must_change, created_at=made
    )
