"""Bound the number of connections, and the time and size of a request's header.

Requests that are repeated are answered before they are parsed. uvicorn bounds neither; a client that sends a header a
minute would hold a socket for ever.
"""

import asyncio
from typing import cast
from weakref import WeakSet

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dashboards.http.answers import repeated_requests
from storage.domain.network.trusted_proxies import TrustedProxies, is_loopback

MOST, MOST_BY_ADDRESS = 4000, 250
HEADERS_WITHIN_S = 20.0
MOST_HEADER_BYTES = 320 << 10
"""More than one read of a socket, which may end with the next request's first bytes."""
RETRY_AFTER_S = 10
REFUSAL = (
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n"
    f"Retry-After: {RETRY_AFTER_S}\r\nConnection: close\r\n\r\n{{words}}"
)


class Sockets:
    """The open connections of this process, by address; they may be websockets by now."""

    def __init__(
        self, *, most: int = MOST, most_by_address: int = MOST_BY_ADDRESS, proxies: TrustedProxies | None = None
    ) -> None:
        self.most, self.most_by_address = most, most_by_address
        self.proxies = proxies or TrustedProxies()
        self._all: WeakSet[asyncio.BaseTransport] = WeakSet()
        self._by_address: dict[str, WeakSet[asyncio.BaseTransport]] = {}

    def admit(self, transport: asyncio.BaseTransport, address: str) -> str | None:
        """Count a connection; return why it is refused, or None.

        Connections from this machine and from trusted proxies count in all but not by address: they come from workers
        and from many clients, which `Forwarding` counts.
        """
        if _is_full(self._all, self.most):
            return "too many connections are open; try again in a moment"
        own = self._by_address.setdefault(address, WeakSet())
        shared = is_loopback(address) or self.proxies.trusts(address)
        if not shared and _is_full(own, self.most_by_address):
            return "too many connections are open from your address; close some"
        self._all.add(transport)
        own.add(transport)
        if len(self._by_address) > self.most:
            self._by_address = {each: found for each, found in self._by_address.items() if found}
        return None


def _is_full(transports: "WeakSet[asyncio.BaseTransport]", most: int) -> bool:
    """Return whether `most` are open; closed ones are looked for only then."""
    if len(transports) < most:
        return False
    for transport in list(transports):
        if transport.is_closing():
            transports.discard(transport)
    return len(transports) >= most


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's protocol with a limit of connections, and limits of time and size for headers."""

    sockets = Sockets()
    headers_within_s = HEADERS_WITHIN_S
    _timer: asyncio.TimerHandle | None = None
    _headers_until_s: float | None = None
    _unfinished_bytes = 0
    _between_requests = True
    _begun = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse a connection too many before a byte is read."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        if words := self.sockets.admit(transport, str(peer[0]) if peer else "unknown"):
            transport.write(REFUSAL.format(length=len(words), words=words).encode())
            transport.close()
            return
        self._wait_for_headers()

    def data_received(self, data: bytes) -> None:
        """Send a kept response to a repeated request; refuse headers that do not end."""
        asked = repeated_requests.digest_of(data, self.client[0]) if self._is_free() and self.client else None
        if asked and (response := repeated_requests.response_to(asked, self.server_state.default_headers)):
            self._send_at_once(response)
            return
        self._begun = 0
        super().data_received(data)
        if asked and self._begun == 1 and self._between_requests and self._is_answering_this():
            repeated_requests.note(cast(Scope, self.cycle.scope), asked)
        self._unfinished_bytes = 0 if self._headers_until_s is None else self._unfinished_bytes + len(data)
        if self._unfinished_bytes > MOST_HEADER_BYTES and not self.transport.is_closing():
            self._give_up("431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        """Start the clock for the headers of the next request."""
        self._between_requests = False
        self._begun += 1
        super().on_message_begin()
        self._wait_for_headers()

    def on_headers_complete(self) -> None:
        """Stop the clock; its timer stays, since the next request needs one."""
        self._headers_until_s = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the next byte begins another request."""
        self._between_requests = True
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the clock."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().connection_lost(exc)

    def _is_free(self) -> bool:
        """Return whether the next byte begins a request that nothing else is before."""
        answered = self.cycle is None or self.cycle.response_complete
        return answered and self._between_requests and not self.flow.write_paused and not self.transport.is_closing()

    def _is_answering_this(self) -> bool:
        """Return whether what was just parsed is being answered, on a connection that stays open."""
        return self.cycle is not None and self.cycle.scope is self.scope and self.cycle.keep_alive

    def _send_at_once(self, response: bytes) -> None:
        """Send a whole response, and wait for the next request as uvicorn does."""
        self._headers_until_s = None
        self.transport.write(response)
        self.on_response_complete()

    def _wait_for_headers(self) -> None:
        if self._headers_until_s is None:
            self._headers_until_s = self.loop.time() + self.headers_within_s
        if self._timer is None:
            self._timer = self.loop.call_at(self._headers_until_s, self._look_at_the_clock)

    def _look_at_the_clock(self) -> None:
        self._timer = None
        if self._headers_until_s is None or self.transport.is_closing():
            return
        if self.loop.time() < self._headers_until_s:  # those of a later request
            self._timer = self.loop.call_at(self._headers_until_s, self._look_at_the_clock)
        else:
            self._give_up("408 Request Timeout")

    def _give_up(self, status: str) -> None:
        self.transport.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        self.transport.close()
