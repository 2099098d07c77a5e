"""Access control for all requests: authentication, and authorisation by path.

A route that is not listed here requires a browser session. Public are health, login, the files that a phone needs to
install the app (see `pwa.py`), and the page's empty shell with the websocket that draws the login page.
"""

import asyncio
import time
from dataclasses import replace

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, cookie_parser
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.http import route_scopes
from dashboards.http.error_responses import REFUSALS, refuse
from dashboards.http.forwarding import client_address
from dashboards.http.identity import NOBODY, By, Caller
from dashboards.http.route_methods import SHELL
from dashboards.runtime import context, db, security_log
from dashboards.runtime.answer_cache import end_of
from dashboards.runtime.websocket_registry import CLOSED, Door
from storage.accounts import api_keys, sessions, users, worker_tokens
from storage.domain import asr_door, scopes
from storage.domain.asr_door import WAY
from storage.domain.clock import utc_now
from storage.domain.errors import (
    CrossSite,
    KeyNotFromHere,
    NeedsHttps,
    NotAllowed,
    NotSignedIn,
    PasswordMustChange,
    TooManyOpen,
    TranscriberError,
)
from storage.domain.network import key_networks
from storage.domain.network.host_names import name_of
from storage.domain.network.trusted_proxies import is_loopback
from storage.domain.records import ApiKey, Role, User
from storage.ledger import audit_origin
from storage.ledger.audit_origin import Origin
from storage.remote.service_tokens import RotatingSecret

COOKIE = "transcriber_session"
REFUSAL = "refusal"
MOST_WEBSOCKETS = 100
"""Of one session or key; a page has two."""
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

OPEN_PATHS = {
    "/livez",
    "/readyz",
    "/manifest.webmanifest",
    "/sw.js",
    "/offline",
    "/_stcore/health",
    "/_stcore/host-config",
}
ASSETS = "/assets/"
NEVER_A_PAGE = ("/api/", "/v1/")
"""What programs ask for, which is spared a look at all routes."""
SHARED = "/shared/"  # share links: their token grants access, see `public_share.py`
SESSION = "/auth/session"
WAYS_IN = {SESSION, "/auth/register", "/auth/reset"}
PROVIDER_PATHS = {"/auth/oidc/start", "/auth/oidc/callback"}
SHARE = "/share"
UPLOADS = "/uploads"
PAGE_SOCKET = "/_stcore/stream"
OF_SOCKETS = {b"accept-language", b"host", b"origin", b"cookie", b"user-agent", b"sec-websocket-protocol"}
ADMIN_PATHS = {"/metrics", "/_stcore/metrics"}
LET_IN: tuple[tuple[str, set[By]], ...] = (
    ("/internal/v1/admin/", {By.OPERATOR}),
    ("/internal/", {By.WORKER, By.OPERATOR}),
    ("/metrics", {By.SESSION, By.KEY, By.WORKER, By.OPERATOR}),
    ("/_stcore/metrics", {By.SESSION, By.KEY, By.WORKER, By.OPERATOR}),
    ("/v1/", {By.KEY}),
    ("/api/", {By.SESSION, By.KEY}),
    ("/uploads", {By.SESSION, By.KEY}),
    ("/events", {By.SESSION, By.KEY}),
    ("/recordings/", {By.SESSION, By.KEY}),
    ("/downloads/", {By.SESSION, By.KEY}),
    ("/", {By.SESSION}),
)


