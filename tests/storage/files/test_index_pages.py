"""Index pages as servers write them, and hosts that break off or are not trusted."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from storage.domain.errors import HostUnreachable
from storage.domain.network.outgoing_targets import OutgoingTargets
from storage.files.guarded_http import http_files, patiently
from storage.files.index_pages import links_below, links_of

PAGE = "https://host/in/"
AT_ONCE = (0.0, 0.0)
THIS_MACHINE = OutgoingTargets(hosts=frozenset({"127.0.0.1"}))


@pytest.mark.parametrize(
    ("server", "written", "name"),
    [
        ("nginx", '<a href="http.wav">http.wav</a>', "http.wav"),
        ("nginx", '<a href="Ann%27s%20talk.wav">Ann\'s talk.wav</a>', "Ann%27s%20talk.wav"),
        ("nginx", '<a href="colon%3A%20x.wav">colon: x.wav</a>', "colon%3A%20x.wav"),
        ("Apache", '<td><a href="Ann\'s%20talk.wav">Ann&#39;s talk.wav</a></td>', "Ann's%20talk.wav"),
        ("Apache", '<IMG SRC="/i.gif"> <A HREF="a&amp;b.wav">a&amp;b.wav</A>', "a&b.wav"),
        ("Caddy", '<a href="./a&amp;amp;b.wav"><svg/><span>a&amp;amp;b.wav</span></a>', "a&amp;b.wav"),
        ("Caddy", '<a href="./2026%20spring/">', "2026%20spring/"),
        ("by hand", "<a class=x href = b.wav >b</a>", "b.wav"),
        ("by hand", "<a href='/in/c.wav'>c</a>", "c.wav"),
        ("by hand", '<a href="https://host/in/d.wav">d</a>', "d.wav"),
        ("by hand", '<base href="/in/2026/"><base href="/no/"><a href="e.wav">e</a>', "2026/e.wav"),
        ("by hand", '<base target="_top" href="https://host/in/f/index.html"><a href="f.wav">f</a>', "f/f.wav"),
    ],
)
def test_links_lead_where_a_browser_would_go(server: str, written: str, name: str) -> None:
    assert links_of(f"<html>{written}<a name=top></a></html>", PAGE) == {PAGE + name}, server


class Archive(BaseHTTPRequestHandler):
    """Answers as the test says, from the first request on, and then with a page or a file."""

    page = '<a href="../">up</a><a href="?C=M">sorted</a><a href="%2e%2e/out.wav">out</a><a href="a.wav">a</a>'
    first: tuple[Callable[["Archive"], None], ...]
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if len(self.asked) <= len(self.first):
            self.first[len(self.asked) - 1](self)
        else:
            self.answer(200, self.page.encode() if self.path.endswith("/") else b"sound")

    def answer(self, status: int, body: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


def cut(answering: Archive) -> None:
    answering.answer(200, b"so", length=5)
    answering.close_connection = True


def busy(answering: Archive) -> None:
    answering.answer(503, b"later")


def gone(answering: Archive) -> None:
    answering.answer(404, b"gone")


@contextmanager
def archive(*first: Callable[[Archive], None], tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[str]]]:
    """Serve an archive; yield its address and the paths that were asked for."""
    asked = list[str]()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Played", (Archive,), {"first": first, "asked": asked}))
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}/in/", asked
    finally:
        server.shutdown()
        server.server_close()


def test_a_page_of_a_busy_host_is_asked_for_again_and_leads_below_itself_alone() -> None:
    with archive(busy, cut) as (url, asked):
        assert list(links_below(http_files(THIS_MACHINE), url, recursive=True, pauses_s=AT_ONCE)) == [f"{url}a.wav"]
    assert asked == ["/in/"] * 3


def test_what_a_busy_host_says_of_a_file_is_asked_for_again() -> None:
    fs = http_files(THIS_MACHINE)
    with archive(busy, busy) as (url, asked):
        assert patiently(url, lambda: fs.info(f"{url}a.wav"), pauses_s=AT_ONCE)["size"] == len(b"sound")
    assert len(asked) > 2


def test_a_file_whose_connection_breaks_off_is_read_again(tmp_path: Path) -> None:
    fs, path = http_files(THIS_MACHINE), tmp_path / "a.wav"
    with archive(cut, cut) as (url, asked):
        patiently(url, lambda: fs.get_file(f"{url}a.wav", str(path)), pauses_s=AT_ONCE)
    assert (path.read_bytes(), len(asked)) == (b"sound", 3)
    with archive(cut, cut, cut) as (url, asked), pytest.raises(HostUnreachable, match="broke off before the end"):
        patiently(url, lambda: fs.get_file(f"{url}a.wav", str(path)), pauses_s=AT_ONCE)
    assert len(asked) == 3


def test_what_is_not_there_is_not_asked_for_again(tmp_path: Path) -> None:
    fs = http_files(THIS_MACHINE)
    with archive(gone, gone, gone) as (url, asked), pytest.raises(HostUnreachable, match="no such page or file"):
        patiently(url, lambda: fs.get_file(f"{url}a.wav", str(tmp_path / "a.wav")), pauses_s=AT_ONCE)
    assert len(asked) == 1


def local_authority(folder: Path) -> ssl.SSLContext:
    """Return a server's side of TLS, with a certificate that nobody trusts."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "here")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem = serialization.Encoding.PEM
    (folder / "both.pem").write_bytes(
        key.private_bytes(pem, *form) + builder.sign(key, hashes.SHA256()).public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return context


def test_a_certificate_that_is_not_trusted_is_said(tmp_path: Path) -> None:
    fs = http_files(THIS_MACHINE)
    with archive(tls=local_authority(tmp_path)) as (url, _):
        with pytest.raises(HostUnreachable, match="certificate is not trusted: self-signed") as refused:
            list(links_below(fs, url, recursive=False))
        assert "SSL_CERT_FILE" in str(refused.value)
        with pytest.raises(HostUnreachable, match="certificate is not trusted"):  # fsspec says that it is not there
            patiently(url, lambda: fs.info(f"{url}a.wav"))
