"""A real nginx before the app, as docs/proxy.md configures it, with its files in a folder of the test's own."""

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.processes import end
from tests.waiting import until

DOCUMENT = Path(__file__).parents[2] / "docs" / "proxy.md"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
APP = "http://127.0.0.1:8501"
MAIN = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {servers}
}}
"""

needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


def documented(language: str, document: Path = DOCUMENT) -> list[str]:
    """Return the examples in this language, in the order of the document."""
    return re.findall(rf"```{language}\n(.*?)```", document.read_text(), re.DOTALL)


def documented_server(port: int, app: str, *, below: str = "/") -> str:
    """Return the documented configuration without TLS, on a port of this machine."""
    whole, at_path = documented("nginx")
    assert at_path.strip() == "location /transcriber/ {"
    for old, new in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port};"),
        ("server_name transcriber.example.org;", ""),
        ("location / {", f"location {below} {{"),
        (APP, app),
    ):
        assert whole.count(old) == 1, old
        whole = whole.replace(old, new)
    return whole


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def configured(folder: Path, servers: str) -> list[str]:
    """Write the configuration, and return the command that runs nginx with it."""
    folder.mkdir(exist_ok=True)
    path = folder / "nginx.conf"
    path.write_text(MAIN.format(folder=folder, servers=servers))
    return [str(NGINX), "-p", str(folder), "-c", str(path)]


@contextmanager
def nginx(folder: Path, servers: str, port: int) -> Iterator[None]:
    """Run nginx until the block ends."""
    with subprocess.Popen(configured(folder, servers), stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: process.poll() is not None or _listens(port))
            assert process.poll() is None
            yield
        finally:
            end(process)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
