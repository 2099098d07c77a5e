"""The routes for login, logout, session renewal and changing the password."""

import json
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, SecretStr
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from dashboards.http.access_middleware import COOKIE
from dashboards.http.api_parameters import require_whole_characters
from dashboards.http.device_cookie import device_of, set_device
from dashboards.http.forwarding import client_address, over_https
from dashboards.http.identity import caller_of
from dashboards.http.rate_limits import do_not_count
from dashboards.runtime import context, db, notify, security_log
from dashboards.runtime.site_paths import site_path
from storage.accounts import browser_login, password_change, sessions, users
from storage.domain.clock import utc_now
from storage.domain.errors import BadRequest, NotSignedIn, TooManyTries
from storage.domain.records import User

MAX_FORM_BYTES = 16 * 1024


class LogIn(BaseModel):
    """The login form; `next` is a path on this site."""

    model_config = ConfigDict(extra="ignore")

    name: str
    password: SecretStr
    next: str = ""


class Renewal(BaseModel):
    """A request to renew the session after its maximum age."""

    model_config = ConfigDict(extra="ignore")

    password: SecretStr


class NewPassword(BaseModel):
    """The password form."""

    model_config = ConfigDict(extra="ignore")

    current: SecretStr
    new: SecretStr
    end_keys: bool = False


async def log_in(request: Request) -> Response:
    """Start a session: JSON for a script, a redirect for a plain form."""
    try:
        form = LogIn.model_validate(await read_form(request))
        user = await _authenticate(request, form.name, form.password)
    except NotSignedIn as refusal:
        if _wants_json(request):
            raise
        return RedirectResponse(site_path(f"/?sign_in={refusal.code}"), HTTPStatus.SEE_OTHER)
    answer = done(request, local(form.next), user=user.name, must_change_password=user.must_change_password)
    return await begin(request, user, answer)


async def begin(request: Request, user: User, answer: Response) -> Response:
    """Start a session for an authenticated user; the response sets the cookie."""
    await _end_the_one_before(request)
    client = f"{client_address(request)} {request.headers.get('user-agent', '')}".strip()
    days = context.settings().web.session_max_days
    token, device = await db.write(
        browser_login.begin, user, device=device_of(request), client=client, now=utc_now(), max_days=days
    )
    _set_cookie(request, answer, token)
    set_device(request, answer, device)
    return answer


def _set_cookie(request: Request, answer: Response, token: str) -> None:
    seconds = context.settings().web.session_max_days * 86_400
    secure = over_https(request)
    path = site_path("") or "/"
    answer.set_cookie(COOKIE, token, max_age=seconds, path=path, httponly=True, samesite="lax", secure=secure)


async def log_out(request: Request) -> Response:
    """End this session and close its open pages."""
    caller = caller_of(request)
    if caller.session:
        await db.write(sessions.end, caller.session.id, actor=caller.actor)
        notify.kick([caller.session.id])
    answer = done(request, site_path("/"))
    answer.delete_cookie(COOKIE, path=site_path("") or "/", httponly=True, samesite="lax", secure=over_https(request))
    return answer


async def look(request: Request) -> Response:
    """Return the remaining seconds of the session; asking does not extend it."""
    session = caller_of(request).session
    assert session is not None  # noqa: S101  (the gate lets nothing else in here)
    now, idle = utc_now(), timedelta(minutes=context.settings().web.session_idle_minutes)
    by_password = await db.read(users.has_password, session.user.id)
    left = {
        "idle_s": round((session.last_seen_at + idle - now).total_seconds()),
        "ends_s": round((session.expires_at - now).total_seconds()),
        "by_password": by_password,
    }
    return JSONResponse(left)


async def stay(request: Request) -> Response:
    """Record that the user is active."""
    session = caller_of(request).session
    assert session is not None  # noqa: S101
    await db.write(sessions.touch, session.id, now=utc_now())
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def renew(request: Request) -> Response:
    """Extend the session like a new one, given the password; open pages stay."""
    caller = caller_of(request)
    user, session = caller.the_user(), caller.session
    form = Renewal.model_validate(await read_form(request))
    try:
        await _authenticate(request, user.name, form.password)
    except NotSignedIn as refusal:
        raise BadRequest("password", "this is not your password") from refusal
    assert session is not None  # noqa: S101
    days = context.settings().web.session_max_days
    await db.write(sessions.renew, session.id, now=utc_now(), max_days=days, actor=caller.actor)
    answer = JSONResponse({"ok": True})
    _set_cookie(request, answer, request.cookies[COOKIE])
    return answer


async def change_password(request: Request) -> Response:
    """Set the caller's password; all of their other sessions end, and their keys on request."""
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
    keep = session.id if session else None
    ended = await db.write(
        password_change.change, user.id, password=new, keep=keep, end_keys=form.end_keys, actor=caller.actor
    )
    notify.kick(ended)
    return done(request, site_path("/"))


async def _authenticate(request: Request, name: str, password: SecretStr) -> User:
    session = caller_of(request).session
    try:
        user = await db.in_ledger(
            users.authenticate,
            context.ledger(),
            name=name,
            password=password.get_secret_value(),
            client=client_address(request),
            device=device_of(request),
            session_id=session.id if session else None,
        )
    except NotSignedIn:
        await security_log.login_failed(name, by="password")
        raise
    except TooManyTries:
        await security_log.login_locked(name, by="password")
        raise
    do_not_count(request)
    return user


async def _end_the_one_before(request: Request) -> None:
    """A new login deletes the browser's previous session."""
    token = request.cookies.get(COOKIE)
    if not token:
        return
    minutes = context.settings().web.session_idle_minutes
    session = await db.in_ledger(sessions.lookup, context.ledger(), token, now=utc_now(), idle_minutes=minutes)
    if session:
        await db.write(sessions.end, session.id, actor=f"user:{session.user.id}")
        notify.kick([session.id])


async def read_form(request: Request) -> dict[str, Any]:
    """Read a small form or JSON object of limited size.

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
            require_whole_characters(body)
            form = json.loads(body)
        else:
            form = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=10, strict_parsing=bool(body)))
    except (ValueError, RecursionError) as error:  # the second one for JSON that is nested too deeply
        raise BadRequest("body", "this is neither a form nor JSON") from error
    if not isinstance(form, dict):
        raise BadRequest("body", "send a JSON object")
    return form


def done(request: Request, path: str, **facts: Any) -> Response:
    """Respond to a script with JSON, and to a plain form with a redirect."""
    if _wants_json(request):
        return JSONResponse({"ok": True, "next": path} | facts)
    return RedirectResponse(path, HTTPStatus.SEE_OTHER)


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")


def local(path: str) -> str:
    """Return a path on this site, whatever was requested."""
    home = site_path("/")
    safe = path.startswith(home) and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if safe else home


ROUTES = [
    Route("/auth/session", log_in, methods=["POST"]),
    Route("/auth/session", log_out, methods=["DELETE"]),
    Route("/auth/session", look, methods=["GET"]),
    Route("/auth/session/stay", stay, methods=["POST"]),
    Route("/auth/session/renew", renew, methods=["POST"]),
    Route("/auth/logout", log_out, methods=["POST"]),
    Route("/auth/password", change_password, methods=["POST"]),
]
