"""The one door: who a request comes from, and whether this path is theirs to ask for.

A route that nobody thought of here needs a browser session. Open to everybody are health, the log-in, what a phone
needs to install the app (see `shell.py`), and the page's empty shell with the websocket that draws the log-in page.
"""

import asyncio
import hmac
import time

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from dashboards import context
from dashboards.answers import answer_for
from dashboards.callers import NOBODY, By, Caller
from dashboards.doors import CLOSED, Door
from storage import keys, sessions
from storage.clock import utc_now
from storage.errors import CrossSite, NotAllowed, NotSignedIn, PasswordMustChange, TranscriberError

COOKIE = "transcriber_session"
TOUCH_EVERY_S = 60.0
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
SHARED = "/shared/"  # what a link shows: the token in it lets in, see `shared.py`
SESSION = "/auth/session"
WAYS_IN = {SESSION, "/auth/register", "/auth/reset"}
PROVIDER_PATHS = {"/auth/oidc/start", "/auth/oidc/callback"}
SHARE = "/share"
PAGE_SOCKET = "/_stcore/stream"
OF_SOCKETS = {b"host", b"origin", b"cookie", b"user-agent", b"sec-websocket-protocol"}
ADMIN_PATHS = {"/metrics", "/_stcore/metrics"}
LET_IN: tuple[tuple[str, set[By]], ...] = (
    ("/internal/v1/admin/", {By.OPERATOR}),
    ("/internal/", {By.WORKER}),
    ("/metrics", {By.SESSION, By.KEY, By.WORKER}),
    ("/_stcore/metrics", {By.SESSION, By.KEY, By.WORKER}),
    ("/v1/", {By.KEY}),
    ("/api/", {By.SESSION, By.KEY}),
    ("/uploads", {By.SESSION, By.KEY}),
    ("/events", {By.SESSION, By.KEY}),
    ("/recordings/", {By.SESSION, By.KEY}),
    ("/downloads/", {By.SESSION, By.KEY}),
    ("/", {By.SESSION}),
)


class Gate:
    """Middleware around every route, Streamlit's own and the websockets included."""

    def __init__(self, app: ASGIApp, token: SecretStr) -> None:
        self.app = app
        self.token = token.get_secret_value().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            caller = await self._caller(scope, headers)
            _check(scope, headers, caller)
        except TranscriberError as refusal:
            await _refuse(refusal, scope, receive, send)
            return
        scope["caller"] = caller
        scope["who"] = caller.user.id if caller.user else caller.by.value
        scope["caller_known"] = caller.by is not By.NOTHING
        scope["headers"] = _own_headers(scope, caller)
        del headers  # this frame stands for as long as a websocket does
        if scope["type"] == "websocket" and caller.lets_in:
            with context.current().doors.passed(caller.lets_in) as door:
                guard = _Guarded(scope, receive, send, door)
                await self.app(scope, guard.hear, guard.say)
        else:
            await self.app(scope, receive, send)

    async def _caller(self, scope: Scope, headers: Headers) -> Caller:
        scope["open"] = _is_open(scope)
        if scope["open"] and scope["path"] != PAGE_SOCKET:
            return NOBODY
        scheme, _, secret = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return await self._bearer(secret.strip())
        if token := _cookie(headers):
            minutes = context.settings().web.session_idle_minutes
            touch = scope["path"] != SESSION  # asking how long it lasts is no use of it
            session = await context.read(sessions.lookup, token, now=utc_now(), idle_minutes=minutes, touch=touch)
            if session:
                return Caller(by=By.SESSION, user=session.user, session=session)
        return NOBODY

    async def _bearer(self, secret: str) -> Caller:
        if hmac.compare_digest(secret.encode(), self.token):
            return Caller(by=By.WORKER)
        if hmac.compare_digest(secret.encode(), context.current().operator_token.get_secret_value().encode()):
            return Caller(by=By.OPERATOR)
        if secret.startswith(keys.MARK):
            found = await context.read(keys.lookup, secret)
            if found:
                key_id, user = found
                return Caller(by=By.KEY, user=user, key_id=key_id)
        raise NotSignedIn("this key is not valid")


