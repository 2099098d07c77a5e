"""Large objects, failing copies and writers at the same time, with the two S3 services of `test_s3_bucket.py`."""

# ruff: noqa: F811 - fixtures of that module

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from storage.domain import names
from storage.domain.errors import AlreadyStored, StorageUnreachable
from storage.files.direct_parts import DirectParts
from storage.files.file_store import Files
from storage.files.s3_bucket import Bucket
from tests.storage.files.test_direct_parts import DATA as PARTS
from tests.storage.files.test_direct_parts import begin, send
from tests.storage.files.test_s3_bucket import Service, connected, remote, service  # noqa: F401

MIB = 1 << 20
SMALL_PARTS = {"whole_bytes": MIB, "part_bytes": 5 * MIB}
DATA = os.urandom(11 * MIB + 5)


class FaultyHost(BaseHTTPRequestHandler):
    """Passes requests on with their signatures, notes them, and does harm to some."""

    protocol_version = "HTTP/1.1"  # clients wait for `100 Continue`
    upstream: ClassVar[str]
    seen: ClassVar[list[tuple[str, str, str]]]
    refused: ClassVar[dict[str, int]]
    cuts: ClassVar[int]
    lost: ClassVar[list[str]]
    then: ClassVar[Callable[[str], None]]
    ignores_range: ClassVar[bool]

    def do_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append((self.command, self.path, self.headers.get("Range", "")))
        for mark, status in self.refused.items():
            if mark in f"{self.command} {self.path}":
                return self.answer(status, {}, b"<Error><Code>AccessDenied</Code></Error>")
        passed_on = {
            name: value for name, value in self.headers.items() if name not in {"Range"} or not self.ignores_range
        }
        found = httpx.request(
            self.command, self.upstream + self.path, headers=passed_on, content=body, trust_env=False, timeout=60
        )
        type(self).then(f"{self.command} {self.path}")
        for mark in [each for each in self.lost if each in f"{self.command} {self.path}"]:
            self.lost.remove(mark)  # what was asked for is done, and nobody hears of it
            self.close_connection = True
            return None
        kept = ("Content-Type", "Content-Range", "ETag", "Last-Modified")
        headers = {name: found.headers[name] for name in kept if name in found.headers}
        length = found.headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(found.content))
        return self.answer(found.status_code, headers | {"Content-Length": length}, found.content)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_any  # noqa: N815 - as http.server calls them

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body)), "Connection": "close"} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET" and len(body) > MIB // 2 and type(self).cuts:
            type(self).cuts -= 1
            body = body[: len(body) // 2]
            self.close_connection = True
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def host(service: Service) -> type[FaultyHost]:
    FaultyHost.upstream, FaultyHost.seen, FaultyHost.refused = service.url, [], {}
    FaultyHost.then = staticmethod(lambda _: None)
    FaultyHost.cuts, FaultyHost.ignores_range, FaultyHost.lost = 0, False, []
    return FaultyHost


@pytest.fixture
def endpoint(remote: Files, host: type[FaultyHost]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), host) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def through(remote: Files, endpoint: str) -> Bucket:
    return Bucket(remote.url, endpoint, chunk_bytes=MIB)


def asked(host: type[FaultyHost]) -> list[str]:
    return [method for method, _, _ in host.seen]


def parts_left(files: Files, service: Service) -> list[Any]:
    page = Bucket(files.url, service.url).listing("list_multipart_uploads", "media")
    return list(page.get("Uploads", ()))


