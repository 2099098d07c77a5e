"""Requests that are repeated to the letter are answered at once, counted like all, and never past a door that shut."""

import re
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import pytest

from dashboards.runtime import answer_cache, context
from storage.accounts import api_keys, users
from storage.domain.clock import utc_now
from storage.domain.records import KeyGrant, User
from tests.dashboards.served import Served

pytestmark = pytest.mark.shared_server

Told = tuple[int, dict[str, str], bytes]


def ada() -> User:
    with context.ledger().read() as con:
        user = users.by_name(con, "ada")
    assert user is not None
    return user


def request(path: str = "/api/v1/me", *, secret: str | None = None, **granted: Any) -> bytes:
    """Return a request with a key of its own."""
    by: dict[str, Any] = {"name": "test", "actor": "system:test"}
    grant = KeyGrant(**granted)
    secret = secret or context.ledger().run(api_keys.create, user_id=ada().id, grant=grant, **by)[0]
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n\r\n".encode()


class Line:
    """A connection that stays open."""

    def __init__(self, served: Served) -> None:
        self.socket = socket.create_connection(("127.0.0.1", int(served.url.rpartition(":")[2])), timeout=30)
        self.file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self) -> Told:
        status = int(self.file.readline().split()[1])
        headers: dict[str, str] = {}
        while (line := self.file.readline()) != b"\r\n":
            name, _, value = line.decode().strip().partition(": ")
            headers[name] = value
        return status, headers, self.file.read(int(headers.get("content-length", 0)))

    def ask(self, data: bytes) -> Told:
        self.send(data)
        return self.read()

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@pytest.fixture
def line(served: Served) -> Iterator[Line]:
    with closing(Line(served)) as line:
        yield line


@contextmanager
def nothing_is_committed() -> Iterator[None]:
    with context.ledger().write():
        yield


@contextmanager
def without_doors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let every request fail that is not answered before the doors."""
    with monkeypatch.context() as patched:
        patched.setattr(context.current(), "known_keys", None)
        yield


def test_a_repeated_request_is_sent_at_once_and_counted_like_all(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, holder = request(requests_per_hour=4), context.current()
    with nothing_is_committed():
        holder.key_requests.taken()
        hits, timed = holder.answers.hits, requests_timed()
        first = [line.ask(asked) for _ in range(2)][1]
        with without_doors(monkeypatch):
            again = line.ask(asked)
            assert line.ask(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] == 200
        assert (again[0], again[2]) == (200, first[2])
        left = [int(re.findall(r"r=(\d+)", headers["ratelimit"])[-1]) for _, headers, _ in (first, again)]
        assert left[0] - left[1] == 1, "a repetition counts towards the limit"
        assert first[1]["x-request-id"] != again[1]["x-request-id"]
        for _, headers, _ in (first, again):
            for name in ("ratelimit", "x-request-id", "date"):
                assert headers.pop(name)
        assert first[1] == again[1]
        assert (sum(holder.key_requests.taken().values()), holder.answers.hits - hits) == (3, 2)
        assert requests_timed() - timed == 3
        assert [line.ask(asked)[0] for _ in range(3)] == [200, 429, 429]


def requests_timed() -> int:
    return {one.route: one.requests for one in context.current().timings.all()}.get("GET /api/v1/me", 0)


def test_no_repetition_outlives_a_door_that_shut(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = request()
    assert [line.ask(asked)[0] for _ in range(3)] == [200] * 3
    assert line.ask(request(secret=api_keys.MARK + "x" * 40))[0] == 401
    with nothing_is_committed():
        assert [line.ask(asked)[0] for _ in range(3)] == [200] * 3
        monkeypatch.setattr(answer_cache, "utc_now", lambda: utc_now() + timedelta(seconds=2))
        with without_doors(monkeypatch):
            assert line.ask(asked)[0] == 500, "the second is over, so that every door is asked"
    monkeypatch.undo()
    assert [line.ask(asked)[0] for _ in range(3)] == [200] * 3
    context.ledger().run(users.set_disabled, ada().id, disabled=True, actor="system:test")
    assert line.ask(asked)[0] == 401
    context.ledger().run(users.set_disabled, ada().id, disabled=False, actor="system:test")


def test_another_method_or_header_is_another_request(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = request()
    head = asked.replace(b"GET", b"HEAD")
    last = asked.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with nothing_is_committed():
        _, got, body = [line.ask(asked) for _ in range(2)][1]
        for _ in range(2):
            line.send(head)
            assert line.file.readline() == b"HTTP/1.1 200 OK\r\n"
            told = b"".join(iter(line.file.readline, b"\r\n"))
            assert f"content-length: {len(body)}\r\n".encode() in told
        known = asked.replace(b"\r\n\r\n", f"\r\nIf-None-Match: {got['etag']}\r\n\r\n".encode())
        assert [line.ask(known)[::2] for _ in range(3)] == [(304, b"")] * 3
        with without_doors(monkeypatch):
            assert line.ask(last)[1]["connection"] == "close"
            assert line.file.read() == b"", "the connection is closed, as asked"


def test_what_only_looks_like_the_request_is_not_answered(line: Line, served: Served) -> None:
    """Bytes within a body, requests in one packet and halves of one are parsed."""
    asked, other = request(), b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with nothing_is_committed():
        assert [line.ask(asked)[0] for _ in range(3)] == [200] * 3
        for _ in range(3):
            line.send(asked + other)
            assert [b'"ada"' in line.read()[2] for _ in range(2)] == [True, False]
        line.send(asked[:40])
        assert b'"ada"' in line.ask(asked[40:])[2]
        refused = f"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(asked)}\r\n\r\n".encode()
        assert line.ask(refused)[0] == 401
        line.send(asked)
        assert b'"ada"' not in line.ask(other)[2], "it was the body of the refused request"
    with closing(Line(served)) as elsewhere:
        assert elsewhere.ask(asked[:10] + asked[10:] + asked)[0] == elsewhere.read()[0] == 200
