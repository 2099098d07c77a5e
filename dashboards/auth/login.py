"""Log in, log out, change the password: the routes behind the forms."""

import json
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from duckdb import DuckDBPyConnection
from pydantic import BaseModel, ConfigDict, SecretStr
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from dashboards import context
from dashboards.callers import caller_of
from dashboards.gate import COOKIE
from storage import sessions, users
from storage.clock import utc_now
from storage.errors import BadRequest, NotSignedIn, TooManyTries
from storage.records import Session, User

MAX_FORM_BYTES = 16 * 1024


class LogIn(BaseModel):
    """What the log-in form sends; `next` is a path on this site."""

    model_config = ConfigDict(extra="ignore")

    name: str
    password: SecretStr
    next: str = "/"


class Renewal(BaseModel):
    """What is sent to stay logged in beyond the end of the session."""

    model_config = ConfigDict(extra="ignore")

    password: SecretStr


class NewPassword(BaseModel):
    """What the password form sends."""

    model_config = ConfigDict(extra="ignore")

    current: SecretStr
    new: SecretStr


async def log_in(request: Request) -> Response:
    """Start a session: JSON for a script's fetch, a redirect for a plain form."""
    try:
        form = LogIn.model_validate(await read_form(request))
        user = await _authenticate(request, form.name, form.password)
    except (NotSignedIn, TooManyTries) as refusal:
        if _wants_json(request):
            raise
        return RedirectResponse(f"/?sign_in={refusal.code}", HTTPStatus.SEE_OTHER)
    answer = done(request, local(form.next), user=user.name, must_change_password=user.must_change_password)
    return await begin(request, user, answer)


async def begin(request: Request, user: User, answer: Response) -> Response:
    """Start a session for whoever has just shown to be the user; the cookie goes with the answer."""
    await _end_the_one_before(request)
    client = f"{address(request)} {request.headers.get('user-agent', '')}".strip()
    days = context.settings().web.session_max_days
    token, _ = await context.write(sessions.start, user, client=client, now=utc_now(), max_days=days)
    _set_cookie(request, answer, token)
    return answer


def _set_cookie(request: Request, answer: Response, token: str) -> None:
    seconds = context.settings().web.session_max_days * 86_400
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, token, max_age=seconds, httponly=True, samesite="lax", secure=secure)


async def log_out(request: Request) -> Response:
    """End this session and close its open pages."""
    caller = caller_of(request)
    if caller.session:
        await context.write(sessions.end, caller.session.id, actor=caller.actor)
        context.kick([caller.session.id])
    answer = done(request, "/")
    answer.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=request.url.scheme == "https")
    return answer


async def look(request: Request) -> Response:
    """Say for how many seconds the session lasts yet, left alone or in any case; asking does not keep it alive."""
    session = caller_of(request).session
    assert session is not None  # noqa: S101  (the gate lets nothing else in here)
    now, idle = utc_now(), timedelta(minutes=context.settings().web.session_idle_minutes)
    by_password = await context.read(users.has_password, session.user.id)
    left = {
        "idle_s": round((session.last_seen_at + idle - now).total_seconds()),
        "ends_s": round((session.expires_at - now).total_seconds()),
        "by_password": by_password,
    }
    return JSONResponse(left)


async def stay(request: Request) -> Response:
    """Note that somebody is there."""
    session = caller_of(request).session
    assert session is not None  # noqa: S101
    await context.write(sessions.touch, session.id, now=utc_now())
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def renew(request: Request) -> Response:
    """Let the session last as long as a new one, for the password; the open pages stay as they are."""
    caller = caller_of(request)
    user, session = caller.the_user(), caller.session
    form = Renewal.model_validate(await read_form(request))
    try:
        await _authenticate(request, user.name, form.password)
    except NotSignedIn as refusal:
        raise BadRequest("password", "this is not your password") from refusal
    assert session is not None  # noqa: S101
    days = context.settings().web.session_max_days
    await context.write(sessions.renew, session.id, now=utc_now(), max_days=days, actor=caller.actor)
    answer = JSONResponse({"ok": True})
    _set_cookie(request, answer, request.cookies[COOKIE])
    return answer


async def change_password(request: Request) -> Response:
    """Set the caller's password; every other session of theirs ends."""
    caller = caller_of(request)
    user, session = caller.the_user(), caller.session
    form = NewPassword.model_validate(await read_form(request))
    new = form.new.get_secret_value()
    if new == form.current.get_secret_value():
        raise BadRequest("new", "choose a password other than the one you have")
    try:
        await _authenticate(request, user.name, form.current)
    except NotSignedIn as refusal:
        raise BadRequest("current", "this is not your password") from refusal
    ended = await context.write(_set_password, user, session, new, actor=caller.actor)
    context.kick(ended)
    return done(request, "/")


def _set_password(
    con: DuckDBPyConnection, user: User, session: Session | None, password: str, *, actor: str
) -> list[str]:
    users.set_password(con, user.id, password=password, actor=actor)
    others = [other.id for other in sessions.list_of(con, user.id) if not session or other.id != session.id]
    sessions.end_all(con, user.id, actor=actor, but=session.id if session else None)
    return others


async def _authenticate(request: Request, name: str, password: SecretStr) -> User:
    return await context.read(
        users.authenticate, name=name, password=password.get_secret_value(), client=address(request)
    )


async def _end_the_one_before(request: Request) -> None:
    """A browser that logs in anew leaves no session behind that nobody has the cookie of."""
    token = request.cookies.get(COOKIE)
    if not token:
        return
    minutes = context.settings().web.session_idle_minutes
    session = await context.read(sessions.lookup, token, now=utc_now(), idle_minutes=minutes)
    if session:
        await context.write(sessions.end, session.id, actor=f"user:{session.user.id}")
        context.kick([session.id])


async def read_form(request: Request) -> dict[str, Any]:
    """Read a small form or JSON object; strangers send it, so no more is read than one of ours can have.

    Raises:
        BadRequest: it is something else.
    """
    body = b""
    async for block in request.stream():
        body += block
        if len(body) > MAX_FORM_BYTES:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "a form of this size is not one of ours")
    try:
        if request.headers.get("content-type", "").startswith("application/json"):
            form = json.loads(body)
        else:
            form = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=10, strict_parsing=bool(body)))
    except ValueError as error:
        raise BadRequest("body", "this is neither a form nor JSON") from error
    if not isinstance(form, dict):
        raise BadRequest("body", "send a JSON object")
    return form


def done(request: Request, path: str, **facts: Any) -> Response:
    """Answer a script with JSON, and a plain form with the way to go on."""
    if _wants_json(request):
        return JSONResponse({"ok": True, "next": path} | facts)
    return RedirectResponse(path, HTTPStatus.SEE_OTHER)


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")


def address(request: Request) -> str:
    """Return where the request comes from, for counting tries."""
    return request.client.host if request.client else "unknown"


def local(path: str) -> str:
    """Return a path on this site, whatever was asked for."""
    safe = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if safe else "/"


ROUTES = [
    Route("/auth/session", log_in, methods=["POST"]),
    Route("/auth/session", log_out, methods=["DELETE"]),
    Route("/auth/session", look, methods=["GET"]),
    Route("/auth/session/stay", stay, methods=["POST"]),
    Route("/auth/session/renew", renew, methods=["POST"]),
    Route("/auth/logout", log_out, methods=["POST"]),
    Route("/auth/password", change_password, methods=["POST"]),
]
