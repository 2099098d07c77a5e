"""HTTP requests to addresses that a user named: only to allowed ones.

The check is in the network backend of httpcore, below everything that opens a connection, so that each redirect is
checked, too. The backend resolves the name, and connects to the address that it checked, so that a name cannot stand
for another address a moment later. Certificates are verified against the name. Proxies of the environment are not
used, since they would resolve names themselves.
"""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpcore
import httpx

from storage.domain.errors import BadRequest, HostUnreachable, OutgoingRefused
from storage.domain.network.outgoing_targets import MAX_URL_CHARS, SETTING, OutgoingTargets
from storage.domain.network.trusted_proxies import Address
from storage.remote.certificates import usual_tls

CONNECT_S, PAUSE_S, HEAD_S = 10.0, 30.0, 30.0
MAX_PORT = 65535
MAX_REDIRECTS = 5
KEPT_METHOD = frozenset({307, 308})
REDIRECTS = frozenset({301, 302, 303}) | KEPT_METHOD
FAILURES = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
    OSError,
    TimeoutError,
)
SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingAnswer:
    """A server's answer; `url` is where redirects led.

    The body is read as a stream, and not decoded.
    """

    status: int
    headers: Mapping[str, str]
    url: httpx.URL
    body: AsyncIterator[bytes]


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to allowed addresses alone."""

    def __init__(self, targets: OutgoingTargets) -> None:
        self._targets, self._network = targets, httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpcore calls it
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Open a connection to the first allowed address of the host that takes one.

        Raises:
            OutgoingRefused: it has none.
            httpcore.ConnectError, httpcore.ConnectTimeout: there is no such host, or it takes no connection.
        """
        allowed = await allowed_addresses(self._targets, host, port)
        for address in allowed[:-1]:
            try:
                return await self._network.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._network.connect_tcp(str(allowed[-1]), port, timeout, local_address, socket_options)


async def allowed_addresses(targets: OutgoingTargets, host: str, port: int) -> list[Address]:
    """Resolve a host, and return those of its addresses that may be reached.

    Raises:
        OutgoingRefused: there is none.
        httpcore.ConnectError: there is no such host.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_S):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise httpcore.ConnectTimeout(f"its name was not resolved within {CONNECT_S:g} s") from None
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError("there is no such host") from error
    addresses = dict.fromkeys(ipaddress.ip_address(str(where[0])) for *_, where in found)
    allowed = [address for address in addresses if targets.allow(host, address)]
    if not allowed:
        raise refusal(host)
    return allowed


def refusal(host: str) -> OutgoingRefused:
    """Return the error for a host that is not allowed, without its address."""
    return OutgoingRefused(
        "url", f"{host} is no host on the public internet; an administrator can list it in {SETTING}"
    )


def parsed(url: str) -> httpx.URL:
    """Read an address that a user named.

    Raises:
        BadRequest: it is no address of http or https, or has a user name or password in it.
    """
    try:
        found = httpx.URL(url)
        host, port = found.host, found.port  # the host is decoded only here
    except (httpx.InvalidURL, ValueError) as error:
        raise BadRequest("url", "it is no address; write it as https://host/path") from error
    if port is not None and not 1 <= port <= MAX_PORT:
        raise BadRequest("url", f"a port is a number from 1 to {MAX_PORT}")
    if found.scheme not in {"http", "https"} or not host or len(url) > MAX_URL_CHARS:
        raise BadRequest("url", f"write it as https://host/path, in at most {MAX_URL_CHARS} characters")
    if found.userinfo:
        raise BadRequest("url", "leave out the user name and password; they would be shown and logged")
    return found.copy_with(fragment=None)


def checked(targets: OutgoingTargets, url: str) -> str:
    """Return an address in its usual form; its name is resolved later.

    Raises:
        BadRequest, OutgoingRefused: it is none, or not allowed.
    """
    found = parsed(url)
    try:
        allowed = targets.allow(found.host, ipaddress.ip_address(found.host))
    except ValueError:
        return str(found)
    if not allowed:
        raise refusal(found.host)
    return str(found)


@asynccontextmanager
async def request(
    targets: OutgoingTargets,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    content: bytes = b"",
    follow: Collection[int] = REDIRECTS,
    max_redirects: int = MAX_REDIRECTS,
    patience_s: float | None = None,
) -> AsyncIterator[OutgoingAnswer]:
    """Send a request, following redirects of the given statuses with the same method.

    The answer's head has to come within `HEAD_S`, its body without pauses of more than `PAUSE_S`, or both within
    `patience_s`; what is not read is not received.

    Raises:
        BadRequest, OutgoingRefused: the address, or that of a redirect, is none or is not allowed, or too many follow
            each other; the same would come of another try.
        HostUnreachable: no answer came.
    """
    where = parsed(url)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            httpcore.AsyncConnectionPool(ssl_context=usual_tls(), network_backend=GuardedNetwork(targets))
        )
        for _ in range(max_redirects + 1):
            answer, hop = await _sent(pool, method, where, headers, content, patience_s=patience_s)
            target = answer.headers.get("location")
            if answer.status not in follow or answer.status not in REDIRECTS or not target:
                stack.push_async_callback(hop.aclose)
                yield answer
                return
            await hop.aclose()
            where = _next(where, target)
    raise OutgoingRefused("url", f"it leads to more than {max_redirects} redirects; name the address at their end")


async def _sent(
    pool: httpcore.AsyncConnectionPool,
    method: str,
    url: httpx.URL,
    headers: Mapping[str, str],
    content: bytes,
    *,
    patience_s: float | None,
) -> tuple[OutgoingAnswer, httpcore.Response]:
    own = {"Host": url.netloc.decode("ascii"), "Accept-Encoding": "identity", "Connection": "close"}
    if content or method == "POST":
        own["Content-Length"] = str(len(content))
    patience = {"connect": CONNECT_S, "read": patience_s or PAUSE_S, "write": PAUSE_S, "pool": CONNECT_S}
    asked = httpcore.Request(
        method,
        httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=list((own | dict(headers)).items()),
        content=content,
        extensions={"timeout": patience},
    )
    try:
        async with asyncio.timeout(patience_s or HEAD_S):
            response = await pool.handle_async_request(asked)
    except FAILURES as error:
        raise HostUnreachable(url.host, _said(error)) from error
    known = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    return OutgoingAnswer(status=response.status, headers=known, url=url, body=_read(response, url)), response


async def _read(response: httpcore.Response, url: httpx.URL) -> AsyncIterator[bytes]:
    try:
        async for block in response.aiter_stream():
            yield block
    except FAILURES as error:
        raise HostUnreachable(url.host, _said(error)) from error


def _next(where: httpx.URL, target: str) -> httpx.URL:
    """Return where a redirect leads."""
    try:
        found = parsed(str(where.join(target)))
    except (BadRequest, httpx.InvalidURL, ValueError) as error:
        raise OutgoingRefused("url", f"{where.host} redirects to something that is no address") from error
    if where.scheme == "https" and found.scheme == "http":
        raise OutgoingRefused("url", f"{where.host} redirects from https to http, where others could read along")
    return found


def _said(error: Exception) -> str:
    """Return a failure in a few words, without what the other side may have written."""
    if isinstance(error, httpcore.TimeoutException | TimeoutError):
        return "it took too long"
    if isinstance(error, httpcore.ProtocolError):
        return "it does not speak HTTP as it should"
    if "certificate" in str(error).lower():
        return "its certificate is not valid"
    if str(error) == "there is no such host":
        return str(error)
    return "the connection failed"