class Authentication:
    """Middleware that finds out who sends a request; `Gate` decides whether they may."""

    def __init__(self, app: ASGIApp, token: RotatingSecret) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"}:
            scope["caller"] = NOBODY
            try:
                scope["caller"] = await self._caller(scope, Headers(scope=scope))
            except TranscriberError as refusal:
                scope[REFUSAL] = refusal
        await self.app(scope, receive, send)

    async def _caller(self, scope: Scope, headers: Headers) -> Caller:
        if scope["type"] == "http" and scope["method"] == "POST" and (way := WAY.fullmatch(scope["path"])):
            return await self._without_key(scope, headers, way["path"], way["secret"])
        scope["open"] = _is_open(scope)
        if scope["open"] and scope["path"] != PAGE_SOCKET:
            return NOBODY
        scheme, _, secret = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return await self._bearer(secret.strip(), scope, headers)
        if token := _cookie(headers):
            minutes = context.settings().web.session_idle_minutes
            session = await db.in_ledger(
                sessions.lookup,
                context.ledger(),
                token,
                now=utc_now(),
                idle_minutes=minutes,
                seen=scope["path"] != SESSION,  # asking how long the session lasts does not count as use
            )
            if session:
                return Caller(by=By.SESSION, user=session.user, session=session)
        return NOBODY

    async def _without_key(self, scope: Scope, headers: Headers, path: str, secret: str | None) -> Caller:
        """Return the account of `AsrDoor`; a secret in the path goes no further than this."""
        scope["path"], scope["raw_path"], scope["open"] = path, path.encode(), False
        name = context.settings().web.asr_door.let_in(secret, scope["client"][0])
        if "origin" in headers:  # a page's: also of one whose own name leads to this machine (DNS rebinding)
            raise CrossSite(path)
        user = await db.read(users.by_name, name)
        if user is None or user.disabled:
            raise NotAllowed(path, f"the account {name} of {asr_door.USER}, which does not exist or is disabled")
        return Caller(by=By.ADDRESS, user=user)

    async def _bearer(self, secret: str, scope: Scope, headers: Headers) -> Caller:
        if secret.startswith(api_keys.MARK) and (found := await _key_of(secret)):
            return await _by_key(*found, scope, headers)
        if self.token.holds(secret):
            return Caller(by=By.WORKER)
        if context.current().operator.holds(secret):
            return Caller(by=By.OPERATOR)
        if secret.startswith(worker_tokens.MARK):
            name = await db.in_ledger(worker_tokens.lookup, context.ledger(), secret)
            if name:
                return Caller(by=By.WORKER, worker=name)
        raise NotSignedIn("this key is not valid (unknown, revoked or expired)")


async def _key_of(secret: str) -> tuple[ApiKey, User] | None:
    """Return a valid key and its user, from memory until accounts or keys change."""
    holder, now = context.current(), utc_now()
    known_keys, ledger = holder.known_keys, holder.ledger
    known = known_keys.find(secret, ledger.account_changes, now)
    if known is None and await known_keys.underway.waited(secret):
        known = known_keys.find(secret, ledger.account_changes, now)
    if known:
        return known
    done, stamp = known_keys.underway.begin(secret), ledger.account_changes  # before anything is read
    try:
        found = await db.in_ledger(api_keys.lookup, ledger, secret)
        if found:
            known_keys.keep(secret, stamp, *found)
    finally:
        done()
    return found


async def _by_key(key: ApiKey, user: User, scope: Scope, headers: Headers) -> Caller:
    """Return the caller of a key, and count the request.

    Raises:
        KeyNotFromHere: the key is not for this address; the audit log says so, since somebody else may have it.
    """
    context.current().key_requests.add(key.id)
    if user.role is Role.ADMIN and scopes.Scope.ADMIN not in key.grant.scopes:
        user = replace(user, role=Role.MEMBER)
    caller = Caller(by=By.KEY, user=user, key_id=key.id, scopes=key.grant.scopes, grant=key.grant, ends_at=end_of(key))
    address = (scope.get("client") or ("",))[0]
    if not key_networks.allow(key.grant.networks, address):
        refusal = KeyNotFromHere(address)
        await _record(refusal, {**scope, "caller": caller}, headers)
        raise refusal
    return caller