def _check(scope: Scope, headers: Headers, caller: Caller) -> None:
    """Let the request pass, or say why not.

    Raises:
        NotSignedIn, NotAllowed, PasswordMustChange, CrossSite: it may not pass.
    """
    path = scope["path"]
    unsafe = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
    if unsafe and (caller.by is By.SESSION or path in WAYS_IN) and not _same_origin(scope, headers):
        raise CrossSite(path)
    if scope["open"]:
        return
    if caller.by is By.NOTHING:
        raise NotSignedIn("nobody is signed in")
    allowed = next(kinds for prefix, kinds in LET_IN if path.startswith(prefix) or path + "/" == prefix)
    if caller.by not in allowed:
        raise NotAllowed(path, " or ".join(f"a {kind.value}" for kind in sorted(allowed)))
    if path in ADMIN_PATHS and not (caller.is_admin or caller.by is By.WORKER):
        raise NotAllowed(path, "an administrator")
    by_browser = caller.by is By.SESSION  # a key was made by somebody let in already; programs cannot choose passwords
    if by_browser and caller.user and caller.user.must_change_password and not path.startswith("/auth/"):
        raise PasswordMustChange(caller.user.name)


def _is_open(scope: Scope) -> bool:
    path: str = scope["path"]
    if scope["type"] == "websocket":
        return path == PAGE_SOCKET
    if path.startswith(SHARED):
        return scope["method"] in SAFE_METHODS or (scope["method"] == "POST" and path.count("/") == 2)
    if path in WAYS_IN or path == SHARE:
        return bool(scope["method"] == "POST")
    if scope["method"] not in SAFE_METHODS:
        return False
    return path in OPEN_PATHS or path in PROVIDER_PATHS or path.startswith(ASSETS) or _only_the_shell(scope)


def _only_the_shell(scope: Scope) -> bool:
    """Tell whether no route but Streamlit's static files would answer: the empty page, its scripts and fonts."""
    routes: list[BaseRoute] = scope["app"].routes
    return not any(
        route.matches(scope)[0] is not Match.NONE
        for route in routes
        if not (isinstance(route, Mount) and route.name == "static-assets")
    )


def _same_origin(scope: Scope, headers: Headers) -> bool:
    """Tell whether the browser says that one of our own pages sent this.

    Browsers leave `Sec-Fetch-Site` out on plain HTTP, so it counts only where it is there. A program that is no
    browser sends neither, and cannot be made to by somebody else's page.
    """
    origin = headers.get("origin")
    site = headers.get("sec-fetch-site", "same-origin")
    if origin is None:
        return (scope["type"] == "websocket" or scope["path"] in WAYS_IN) and site == "same-origin"
    return origin.partition("://")[2] == headers.get("host") and site == "same-origin"


def _own_headers(scope: Scope, caller: Caller) -> list[tuple[bytes, bytes]]:
    """Drop identity headers that the client sent, and set ours; Streamlit turns them into `st.user`."""
    websocket = scope["type"] == "websocket"  # it stands for hours, with all its headers
    kept = [
        (name, value)
        for name, value in scope["headers"]
        if not name.lower().startswith(b"x-app-") and (not websocket or name.lower() in OF_SOCKETS)
    ]
    if caller.session:
        kept.append((b"x-app-user-id", caller.session.user.id.encode()))
        kept.append((b"x-app-session-id", caller.session.id.encode()))
    return kept


def _cookie(headers: Headers) -> str | None:
    """Return our cookie; a foreign one that breaks the rules must not hide it, as it does in `http.cookies`."""
    return cookie_parser(headers.get("cookie", "")).get(COOKIE)


async def _refuse(refusal: TranscriberError, scope: Scope, receive: Receive, send: Send) -> None:
    scope["who"] = "refused"
    if scope["type"] == "websocket":
        await WebSocketClose(CLOSED if refusal.status == 401 else 4403, str(refusal))(scope, receive, send)
    else:
        await answer_for(refusal)(scope, receive, send)


class _Guarded:
    """A websocket that is closed with 4401 when its session or key ends, and that keeps a session in use alive."""

    __slots__ = ("closed", "door", "receive", "scope", "send", "touched")

    def __init__(self, scope: Scope, receive: Receive, send: Send, door: Door) -> None:
        self.scope, self.receive, self.send, self.door = scope, receive, send, door
        self.closed = False
        self.touched = time.monotonic()

    async def hear(self) -> Message:
        """Receive; where the door is shut meanwhile, that is the end."""
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
        """Send, unless it is closed."""
        if not self.closed:
            await self.send(message)

    async def _touch(self) -> None:
        if time.monotonic() - self.touched < TOUCH_EVERY_S:
            return
        self.touched = time.monotonic()
        if token := _cookie(Headers(scope=self.scope)):
            minutes = context.settings().web.session_idle_minutes
            await context.read(sessions.lookup, token, now=utc_now(), idle_minutes=minutes)
