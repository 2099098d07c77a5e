"""Find out who sends a request, over what, to which host, and below which path.

Only trusted proxies are believed. What is found stands in the scope (`client`, `scheme`, `secure` and the Host header)
for everything behind this middleware. Headers of proxies end here, so that nothing else reads what anybody may write
into them; `Forwarded` and `X-Real-IP` are never read.
"""

from collections import Counter
from collections.abc import Awaitable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.http.answers import repeated_requests
from dashboards.http.connections import MOST_BY_ADDRESS
from dashboards.http.error_responses import refuse
from storage.domain.errors import TooManyFromAddress, UnknownHost
from storage.domain.network.host_names import name_of
from storage.domain.network.trusted_proxies import is_loopback
from storage.domain.settings import WebSettings

HEALTH = {"/livez", "/readyz"}
"""Anybody may ask them under any name, since load balancers and containers have their own."""
SCHEMES = {"http": ("http", "https"), "websocket": ("ws", "wss")}
SECURE = {"https", "wss"}
UNKNOWN = "unknown"


class SubPath:
    """Middleware for an app below a path, which nothing behind it sees.

    Some proxies remove the path and others keep it, so both are served. Redirects lead below the path again.
    `__call__` is not a coroutine, which would be one more frame for each websocket.
    """

    def __init__(self, app: ASGIApp, path: str) -> None:
        self.app, self.path = app, path

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] not in SCHEMES:
            return self.app(scope, receive, send)
        if scope["path"] == self.path and scope["type"] == "http":
            query = f"?{scope['query_string'].decode('latin-1')}" if scope.get("query_string") else ""
            return RedirectResponse(f"{self.path}/{query}")(scope, receive, send)
        if self._has(scope["path"]):
            scope["path"] = scope["path"].removeprefix(self.path) or "/"
            scope["raw_path"] = scope["path"].encode()
        return self.app(scope, receive, send if scope["type"] == "websocket" else self._redirecting(send))

    def _has(self, path: str) -> bool:
        return path == self.path or path.startswith(f"{self.path}/")

    def _redirecting(self, send: Send) -> Send:
        async def redirected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                location = headers.get("location", "")
                if location.startswith("/") and not location.startswith("//") and not self._has(location):
                    headers["location"] = self.path + location
            await send(message)

        return redirected


class Forwarding:
    """Middleware that resolves the client and checks the host.

    `__call__` is not a coroutine, which would be one more frame for each websocket.
    """

    def __init__(self, app: ASGIApp, web: WebSettings, *, most_by_address: int = MOST_BY_ADDRESS) -> None:
        self.app, self.most_by_address = app, most_by_address
        self.proxies, self.names, self.public_url = web.proxies, web.host_names, web.public_url
        self.always_secure = urlsplit(web.public_url or "").scheme == "https"
        self._open: Counter[str] = Counter()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] not in SCHEMES:
            return self.app(scope, receive, send)
        hosts = Headers(scope=scope).getlist("host") or [""]
        passed = self._resolve(scope)
        hosts += Headers(scope=scope).getlist("host")
        unknown = next((host for host in hosts if not self.names.has(host)), None)
        if unknown is not None and scope["path"] not in HEALTH:
            return refuse(UnknownHost(unknown[:100], self.public_url), scope, receive, send)
        if passed and not is_loopback(scope["client"][0]):
            repeated_requests.forbid(scope)  # each one counts while it is answered
            return self._counted(scope, receive, send)
        return self.app(scope, receive, send)

    def _resolve(self, scope: Scope) -> int:
        """Put client, scheme and host into the scope; return how many proxies are believed."""
        peer, port = scope.get("client") or (UNKNOWN, 0)
        headers = Headers(scope=scope)
        client, passed = self.proxies.client_of(peer, _values(headers, "x-forwarded-for"))
        scope["client"] = (client, 0 if passed else port)
        kept = [(name, value) for name, value in scope["headers"] if not _is_of_proxies(name)]
        if passed:
            proto = _by_proxy(headers, "x-forwarded-proto", passed).lower()
            if proto in {"http", "https", "ws", "wss"}:
                scope["scheme"] = SCHEMES[scope["type"]][proto in SECURE]
            host = _by_proxy(headers, "x-forwarded-host", passed)
            if name_of(host):
                kept = [(b"host", host.encode()), *((name, value) for name, value in kept if name != b"host")]
        scope["headers"] = kept
        scope["secure"] = self.always_secure or scope["scheme"] in SECURE
        return passed

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Bound what one client has open through proxies; `Sockets` sees only the proxies."""
        client = scope["client"][0]
        if self._open[client] >= self.most_by_address:
            await refuse(TooManyFromAddress(self.most_by_address), scope, receive, send)
            return
        self._open[client] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._open[client] -= 1
            if not self._open[client]:
                del self._open[client]


def client_address(connection: HTTPConnection) -> str:
    """Return the client's address: the only one to count, limit and record by."""
    return connection.client.host if connection.client else UNKNOWN


def over_https(connection: HTTPConnection) -> bool:
    """Return whether browsers reach us over https, so that cookies are Secure."""
    return bool(connection.scope["secure"])


def _is_of_proxies(name: bytes) -> bool:
    return name.startswith(b"x-forwarded-") or name in {b"forwarded", b"x-real-ip"}


def _values(headers: Headers, name: str) -> list[str]:
    """Return a header's entries; each proxy appends one, or a header of its own."""
    return [entry.strip() for value in headers.getlist(name) for entry in value.split(",") if entry.strip()]


def _by_proxy(headers: Headers, name: str, passed: int) -> str:
    """Return the entry of the outermost trusted proxy.

    Proxies append, replace or pass on what there is.
    """
    values = _values(headers, name)
    return values[-min(passed, len(values))] if values else ""