class Gate:
    """Middleware around every route, including Streamlit's own and websockets."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        headers, caller = Headers(scope=scope), scope["caller"]
        try:
            if refused := scope.pop(REFUSAL, None):
                raise refused
            _check(scope, headers, caller)
            _check_websockets(scope, caller)
        except TranscriberError as refusal:
            await _record(refusal, scope, headers)
            await refuse(refusal, scope, receive, send)
            return
        scope["who"] = caller.user.id if caller.user else caller.by.value
        scope["caller_known"] = caller.by is not By.NOTHING
        scope["headers"] = _own_headers(scope, caller)
        del headers  # this frame stays as long as a websocket does
        if scope["type"] == "websocket" and caller.lets_in:
            with context.current().doors.passed(caller.lets_in) as door:
                guard = _Guarded(scope, receive, send, door)
                await self.app(scope, guard.hear, guard.say)
        elif scope["type"] == "websocket":
            await self.app(scope, receive, send)
        else:
            with audit_origin.of(_origin(scope)):
                await self.app(scope, receive, send)


def _origin(scope: Scope) -> Origin:
    """Return where a request comes from and which key acts, for the audit log."""
    connection = HTTPConnection(scope)
    caller: Caller = scope.get("caller", NOBODY)
    return audit_origin.cleaned(
        address=client_address(connection),
        agent=connection.headers.get("user-agent"),
        request_id=scope.get("request_id"),
        key_id=caller.key_id,
    )


async def _record(refusal: TranscriberError, scope: Scope, headers: Headers) -> None:
    """Record the refusal of a known caller, and a key that is not valid."""
    caller: Caller = scope["caller"]
    if caller.by is By.NOTHING and "authorization" in headers and isinstance(refusal, NotSignedIn):
        await security_log.login_failed(None, by="key", origin=_origin(scope))
    elif caller.by is not By.NOTHING and isinstance(refusal, REFUSALS):
        method = scope.get("method", "WEBSOCKET")
        await security_log.refused(
            caller.recorded_as, subject=scope["path"], code=refusal.code, method=method, origin=_origin(scope)
        )


def _check(scope: Scope, headers: Headers, caller: Caller) -> None:
    """Check whether the request is allowed.

    Raises:
        NotSignedIn, NotAllowed, ScopeMissing, PasswordMustChange, CrossSite, NeedsHttps: it is not allowed.
    """
    path = scope["path"]
    unsafe = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
    if unsafe and (caller.by is By.SESSION or path in WAYS_IN) and not _same_origin(scope, headers):
        raise CrossSite(path)
    if unsafe and (path in WAYS_IN or path.startswith(SHARED)) and _drops_the_cookie(scope, headers):
        raise NeedsHttps(context.settings().web.public_url)
    if scope["open"]:
        return
    if caller.by is By.ADDRESS:
        return
    if caller.by is By.NOTHING:
        raise NotSignedIn("nobody is signed in")
    allowed = next(kinds for prefix, kinds in LET_IN if path.startswith(prefix) or path + "/" == prefix)
    if caller.by not in allowed:
        raise NotAllowed(path, " or ".join(f"a {kind.value}" for kind in sorted(allowed)))
    if caller.by is By.KEY:
        route_scopes.require(caller, scope.get("method", "WEBSOCKET"), path)
    if path in ADMIN_PATHS and not (caller.is_admin or caller.by in {By.WORKER, By.OPERATOR}):
        raise NotAllowed(path, "an administrator")
    by_browser = caller.by is By.SESSION  # a key was created by an authenticated user; programs cannot choose passwords
    if by_browser and caller.user and caller.user.must_change_password and not path.startswith("/auth/"):
        raise PasswordMustChange(caller.user.name)


def _check_websockets(scope: Scope, caller: Caller) -> None:
    """Check that the session or key has not too many websockets open.

    Raises:
        TooManyOpen: it has.
    """
    ident = caller.lets_in if scope["type"] == "websocket" else None
    if ident and context.current().doors.count(ident) >= MOST_WEBSOCKETS:
        raise TooManyOpen(MOST_WEBSOCKETS)


def _is_open(scope: Scope) -> bool:
    path: str = scope["path"]
    if scope["type"] == "websocket":
        return path == PAGE_SOCKET
    if path.startswith(SHARED):
        return scope["method"] in SAFE_METHODS or (scope["method"] == "POST" and path.count("/") == 2)
    if scope["method"] == "OPTIONS" and (path == UPLOADS or path.startswith(f"{UPLOADS}/")):
        return True  # what tus can do here
    if path in WAYS_IN or path == SHARE:
        return bool(scope["method"] == "POST")
    if scope["method"] not in SAFE_METHODS or path.startswith(NEVER_A_PAGE):
        return False
    return path in OPEN_PATHS or path in PROVIDER_PATHS or path.startswith(ASSETS) or _only_the_shell(scope)


def _only_the_shell(scope: Scope) -> bool:
    """Return whether only Streamlit's static files would answer: the empty page and its assets."""
    routes: list[BaseRoute] = scope["app"].routes
    return not any(
        route.matches(scope)[0] is not Match.NONE
        for route in routes
        if not (isinstance(route, Mount) and route.name == SHELL)
    )


