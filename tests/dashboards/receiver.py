"""A server for tests of outgoing requests: it keeps what it gets, and answers as told."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.waiting import PATIENCE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """A request as it came; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True, kw_only=True)
class Receiver:
    """Answers are taken from `answers` first, then all are `usual`: a status, headers and a body."""

    url: str = ""
    got: list[Got] = field(default_factory=list)
    usual: tuple[int, dict[str, str], bytes] = (204, {}, b"")
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    slow_s: float = 0.0
    gets: Callable[[BaseHTTPRequestHandler], None] | None = None

    def wait_for(self, count: int, within_s: float = PATIENCE_S) -> list[Got]:
        until = time.monotonic() + within_s
        while len(self.got) < count:
            assert time.monotonic() < until, f"{len(self.got)} of {count} requests came"
            time.sleep(0.02)
        return self.got

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Serve on a port of 127.0.0.1."""
    made, over = Receiver(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            made.got.append(Got(method=self.command, path=self.path, headers=headers, body=body))
            over.wait(made.slow_s)
            status, more, said = made.answers.pop(0) if made.answers else made.usual
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(said))} | more).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said)

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            made.got.append(Got(method=self.command, path=self.path, headers=headers, body=b""))
            assert made.gets
            made.gets(self)

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (BrokenPipeError, ConnectionResetError):  # the client has heard enough
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield made
        finally:
            over.set()
            server.shutdown()
            thread.join()
