"""A simulated model hub: the parts of its HTTP API that downloads use."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REVISION = "5" * 40


@dataclass(kw_only=True)
class Hub:
    """What the hub offers and how it misbehaves; `asked` lists the files that were asked for, with their ranges."""

    folder: Path
    repo: str
    url: str = ""
    break_after: int | None = None  # bytes of model.bin after which the connection is closed
    breaks_left: int = 0
    wrong_sha256: bool = False
    claimed_bytes: int | None = None  # what it says of each large file
    is_away: bool = False
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    sent_bytes: int = 0

    def listing(self) -> dict[str, object]:
        rows = []
        for path in sorted(self.folder.iterdir()):
            data = path.read_bytes()
            sha256 = "0" * 64 if self.wrong_sha256 else hashlib.sha256(data).hexdigest()
            large = {"lfs": {"sha256": sha256, "size": len(data)}} if path.suffix == ".bin" else {}
            size = self.claimed_bytes if large and self.claimed_bytes else len(data)
            blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
            rows.append({"rfilename": path.name, "size": size, "blobId": blob, **large})
        return {"id": self.repo, "sha": REVISION, "siblings": [*rows, {"rfilename": "README.md", "size": 3}]}


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve the hub on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if hub.is_away:
                self.send_error(503)
            elif path == f"/api/models/{hub.repo}":
                self.answer(json.dumps(hub.listing()).encode())
            elif path.startswith(f"/{hub.repo}/resolve/{REVISION}/"):
                self.redirect(path.replace("/resolve/", "/stored/"))
            elif path.startswith(f"/{hub.repo}/stored/{REVISION}/"):
                self.send_file(hub.folder / path.rpartition("/")[2])
            else:
                self.send_error(404)

        def answer(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def redirect(self, to: str) -> None:
            self.answer(b"", 302, {"Location": to})

        def send_file(self, path: Path) -> None:
            asked = self.headers.get("Range")
            hub.asked.append((path.name, asked))
            data = path.read_bytes()
            first = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
            part = data[first:]
            if path.suffix == ".bin" and hub.break_after is not None and hub.breaks_left:
                hub.breaks_left -= 1
                self.break_off(part, first)
                return
            hub.sent_bytes += len(part)
            span = {"Content-Range": f"bytes {first}-{len(data) - 1}/{len(data)}"} if asked else {}
            self.answer(part, 206 if asked else 200, span)

        def break_off(self, part: bytes, first: int) -> None:
            assert hub.break_after is not None
            self.send_response(206 if first else 200)
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            sent = part[: hub.break_after]
            hub.sent_bytes += len(sent)
            self.wfile.write(sent)
            self.wfile.flush()
            self.close_connection = True

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