def _same_origin(scope: Scope, headers: Headers) -> bool:
    """Return whether the browser says that one of our own pages sent this.

    Browsers omit `Sec-Fetch-Site` on plain HTTP, so it counts only if present. A program that is not a browser sends
    neither, and another site's page cannot make it.
    """
    origin = headers.get("origin")
    site = headers.get("sec-fetch-site", "same-origin")
    if origin is None:
        return (scope["type"] == "websocket" or scope["path"] in WAYS_IN) and site == "same-origin"
    return origin.partition("://")[2] == headers.get("host") and site == "same-origin"


def _drops_the_cookie(scope: Scope, headers: Headers) -> bool:
    """Return whether a browser has our page over http, where it keeps no Secure cookie.

    On the machine itself it keeps one.
    """
    scheme, _, host = headers.get("origin", "").partition("://")
    name = name_of(host) or ""
    return scheme == "http" and bool(scope["secure"]) and name != "localhost" and not is_loopback(name)


def _own_headers(scope: Scope, caller: Caller) -> list[tuple[bytes, bytes]]:
    """Remove identity headers of the client, and set ours; Streamlit exposes them as `st.user`."""
    websocket = scope["type"] == "websocket"  # it stays open for hours, with all its headers
    kept = [
        (name, value)
        for name, value in scope["headers"]
        if not name.lower().startswith(b"x-app-") and (not websocket or name.lower() in OF_SOCKETS)
    ]
    if caller.session:
        kept.append((b"x-app-user-id", caller.session.user.id.encode()))
        kept.append((b"x-app-session-id", caller.session.id.encode()))
        kept.append((b"x-app-address", client_address(HTTPConnection(scope)).encode()))
        kept.append((b"x-app-request-id", scope["request_id"].encode()))
    return kept


def _cookie(headers: Headers) -> str | None:
    """Return our cookie, even beside malformed ones that break `http.cookies`."""
    return cookie_parser(headers.get("cookie", "")).get(COOKIE)


class _Guarded:
    """A websocket that closes with 4401 when its session or key ends."""

    __slots__ = ("closed", "door", "receive", "scope", "send", "touched")

    def __init__(self, scope: Scope, receive: Receive, send: Send, door: Door) -> None:
        self.scope, self.receive, self.send, self.door = scope, receive, send, door
        self.closed = False
        self.touched = time.monotonic()

    async def hear(self) -> Message:
        """Receive a message; a closed door ends the connection."""
        if self.door.is_shut():
            return await self._close()
        self.door.waiting = task = asyncio.current_task()
        try:
            message = await self.receive()
        except asyncio.CancelledError:
            if task is None or not self.door.is_shut() or task.uncancel():
                raise
            return await self._close()
        finally:
            self.door.waiting = None
        await self._touch()
        return message

    async def _close(self) -> Message:
        if not self.closed:
            self.closed = True
            await self.send({"type": "websocket.close", "code": CLOSED, "reason": "signed out"})
        return {"type": "websocket.disconnect", "code": CLOSED}

    async def say(self, message: Message) -> None:
        """Send a message, unless the connection is closed."""
        if not self.closed:
            await self.send(message)

    async def _touch(self) -> None:
        if time.monotonic() - self.touched < context.current().limits.touch_every_s:
            return
        self.touched = time.monotonic()
        if token := _cookie(Headers(scope=self.scope)):
            minutes = context.settings().web.session_idle_minutes
            await db.in_ledger(sessions.lookup, context.ledger(), token, now=utc_now(), idle_minutes=minutes)
