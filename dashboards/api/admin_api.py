"""The routes behind `transcriber admin`, for when the web process holds the ledger.

They need the operator token, which only users with access to the data dir can read; workers elsewhere do not have it.
"""

import json
import secrets
from functools import partial
from typing import Any, TypeVar

from duckdb import DuckDBPyConnection
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboards.http.error_responses import bad_request
from dashboards.runtime import context, db, notify
from dashboards.services import jobs
from storage.accounts import api_keys, sessions, users, worker_tokens
from storage.domain.errors import NotFound
from storage.domain.job_actions import JobAction
from storage.domain.job_messages import text_of
from storage.domain.records import Job, JobState, KeyGrant, Lane, Role, to_json
from storage.domain.scopes import Scope, in_order
from storage.jobs import job_store, renaming
from storage.maintenance import audit_heads, legacy_import, rebuild
from storage.maintenance.audit_heads import AuditHead
from storage.remote import secret_rotation

T = TypeVar("T", bound=BaseModel)
MAX_LISTED = 1000


class _Order(BaseModel):
    """`actor` is who gave the command: "cli:" and the operating system's user name."""

    model_config = ConfigDict(extra="forbid")

    actor: str = Field("cli:unknown", pattern=r"^cli:\S{1,100}$")


class NewUser(_Order):
    """Create a user; without a password one is generated. It must be changed at first login."""

    name: str
    role: Role = Role.MEMBER
    password: SecretStr | None = None


class ResetPassword(_Order):
    """Give a user a one-time password."""

    name: str
    password: SecretStr | None = None


class NewKey(_Order):
    """Create an API key for a user; `name` says what it is for."""

    user: str
    name: str
    scopes: list[str] = Field(default=[scope.value for scope in Scope])
    requests_per_hour: int | None = None


class NewWorkerToken(_Order):
    """Create a token for the workers of one machine."""

    name: str


class Rename(_Order):
    """Rename a recording."""

    job: str
    name: str


class JobOrder(_Order):
    """Perform an action on a job, or move it to another lane."""

    job: str
    action: JobAction
    lane: Lane | None = None


class RotateSecret(_Order):
    """Replace a secret of ours; the present one holds for the overlap."""

    name: str
    overlap_hours: float = secret_rotation.OVERLAP_HOURS


async def _read(request: Request, kind: type[T]) -> T:
    try:
        return kind.model_validate_json(await request.body() or b"{}")
    except ValidationError as error:
        raise bad_request(error) from error


async def create_user(request: Request) -> Response:
    """Create an account and return its first password."""
    order = await _read(request, NewUser)
    password = _chosen(order.password)
    user = await db.write(
        users.create, name=order.name, password=password, role=order.role, must_change=True, actor=order.actor
    )
    return JSONResponse(json.loads(to_json(user)) | {"password": password})


async def reset_password(request: Request) -> Response:
    """Set a one-time password, end all of the user's sessions, and return the password."""
    order = await _read(request, ResetPassword)
    password = _chosen(order.password)
    user_id, ended = await db.write(_reset, order.name, password, actor=order.actor)
    notify.kick(ended)
    return JSONResponse({"id": user_id, "name": order.name, "password": password})


def _reset(con: DuckDBPyConnection, name: str, password: str, *, actor: str) -> tuple[str, list[str]]:
    user = users.by_name(con, name)
    if user is None:
        raise NotFound("user", name)
    users.set_password(con, user.id, password=password, actor=actor, must_change=True)
    ended = [session.id for session in sessions.list_of(con, user.id)]
    sessions.end_all(con, user.id, actor=actor)
    return user.id, ended


async def rotate_secret(request: Request) -> Response:
    """Rotate a secret, and say what is left to do. The secret stays in the data dir."""
    order = await _read(request, RotateSecret)
    done = await db.write(
        secret_rotation.rotate,
        context.settings(),
        order.name,
        overlap_hours=order.overlap_hours,
        actor=order.actor,
    )
    return JSONResponse({"name": done.name, "until": done.until.isoformat(), "next_step": done.next_step})


async def create_key(request: Request) -> Response:
    """Create an API key and return its secret, which is shown only once."""
    order = await _read(request, NewKey)
    grant = KeyGrant(scopes=in_order(order.scopes), requests_per_hour=order.requests_per_hour)
    secret, key_id = await db.write(_make_key, order.user, order.name, grant, actor=order.actor)
    return JSONResponse({"id": key_id, "secret": secret})


def _make_key(con: DuckDBPyConnection, user_name: str, name: str, grant: KeyGrant, *, actor: str) -> tuple[str, str]:
    user = users.by_name(con, user_name)
    if user is None:
        raise NotFound("user", user_name)
    secret, key = api_keys.create(con, user_id=user.id, name=name, grant=grant, actor=actor)
    return secret, key.id


