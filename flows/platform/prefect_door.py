"""Guards our Prefect server: refuses foreign pages, frames and hosts, and signs in by ticket.

Prefect 3.8 checks its secret only, and its UI keeps that secret in the browser (`localStorage`) once it was typed in.
Here the web process asks for a ticket with the secret, and sends an administrator's browser to `/sign-in` with it.
"""

import base64
import hmac
import json
import secrets
import time
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from storage.remote.service_tokens import RotatingSecret

SIGN_IN = "/sign-in"
TICKET_S = 60.0
MOST_TICKETS = 100
REFUSED = 4403
FRAMES = {"X-Frame-Options": "DENY", "Content-Security-Policy": "frame-ancestors 'none'"}
"""A page of another site could show the signed-in UI in a frame, and lead clicks to its buttons."""
PAGE = """<!doctype html><meta charset="utf-8"><title>Prefect</title>
<script nonce="{nonce}">
localStorage.setItem("prefect-password", {password});
location.replace({home});
</script>"""


class PrefectDoor:
    """ASGI middleware around Prefect's server."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        auth: str | None,
        kept: RotatingSecret | None = None,
        origins: Collection[str],
        hosts: Collection[str] | None,
        home: str = "/",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`hosts` are the names the server may be called by; None allows any. `home` is the UI's path.

        `auth` is the secret that the server and the processes beside it started with. Others present `kept`, which can
        be rotated, and is put into the server's own words.
        """
        self.app, self.auth, self.home, self.clock = app, auth, home, clock
        self.kept = kept or (RotatingSecret(None, SecretStr(auth)) if auth else None)
        self.origins, self.hosts = set(origins), None if hosts is None else set(hosts)
        self.tickets: dict[str, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        if scope["type"] == "http":
            send = _unframed(send)
        refusal = self._refusal(Headers(scope=scope))
        if refusal and scope["type"] == "websocket":
            await WebSocketClose(REFUSED, refusal)(scope, receive, send)
        elif refusal:
            await PlainTextResponse(refusal, 403)(scope, receive, send)
        elif self.auth and scope["type"] == "http" and scope["path"] == SIGN_IN:
            await self._sign_in(Request(scope))(scope, receive, send)
        elif self.auth and scope["type"] == "http":
            await self.app(self._translated(scope, self.auth), receive, send)
        elif self.auth:
            await self.app(scope, self._translating(receive, self.auth), send)
        else:
            await self.app(scope, receive, send)

    def _translated(self, scope: Scope, auth: str) -> Scope:
        """Replace a secret that holds by the server's own. Any other is removed."""
        given = Headers(scope=scope).get("authorization")
        if given is None:
            return scope
        headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
        if self._holds(given):
            headers.append((b"authorization", b"Basic " + base64.b64encode(auth.encode())))
        return {**scope, "headers": headers}

    def _translating(self, receive: Receive, auth: str) -> Receive:
        """Do the same in a websocket, whose first message has the secret."""
        first = True

        async def translated() -> Message:
            nonlocal first
            message = await receive()
            if not first or message["type"] != "websocket.receive":
                return message
            first = False
            try:
                said = json.loads(message.get("text") or "")
                token = said["token"] if said["type"] == "auth" else None
            except (ValueError, KeyError, TypeError):
                return message
            known = isinstance(token, str) and self._opens(token)
            return {"type": "websocket.receive", "text": json.dumps(said | {"token": auth if known else ""})}

        return translated

    def _holds(self, header: str) -> bool:
        scheme, _, given = header.partition(" ")
        try:
            auth = base64.b64decode(given.strip(), validate=True).decode()
        except ValueError:
            return False
        return scheme.lower() == "basic" and self._opens(auth)

    def _opens(self, given: str) -> bool:
        """Return whether this is the server's own secret, or the kept one."""
        own = self.auth is not None and hmac.compare_digest(given.encode(), self.auth.encode())
        return own or (self.kept is not None and self.kept.holds(given))

    def _refusal(self, headers: Headers) -> str | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if self.hosts is not None and _name(host) not in self.hosts:
            return f"this server is not called {host!r}; see PREFECT_SERVER_CORS_ALLOWED_ORIGINS"
        own = origin is None or origin.partition("://")[2] == host
        if not own and origin not in self.origins and "*" not in self.origins:
            return "pages of other sites may not use this server"
        return None

    def _sign_in(self, request: Request) -> Response:
        headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        if request.method == "POST":
            if not self._holds(request.headers.get("authorization", "")):
                return JSONResponse({"exception_message": "Unauthorized"}, 401)
            return JSONResponse({"ticket": self._ticket()}, 201, headers=headers)
        if not self._spend(request.query_params.get("ticket", "")):
            return PlainTextResponse(
                "This link has been used or is older than a minute. Open Prefect from the administration again.",
                403,
                headers=headers,
            )
        nonce = secrets.token_urlsafe(16)
        headers["Content-Security-Policy"] = f"default-src 'none'; script-src 'nonce-{nonce}'; frame-ancestors 'none'"
        auth = self.kept.current().get_secret_value() if self.kept else ""
        password = json.dumps(base64.b64encode(auth.encode()).decode())
        page = PAGE.format(nonce=nonce, password=password, home=json.dumps(self.home))
        return HTMLResponse(page, headers=headers)

    def _ticket(self) -> str:
        now = self.clock()
        valid = [(ticket, ends) for ticket, ends in self.tickets.items() if ends > now]
        self.tickets = dict(valid[-MOST_TICKETS + 1 :])
        ticket = secrets.token_urlsafe(32)
        self.tickets[ticket] = now + TICKET_S
        return ticket

    def _spend(self, ticket: str) -> bool:
        return self.tickets.pop(ticket, 0.0) > self.clock()


def _unframed(send: Send) -> Send:
    """Return a `send` that forbids every page to show the response in a frame."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in FRAMES.items():
                headers.setdefault(name, value)
        await send(message)

    return sent


def _name(host: str) -> str | None:
    """Return a Host header's name without its port; None if it is malformed."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
