"""Refuse callers that send too many requests of a class; tell others what is left."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.http.answers.repeated_requests import TAKE
from dashboards.http.device_cookie import device_of
from dashboards.http.error_responses import refuse
from dashboards.http.forwarding import client_address
from dashboards.http.identity import By, Caller
from dashboards.http.rate_counters import RateCounters, Standing, headers_of, is_over
from dashboards.http.traffic import rate_class_of, traffic_of
from dashboards.runtime import context, db, security_log
from storage.accounts import known_devices
from storage.domain.clock import utc_now
from storage.domain.errors import RateLimited
from storage.domain.network.trusted_proxies import network_of
from storage.domain.rate_classes import OF_THE_KEY, RateClass, RateLimit
from storage.domain.settings import RateLimitSettings
from storage.ledger import audit_origin
from storage.ledger.audit_origin import Origin

GIVE_BACK = "give_back_request"
HOUR_S = 3600
STARTS = {"http.response.start", "websocket.http.response.start"}


class RateLimits:
    """Middleware behind `Authentication`, before anything is refused or done.

    `__call__` is not a coroutine, which would be one more frame for each websocket.
    """

    def __init__(self, app: ASGIApp, settings: RateLimitSettings) -> None:
        self.app = app
        self.counters = RateCounters(settings.limits, block_s=settings.rate_limit_block_seconds)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "websocket":
            standings = self._of_handshake(scope)
            return (
                self._refused(standings, scope, receive, send) if is_over(standings) else self.app(scope, receive, send)
            )
        if scope["type"] != "http":
            return self.app(scope, receive, send)
        caller: Caller = scope["caller"]
        kind = rate_class_of(traffic_of(scope["method"], scope["path"]), caller.by, is_open=scope["open"])
        if kind is None or (kind not in self.counters.limits and not _own_limit(caller)):
            return self.app(scope, receive, send)
        return self._counted(kind, scope, receive, send)

    async def _counted(self, kind: RateClass, scope: Scope, receive: Receive, send: Send) -> None:
        who, known = await _who(kind, scope)
        standings = self._take(kind, scope["caller"], who, known=known)
        if is_over(standings):
            if kind is RateClass.AUTH:
                await security_log.login_locked(None, by="rate limit", origin=_origin(HTTPConnection(scope)))
            await self._refused(standings, scope, receive, send)
            return
        scope[TAKE] = partial(self._take, kind, scope["caller"], who, known=known)
        if kind in self.counters.limits:
            scope[GIVE_BACK] = lambda: self.counters.give_back(kind, who, known=known)
        await self.app(scope, receive, _telling(standings, send))

    def _take(self, kind: RateClass, caller: Caller, who: str, *, known: bool) -> list[Standing]:
        """Count a request towards its class and its key's own limit, unless one refuses it."""
        of_class = [self.counters.take(kind, who, known=known)] if kind in self.counters.limits else []
        own = _own_limit(caller)
        if own is None or is_over(of_class):
            return of_class
        of_key = self.counters.take_within(own, OF_THE_KEY, who, known=known)
        if of_class and is_over([of_key]):
            self.counters.give_back(kind, who, known=known)
        return [*of_class, of_key]

    def _of_handshake(self, scope: Scope) -> list[Standing]:
        """Count the opening of a websocket, without a coroutine that waits while it is open."""
        caller: Caller = scope["caller"]
        if caller.by in {By.WORKER, By.OPERATOR}:
            return []
        address = network_of(client_address(HTTPConnection(scope)))
        who = f"key:{caller.key_id}" if caller.key_id else caller.lets_in and f"session:{caller.lets_in}"
        return self._take(RateClass.WEBSOCKET, caller, who or address, known=who is not None)

    async def _refused(self, standings: list[Standing], scope: Scope, receive: Receive, send: Send) -> None:
        over = next(one for one in standings if one.wait_s is not None)
        if context.is_up():
            context.current().metrics.rate_limited(over.kind)
        refusal = RateLimited(over.kind, over.limit.amount, over.limit.window_s, over.wait_s or 0)
        await refuse(refusal, scope, receive, _telling(standings, send))


def _own_limit(caller: Caller) -> RateLimit | None:
    """Return the limit that a key has of its own."""
    amount = caller.grant.requests_per_hour if caller.grant else None
    return RateLimit(amount=amount, window_s=HOUR_S) if amount else None


def _telling(standings: Sequence[Standing], send: Send) -> Send:
    async def told(message: Message) -> None:
        if message["type"] in STARTS:
            message["headers"] = [*message.get("headers", ()), *headers_of(standings)]
        await send(message)

    return told


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