async def create_worker_token(request: Request) -> Response:
    """Create a worker token and return its secret, which is shown only once."""
    order = await _read(request, NewWorkerToken)
    secret, token = await db.write(worker_tokens.create, name=order.name, actor=order.actor)
    return JSONResponse({"id": token.id, "secret": secret})


async def rename_job(request: Request) -> Response:
    """Rename a recording and return its new name."""
    order = await _read(request, Rename)
    job = await db.write(renaming.rename, order.job, name=order.name, actor=order.actor)
    notify.announce(job)
    return JSONResponse({"id": job.id, "name": job.name})


def shown(job: Job) -> dict[str, Any]:
    """Return what the command line shows of a job."""
    told = {"id": job.id, "name": job.name, "state": job.state.value, "lane": job.lane.value, "held": job.held}
    return told | {"progress": round(job.progress, 3), "detail": text_of(job.detail)}


async def order_job(request: Request) -> Response:
    """Cancel, pause, resume, retry or reorder a job; return it as it is then."""
    order = await _read(request, JobOrder)
    job = await db.in_thread(jobs.order, order.action, order.job, actor=order.actor, lane=order.lane)
    return JSONResponse(shown(job))


async def list_jobs(_: Request) -> Response:
    """Return the unfinished jobs, newest first."""
    states = [state for state in JobState if not state.finished]
    found = await db.read(partial(job_store.page, state=states, limit=MAX_LISTED))
    return JSONResponse({"jobs": list(map(shown, found))})


class KeptHead(BaseModel):
    """A head of the audit chain that was kept elsewhere."""

    model_config = ConfigDict(extra="forbid")

    at: AwareDatetime
    rows: int
    hash: str


class KeptHeads(_Order):
    """Check the audit log against these heads, too."""

    heads: list[KeptHead] = []


async def verify_audit(request: Request) -> Response:
    """Check the audit log by itself, against kept heads and against the tables.

    The heads are those sent, or those on storage.
    """
    sent = (await _read(request, KeptHeads)).heads if request.method == "POST" else []
    heads = [AuditHead(at=one.at, rows=one.rows, hash=one.hash) for one in sent]
    report = await db.read(audit_heads.examine, heads or await db.in_thread(audit_heads.kept, context.files()))
    return JSONResponse(json.loads(to_json(report)))


async def rebuild_ledger(request: Request) -> Response:
    """Bring in jobs and versions that storage has and the ledger has not."""
    await _read(request, _Order)
    done = await db.in_thread(rebuild.rebuild, context.ledger(), context.files())
    notify.wake()
    told: dict[str, Any] = json.loads(to_json(done))
    return JSONResponse(told)


class Imports(_Order):
    """Take over described jobs: their ids there, by their ids here.

    With `check`, only say which are known.
    """

    jobs: dict[str, str] = Field(max_length=MAX_LISTED)
    check: bool = False


async def import_jobs(request: Request) -> Response:
    """Bring jobs of the older application into the ledger, or say which are in it."""
    order = await _read(request, Imports)
    found = await db.read(legacy_import.known, list(order.jobs))
    told = {"here": sorted(found.here), "purged": sorted(found.purged), "imported": list[str]()}
    if not order.check:
        ledger, files = context.ledger(), context.files()
        told["imported"] = await db.in_thread(
            partial(legacy_import.bring_in, ledger, files, order.jobs, actor=order.actor)
        )
        notify.wake()
    return JSONResponse(told)


def _chosen(password: SecretStr | None) -> str:
    return password.get_secret_value() if password else secrets.token_urlsafe(12)


ROUTES = [
    Route("/internal/v1/admin/users", create_user, methods=["POST"]),
    Route("/internal/v1/admin/passwords", reset_password, methods=["POST"]),
    Route("/internal/v1/admin/keys", create_key, methods=["POST"]),
    Route("/internal/v1/admin/worker-tokens", create_worker_token, methods=["POST"]),
    Route("/internal/v1/admin/secrets", rotate_secret, methods=["POST"]),
    Route("/internal/v1/admin/names", rename_job, methods=["POST"]),
    Route("/internal/v1/admin/jobs", list_jobs, methods=["GET"]),
    Route("/internal/v1/admin/jobs", order_job, methods=["POST"]),
    Route("/internal/v1/admin/audit", verify_audit, methods=["GET", "POST"]),
    Route("/internal/v1/admin/imports", import_jobs, methods=["POST"]),
    Route("/internal/v1/admin/rebuild", rebuild_ledger, methods=["POST"]),
]
