"""Sources that need a login, and sources that nothing can be read from."""

import base64
from http.server import BaseHTTPRequestHandler

import pytest

from flows.batch.source_files import SourceReader
from storage.domain.errors import BadRequest, TranscriberError
from storage.domain.settings import Settings
from tests.http_server import http_server


class Locked(BaseHTTPRequestHandler):
    """Gives an index and a file to those who log in."""

    def do_GET(self) -> None:
        allowed = self.headers["Authorization"] == "Basic " + base64.b64encode(b"ann:p@ss/word").decode()
        body = b'<a href="a.wav">a</a>' if self.path.endswith("/") else b"sound"
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> SourceReader:
    monkeypatch.setenv("TRANSCRIBER_OUTGOING_ALLOWED", "127.0.0.1")
    return SourceReader(Settings())


def test_a_login_in_an_address_is_used_and_not_told(reader: SourceReader) -> None:
    with http_server(Locked) as url:
        place = f"{url.removeprefix('http://')}/in/"
        (file,) = reader.files(f"http://ann:p%40ss%2Fword@{place}", recursive=True)
        assert file.name == f"http://{place}a.wav"
        with file.local() as path:
            assert path.read_bytes() == b"sound"
        with pytest.raises(TranscriberError) as refused:
            list(reader.files(f"http://ann:wrong@{place}", recursive=True))
    assert "status 401" in str(refused.value)
    assert "wrong" not in str(refused.value)


@pytest.mark.parametrize("source", ["ftp://ann:secret@127.0.0.1:9/in/", "zip:///in.zip"])
def test_a_file_system_that_cannot_be_opened_is_said(reader: SourceReader, source: str) -> None:
    with pytest.raises(BadRequest, match="cannot be read") as refused:
        list(reader.files(source, recursive=True))
    assert "secret" not in str(refused.value)