def test_a_large_object_is_read_in_small_ranges_and_a_broken_one_again(
    remote: Files,
    through: Bucket,
    host: type[FaultyHost],
    tmp_path: Path,
) -> None:
    remote.write("media/x", DATA)
    host.cuts = 3
    through.get("media/x", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == DATA
    ranges = [given for method, _, given in host.seen if method == "GET"]
    assert len(ranges) >= 12 + 3
    spans = [tuple(map(int, given.removeprefix("bytes=").split("-"))) for given in ranges]
    assert max(last - first for first, last in spans) < MIB, "what is in memory does not grow with the object"


def test_a_service_that_ignores_ranges_gives_a_large_object_all_the_same(
    remote: Files, service: Service, through: Bucket, host: type[FaultyHost], tmp_path: Path
) -> None:
    if service.kind == "rclone":
        pytest.skip("the range is signed")
    remote.write("media/x", DATA)
    host.ignores_range = True
    through.get("media/x", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == DATA


def test_whether_there_is_an_object_takes_one_request_and_no_right_to_list(
    remote: Files,
    through: Bucket,
    host: type[FaultyHost],
) -> None:
    remote.write("media/x", b"sound")
    host.refused = {"list-type": 403}
    assert through.size("media/x") == 5
    assert through.size("media/y") is None
    assert asked(host) == ["HEAD", "HEAD"]


def test_an_upload_whose_last_answer_is_lost_is_an_object(
    remote: Files, endpoint: str, host: type[FaultyHost], tmp_path: Path
) -> None:
    (tmp_path / "x").write_bytes(DATA)
    bucket = Bucket(remote.url, endpoint, chunk_bytes=5 * MIB)
    host.lost = ["POST /store/some/prefix/media/x?uploadId="]
    bucket.put("media/x", tmp_path / "x", move=True)
    assert host.lost == []
    assert remote.read("media/x") == DATA
    assert not (tmp_path / "x").exists()


def test_an_upload_that_is_gone_is_an_error_and_what_was_there_stays(
    remote: Files, service: Service, endpoint: str, host: type[FaultyHost], tmp_path: Path
) -> None:
    (tmp_path / "x").write_bytes(DATA)
    remote.write("media/x", DATA[::-1])  # of the same size
    host.refused = {"POST /store/some/prefix/media/x?uploadId=": 404}
    with pytest.raises(StorageUnreachable):
        Bucket(remote.url, endpoint, chunk_bytes=5 * MIB).put("media/x", tmp_path / "x", move=True)
    assert parts_left(remote, service) == []
    assert remote.read("media/x") == DATA[::-1]
    assert (tmp_path / "x").exists()


def test_parts_of_a_client_whose_last_answer_is_lost_are_an_object(
    remote: Files, endpoint: str, host: type[FaultyHost]
) -> None:
    direct = DirectParts(remote.url, endpoint, smallest_part_bytes=5 * MIB)
    upload = begin(direct)
    send(direct, upload, 1, 2, 3)
    host.lost = ["POST /store/some/prefix/incoming/"]
    direct.complete(upload)
    assert host.lost == []
    assert remote.read(names.incoming_name(upload.id)) == PARTS


def test_a_copy_in_parts_is_the_object(
    remote: Files,
    service: Service,
) -> None:
    remote.write("media/x", DATA)
    Bucket(remote.url, service.url).copy("media/x", "media/y", **SMALL_PARTS)
    assert remote.read("media/y") == DATA
    assert parts_left(remote, service) == []


def test_a_copy_that_fails_leaves_no_parts(
    remote: Files,
    service: Service,
    through: Bucket,
    host: type[FaultyHost],
) -> None:
    if service.kind == "rclone":
        pytest.skip("it copies no parts")
    remote.write("media/x", DATA)
    host.refused = {"partNumber=2": 403}
    with pytest.raises(StorageUnreachable, match="AccessDenied"):
        through.copy("media/x", "media/y", **SMALL_PARTS)
    assert not remote.exists("media/y")
    assert parts_left(remote, service) == []


def test_parts_that_a_killed_writer_left_are_swept_and_those_of_clients_are_not(
    remote: Files, service: Service
) -> None:
    bucket = Bucket(remote.url, service.url)
    upload = bucket.request("create_multipart_upload", names.media_name("0" * 64))["UploadId"]
    bucket.request("upload_part", names.media_name("0" * 64), UploadId=upload, PartNumber=1, Body=b"half")
    client = bucket.request("create_multipart_upload", names.incoming_name("0" * 32))["UploadId"]
    if service.kind == "rclone":  # moto says of all uploads that they began in 2010
        assert remote.sweep() == 0
    assert remote.sweep(older_than_s=-5) == 1
    assert parts_left(remote, service) == []
    assert bucket.request("list_parts", names.incoming_name("0" * 32), UploadId=client).get("Parts", []) == []
    bucket.request("abort_multipart_upload", names.incoming_name("0" * 32), UploadId=client)


def test_where_no_upload_is_open_nothing_is_swept(remote: Files) -> None:
    assert remote.sweep(older_than_s=-5) == 0


def test_of_writers_at_the_same_time_one_creates_an_object(remote: Files) -> None:
    start = threading.Barrier(8)

    def create(number: int) -> bool:
        start.wait()
        try:
            remote.create("a/b", b"%d" % number)
        except AlreadyStored:
            return False
        return True

    for _ in range(3):
        remote.delete("a/b")
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(create, range(8)))
        assert sum(made) == 1
        assert remote.read("a/b") == b"%d" % made.index(True)


def test_a_writer_whose_bytes_another_one_replaced_is_told(
    remote: Files, endpoint: str, host: type[FaultyHost]
) -> None:
    """Another process comes between the look and the write, and the service ignores conditions."""

    def other(request: str) -> None:
        if request.startswith("PUT"):
            remote.write("a/b", b"the other one's")

    host.then = staticmethod(other)
    with pytest.raises(AlreadyStored):
        Files(remote.url, endpoint).create("a/b", b"ours")
    assert remote.read("a/b") == b"the other one's"
