"""The head of the audit chain reaches every receiver once a day."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from dashboards.runtime.head_publisher import HeadPublisher
from storage.domain.errors import BadRequest
from storage.domain.settings import AuditSettings
from storage.maintenance import audit_heads
from tests.dashboards.desk import Desk


@contextmanager
def webhook(status: list[int]) -> Iterator[tuple[str, list[bytes]]]:
    """Serve a URL that answers with these statuses in turn, and keep what is posted."""
    posted: list[bytes] = []

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(status.pop(0))
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Taker)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/heads?secret=1", posted
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_every_receiver_gets_the_head_once_and_a_failure_again(desk: Desk, tmp_path: Path) -> None:
    taker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    taker.bind(str(tmp_path / "log"))
    with taker, webhook([500, 200]) as (url, posted):
        settings = AuditSettings(
            audit_head_syslog=str(tmp_path / "log"), audit_head_webhook=SecretStr(url), _env_file=None
        )
        desk.holder.settings.__dict__["audit"] = settings
        publisher = HeadPublisher()
        desk.user("ada")
        assert asyncio.run(publisher.publish()) == ["storage", "syslog"]
        assert asyncio.run(publisher.publish()) == ["the webhook"]
        assert asyncio.run(publisher.publish()) == []
        (head,) = audit_heads.kept(desk.holder.files)
        assert head.rows == 1
        (logged,) = audit_heads.parse(taker.recv(4096).decode(), of="syslog")
        assert (logged.rows, logged.hash) == (head.rows, head.hash)
        assert [json.loads(body)["hash"] for body in posted] == [head.hash, head.hash]
        asyncio.run(HeadPublisher().publish())  # after a restart
        assert audit_heads.kept(desk.holder.files) == [head]


@pytest.mark.parametrize("given", [{"audit_head_syslog": "loghost"}, {"audit_head_webhook": "loghost:514"}])
def test_a_receiver_that_is_none_is_refused_at_the_start(given: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="TRANSCRIBER_AUDIT_HEAD"):
        AuditSettings(**given, _env_file=None)
