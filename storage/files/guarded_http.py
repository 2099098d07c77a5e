"""fsspec's HTTP file system for addresses that a user named.

Only allowed ones are reached, and pages are bounded.

The check is in the connector: its resolver gives allowed addresses alone, and its sockets are made for these, so that
neither a redirect nor an address written in digits leads past it.
"""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from fsspec.implementations.http import HTTPFileSystem

from storage.domain.errors import BadRequest, HostUnreachable, OutgoingRefused
from storage.domain.network.host_names import without_login
from storage.domain.network.outgoing_targets import SETTING, OutgoingTargets
from storage.domain.retries import call

T = TypeVar("T")
MAX_PAGE_BYTES = 32 << 20
CONNECT_S, PAUSE_S = 10.0, 60.0
PAUSES_S = (1.0, 4.0)
"""Waits before a host is asked again."""
BROKEN = (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, ConnectionResetError, TimeoutError)
FAILURES = (aiohttp.ClientError, ConnectionError, FileNotFoundError, TimeoutError)
BUSY = {429, 502, 503, 504}
NOT_FOUND = 404
CERTIFICATE = "its certificate is not trusted: {said}; SSL_CERT_FILE names the certificates of a local authority"


class GuardedResolver(AbstractResolver):
    """Resolves a host to those of its addresses that may be reached."""

    def __init__(self, targets: OutgoingTargets) -> None:
        self._targets, self._resolver = targets, aiohttp.ThreadedResolver()
        self.allowed: set[str] = set()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the allowed addresses of a host.

        Raises:
            OutgoingRefused: there is none.
        """
        found = await self._resolver.resolve(host, port, family)
        allowed = [each for each in found if self._targets.allow(host, ipaddress.ip_address(each["host"]))]
        if not allowed:
            raise _refusal(host)
        self.allowed |= {each["host"] for each in allowed}
        return allowed

    async def close(self) -> None:
        await self._resolver.close()

    def socket_of(self, where: tuple[Any, ...]) -> socket.socket:
        """Make a socket for an address that is allowed."""
        address = str(where[4][0])
        if address not in self.allowed and not self._targets.allow(address, ipaddress.ip_address(address)):
            raise _refusal(address)
        return socket.socket(where[0], where[1], where[2])


class BoundedResponse(aiohttp.ClientResponse):
    """An answer whose text, an index page, is read up to a size."""

    async def read(self) -> bytes:
        """Return the body.

        Raises:
            BadRequest: it is too long.
        """
        if self._body is None:
            body = bytearray()
            async for block in self.content.iter_chunked(1 << 16):
                body += block
                if len(body) > MAX_PAGE_BYTES:
                    self.close()
                    raise BadRequest("SOURCE", f"{self.url} is no index page: it is longer than {MAX_PAGE_BYTES} bytes")
            self._body = bytes(body)
        return self._body


def _refusal(host: str) -> OutgoingRefused:
    return OutgoingRefused(
        "url", f"{host} is no host on the public internet; an administrator can list it in {SETTING}"
    )


def http_files(targets: OutgoingTargets) -> HTTPFileSystem:
    """Return a file system that reads from allowed hosts alone."""

    async def client(**_: Any) -> aiohttp.ClientSession:
        resolver = GuardedResolver(targets)
        connector = aiohttp.TCPConnector(resolver=resolver, socket_factory=resolver.socket_of)
        timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_S, sock_read=PAUSE_S)
        headers = {"User-Agent": "whisper-transcriber"}
        return aiohttp.ClientSession(
            connector=connector, timeout=timeout, headers=headers, trust_env=False, response_class=BoundedResponse
        )

    return HTTPFileSystem(get_client=client, skip_instance_cache=True, simple_links=False)


def patiently(url: str, work: Callable[[], T], *, pauses_s: Sequence[float] = PAUSES_S) -> T:
    """Call what asks a host.

    If the connection breaks, or the host is busy, it is called again after each of the pauses.

    Raises:
        HostUnreachable: it does not answer, or with an error.
    """
    try:
        return call(work, may_pass=_may_pass, pauses_s=pauses_s)
    except FAILURES as error:
        raise unreachable(url, error) from error


def _cause(error: Exception) -> Exception:
    """Return what went wrong; fsspec calls every failure of asking for a file's size FileNotFoundError."""
    while isinstance(error, FileNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__
    return error


def _may_pass(error: Exception) -> bool:
    error = _cause(error)
    return isinstance(error, BROKEN) or getattr(error, "status", None) in BUSY


def unreachable(url: str, error: Exception) -> HostUnreachable:
    """Return the error for an address that did not answer as it should."""
    host = without_login(url).partition("://")[2].partition("/")[0]
    error = _cause(error)
    status = 404 if isinstance(error, FileNotFoundError) else getattr(error, "status", None)
    if status == NOT_FOUND:
        return HostUnreachable(host, "it has no such page or file (status 404)")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return HostUnreachable(host, CERTIFICATE.format(said=getattr(error.certificate_error, "verify_message", "")))
    if isinstance(error, aiohttp.ClientPayloadError):
        return HostUnreachable(host, "the connection broke off before the end")
    return HostUnreachable(host, f"status {status}" if status else type(error).__name__)
