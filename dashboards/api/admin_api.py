"""What `transcriber admin` asks of a running web process, since nobody else can open the ledger then.

With the operator token, which only those can read who may read the data dir; workers elsewhere do not have it.
"""

import json
import secrets
from pathlib import Path
from typing import Any, TypeVar

from duckdb import DuckDBPyConnection
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboards import context
from dashboards.answers import bad_request
from storage import audit, keys, rebuild, sessions, upkeep, users
from storage.errors import BadRequest, NotFound
from storage.records import Role, to_json

T = TypeVar("T", bound=BaseModel)


class _Order(BaseModel):
    """`actor` says who gave the order: "cli:" and the name that the operating system knows."""

    model_config = ConfigDict(extra="forbid")

    actor: str = Field("cli:unknown", pattern=r"^cli:\S{1,100}$")


class NewUser(_Order):
    """Without a password one is made up; it must be changed at the first log-in in any case."""

    name: str
    role: Role = Role.MEMBER
    password: SecretStr | None = None


class ResetPassword(_Order):
    """Give a user a password to log in with once."""

    name: str
    password: SecretStr | None = None


class NewKey(_Order):
    """Make an API key for a user; `name` says what it is for."""

    user: str
    name: str


class Backup(_Order):
    """Copy the ledger to the file `to`, by default in `backups` beside it."""

    to: Path | None = None


async def _read(request: Request, kind: type[T]) -> T:
    try:
        return kind.model_validate_json(await request.body() or b"{}")
    except ValidationError as error:
        raise bad_request(error) from error


async def create_user(request: Request) -> Response:
    """Make an account and return its first password."""
    order = await _read(request, NewUser)
    password = _chosen(order.password)
    user = await context.write(
        users.create, name=order.name, password=password, role=order.role, must_change=True, actor=order.actor
    )
    return JSONResponse(json.loads(to_json(user)) | {"password": password})


async def reset_password(request: Request) -> Response:
    """Set a passing password, end all of the user's sessions, and return it."""
    order = await _read(request, ResetPassword)
    password = _chosen(order.password)
    user_id, ended = await context.write(_reset, order.name, password, actor=order.actor)
    context.kick(ended)
    return JSONResponse({"id": user_id, "name": order.name, "password": password})


def _reset(con: DuckDBPyConnection, name: str, password: str, *, actor: str) -> tuple[str, list[str]]:
    user = users.by_name(con, name)
    if user is None:
        raise NotFound("user", name)
    users.set_password(con, user.id, password=password, actor=actor, must_change=True)
    ended = [session.id for session in sessions.list_of(con, user.id)]
    sessions.end_all(con, user.id, actor=actor)
    return user.id, ended


async def create_key(request: Request) -> Response:
    """Make an API key and return its secret, which is shown this once."""
    order = await _read(request, NewKey)
    secret, key_id = await context.write(_make_key, order.user, order.name, actor=order.actor)
    return JSONResponse({"id": key_id, "secret": secret})


def _make_key(con: DuckDBPyConnection, user_name: str, name: str, *, actor: str) -> tuple[str, str]:
    user = users.by_name(con, user_name)
    if user is None:
        raise NotFound("user", user_name)
    secret, key = keys.create(con, user_id=user.id, name=name, actor=actor)
    return secret, key.id


async def backup(request: Request) -> Response:
    """Copy the ledger while it serves."""
    order = await _read(request, Backup)
    try:
        path = await context.in_thread(upkeep.backup, context.ledger(), order.to, actor=order.actor)
    except FileExistsError as error:
        raise BadRequest("to", str(error)) from error
    return JSONResponse({"path": str(path)})


async def verify_audit(_: Request) -> Response:
    """Walk the audit chain: the first row that is wrong, or null."""
    broken = await context.read(audit.verify)
    count, digest = await context.read(audit.head)
    return JSONResponse({"broken_at": broken, "rows": count, "head": digest})


async def rebuild_ledger(request: Request) -> Response:
    """Make jobs and transcripts again from storage, in a ledger that has none."""
    await _read(request, _Order)
    done = await context.in_thread(rebuild.rebuild, context.ledger(), context.files())
    context.wake()
    told: dict[str, Any] = json.loads(to_json(done))
    return JSONResponse(told)


def _chosen(password: SecretStr | None) -> str:
    return password.get_secret_value() if password else secrets.token_urlsafe(12)


ROUTES = [
    Route("/internal/v1/admin/users", create_user, methods=["POST"]),
    Route("/internal/v1/admin/passwords", reset_password, methods=["POST"]),
    Route("/internal/v1/admin/keys", create_key, methods=["POST"]),
    Route("/internal/v1/admin/backups", backup, methods=["POST"]),
    Route("/internal/v1/admin/audit", verify_audit, methods=["GET"]),
    Route("/internal/v1/admin/rebuild", rebuild_ledger, methods=["POST"]),
]
