"""Requests to addresses that a user named, to a real server: checked at every connection and redirect."""

import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from dashboards.clients import outgoing_http
from dashboards.clients.outgoing_http import checked, request
from storage.domain.errors import BadRequest, HostUnreachable, OutgoingRefused
from storage.domain.network.outgoing_targets import OutgoingTargets, parse
from tests.dashboards.receiver import Receiver, receiving

HERE = parse("127.0.0.1")
NOWHERE = OutgoingTargets()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def names(monkeypatch: pytest.MonkeyPatch, answers: dict[str, list[str]]) -> list[str]:
    """Let names stand for addresses, each look-up for the next; return the names that are looked up."""
    real, asked = socket.getaddrinfo, list[str]()

    def look_up(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in answers:
            return real(host, port, *args, **more)
        asked.append(name)
        address = answers[name].pop(0) if len(answers[name]) > 1 else answers[name][0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in address.split()]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


async def status_of(targets: OutgoingTargets, url: str, **more: Any) -> int:
    async with request(targets, "POST", url, headers={}, content=b"{}", **more) as answer:
        return answer.status


async def test_a_listed_address_is_reached_and_others_are_not(receiver: Receiver) -> None:
    assert await status_of(HERE, receiver.url) == 204
    port = receiver.port
    for host in ("127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "0"):
        with pytest.raises(OutgoingRefused):
            await status_of(NOWHERE, f"http://{host}:{port}/")
    assert len(receiver.got) == 1


async def test_a_name_of_a_private_address_is_refused(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, {"metadata.example": ["169.254.169.254"], "hooks.example": ["10.0.0.1 127.0.0.1"]})
    with pytest.raises(OutgoingRefused) as refused:
        await status_of(HERE, "http://metadata.example/")
    assert "169.254" not in str(refused.value)
    assert await status_of(HERE, f"http://hooks.example:{receiver.port}/") == 204  # by its allowed address alone


async def test_the_address_that_was_checked_is_the_one_that_is_connected_to(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = names(monkeypatch, {"rebind.example": ["127.0.0.1", "10.0.0.1"]})
    assert await status_of(HERE, f"http://rebind.example:{receiver.port}/") == 204
    assert asked == ["rebind.example"]
    assert receiver.got[0].headers["host"] == f"rebind.example:{receiver.port}"
    with pytest.raises(OutgoingRefused):
        await status_of(HERE, f"http://rebind.example:{receiver.port}/")


async def test_each_redirect_is_checked_and_counted(receiver: Receiver) -> None:
    receiver.answers = [(307, {"Location": "http://169.254.169.254/latest"}, b"")]
    with pytest.raises(OutgoingRefused):
        await status_of(HERE, receiver.url)
    receiver.answers = [(308, {"Location": "/there?x=1"}, b"")]
    assert await status_of(HERE, receiver.url) == 204
    assert (receiver.got[-1].path, receiver.got[-1].body) == ("/there?x=1", b"{}")
    receiver.usual = (307, {"Location": "/again"}, b"")
    with pytest.raises(OutgoingRefused, match="more than 5 redirects"):
        await status_of(HERE, receiver.url)
    receiver.usual = (307, {"Location": "file:///etc/passwd"}, b"")
    with pytest.raises(OutgoingRefused, match="no address"):
        await status_of(HERE, receiver.url)
    receiver.usual = (302, {"Location": "/else"}, b"")
    assert await status_of(HERE, receiver.url, follow=outgoing_http.KEPT_METHOD) == 302


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/",
        "file:///etc/passwd",
        "host/path",
        "http://",
        "http://user:word@host/",
        "http://xn--/",
        "http://host:0/",
        "http://host:99999/",
        "http://h/" + "x" * 2000,
        "",
    ],
)
async def test_what_is_no_address_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(BadRequest):
        await status_of(HERE, url)


def test_an_address_is_checked_when_it_is_entered() -> None:
    for url in ("http://127.0.0.1/", "https://[::1]:8443/x", "http://10.0.0.1", "http://[::ffff:10.0.0.1]/"):
        with pytest.raises(OutgoingRefused):
            checked(NOWHERE, url)
    assert checked(HERE, "http://127.0.0.1/a") == "http://127.0.0.1/a"
    assert checked(NOWHERE, "https://Hooks.Example/a#b") == "https://hooks.example/a"


async def test_a_body_is_read_only_as_far_as_it_is_wanted(receiver: Receiver) -> None:
    sent = 0

    def endless(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.end_headers()
        while True:
            sent += handler.wfile.write(b"x" * 65536)

    receiver.gets = endless
    began = time.monotonic()
    async with request(HERE, "GET", receiver.url, headers={}) as answer:
        block = await anext(answer.body)
    assert (answer.status, block[:1]) == (200, b"x")
    assert (time.monotonic() - began, sent) < (20, 64 << 20)


async def test_servers_that_are_not_there_are_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(HostUnreachable, match="the connection failed"):
        await status_of(HERE, f"http://127.0.0.1:{port}/")
    with pytest.raises(HostUnreachable, match="no such host"):
        await status_of(HERE, "http://no-such-host.invalid/")


async def test_certificates_are_verified_and_http_on_a_tls_port_is_no_answer(receiver: Receiver) -> None:
    with pytest.raises(HostUnreachable):
        await status_of(HERE, receiver.url.replace("http:", "https:"))
