"""Refuse callers that send too many requests of a class; tell others what is left."""

import ipaddress
from collections.abc import Awaitable, Callable

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.http.device_cookie import device_of
from dashboards.http.error_responses import refuse
from dashboards.http.forwarding import client_address
from dashboards.http.identity import Caller
from dashboards.http.rate_counters import RateCounters
from dashboards.http.traffic import rate_class_of, traffic_of
from dashboards.runtime import context, db, security_log
from storage.accounts import known_devices
from storage.domain.clock import utc_now
from storage.domain.errors import RateLimited
from storage.domain.rate_classes import RateClass
from storage.domain.settings import RateLimitSettings
from storage.ledger import audit_origin
from storage.ledger.audit_origin import Origin

GIVE_BACK = "give_back_request"
V6_NETWORK_BITS = 64
"""One subscriber has at least so many addresses, which are counted together."""


class RateLimits:
    """Middleware behind `Authentication`, before anything is refused or done.

    `__call__` is not a coroutine, which would be one more frame for each websocket.
    """

    def __init__(self, app: ASGIApp, settings: RateLimitSettings) -> None:
        self.app = app
        self.counters = RateCounters(settings.limits, block_s=settings.rate_limit_block_seconds)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self.app(scope, receive, send)
        caller: Caller = scope["caller"]
        kind = rate_class_of(traffic_of(scope["method"], scope["path"]), caller.by, is_open=scope["open"])
        if kind not in self.counters.limits:
            return self.app(scope, receive, send)
        return self._counted(kind, scope, receive, send)

    async def _counted(self, kind: RateClass, scope: Scope, receive: Receive, send: Send) -> None:
        who, known = await _who(kind, scope)
        standing = self.counters.take(kind, who, known=known)

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *standing.headers]
            await send(message)

        if standing.wait_s is not None:
            limit = standing.limit
            if context.is_up():
                context.current().metrics.rate_limited(kind)
            refusal = RateLimited(kind.value, limit.amount, limit.window_s, standing.wait_s)
            if kind is RateClass.AUTH:
                await security_log.login_locked(None, by="rate limit", origin=_origin(HTTPConnection(scope)))
            await refuse(refusal, scope, receive, told)
            return
        scope[GIVE_BACK] = lambda: self.counters.give_back(kind, who, known=known)
        await self.app(scope, receive, told)


def do_not_count(connection: HTTPConnection) -> None:
    """Give the request back to its caller: a log-in that succeeds is no guess."""
    give_back: Callable[[], None] | None = connection.scope.pop(GIVE_BACK, None)
    if give_back:
        give_back()


def _origin(connection: HTTPConnection) -> Origin:
    """Return where a refused log-in comes from, for the audit log."""
    agent, request_id = connection.headers.get("user-agent"), connection.scope.get("request_id")
    return audit_origin.cleaned(address=client_address(connection), agent=agent, request_id=request_id)


async def _who(kind: RateClass, scope: Scope) -> tuple[str, bool]:
    """Return whom to count (a key, user, device or address), and whether they are known."""
    caller: Caller = scope["caller"]
    if caller.key_id:
        return f"key:{caller.key_id}", True
    if caller.user:
        return f"user:{caller.user.id}", True
    connection = HTTPConnection(scope)
    cookie = device_of(connection) if kind is RateClass.AUTH else None
    if cookie and (device := await db.read(known_devices.find, cookie, now=utc_now())):
        return f"device:{device}", True
    return network_of(client_address(connection)), False


def network_of(address: str) -> str:
    """Return what counts as one address: an IPv4 address, or an IPv6 network."""
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = found.ipv4_mapped
    return str(mapped) if mapped else str(ipaddress.IPv6Network((found.packed[:8] + bytes(8), V6_NETWORK_BITS)))
