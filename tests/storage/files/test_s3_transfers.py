"""Large objects and failing copies, with the two S3 services of `test_s3_bucket.py`."""

# ruff: noqa: F811 - fixtures of that module

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from botocore.exceptions import EndpointConnectionError  # type: ignore[import-untyped]

from storage.domain import names
from storage.domain.clock import utc_now
from storage.domain.errors import NotStored, StorageUnreachable
from storage.files import s3_transfers
from storage.files.direct_parts import DirectParts
from storage.files.file_store import Files
from storage.files.s3_bucket import Bucket
from tests.http_server import http_server
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
                code = b"NoSuchUpload" if status == HTTPStatus.NOT_FOUND else b"AccessDenied"
                return self.answer(status, {}, b"<Error><Code>%s</Code></Error>" % code)
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
    with http_server(host) as url:
        yield url


@pytest.fixture
def through(remote: Files, endpoint: str) -> Bucket:
    return Bucket(remote.url, endpoint, chunk_bytes=MIB)


def asked(host: type[FaultyHost]) -> list[str]:
    return [method for method, _, _ in host.seen]


def lose_and_forget(host: type[FaultyHost], mark: str) -> None:
    """Do what is asked for once, lose the answer, and know nothing of it when asked again."""

    def forget(request: str) -> None:
        if mark in request:
            host.refused = {mark: HTTPStatus.NOT_FOUND}

    host.lost, host.then = [mark], staticmethod(forget)


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


def test_ranges_of_two_versions_are_not_mixed(
    remote: Files, service: Service, through: Bucket, host: type[FaultyHost], tmp_path: Path
) -> None:
    if service.kind == "rclone":
        pytest.skip("it ignores conditions")
    remote.write("media/x", DATA)

    def replace(request: str) -> None:
        if request.startswith("GET"):
            host.then = staticmethod(lambda _: None)
            remote.write("media/x", DATA[::-1])  # of the same size

    host.then = staticmethod(replace)
    with pytest.raises(StorageUnreachable, match="it may have changed while it was read"):
        through.get("media/x", tmp_path / "got")
    through.get("media/x", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == DATA[::-1]


def test_whether_there_is_an_object_takes_one_request(
    remote: Files,
    through: Bucket,
    host: type[FaultyHost],
) -> None:
    remote.write("media/x", b"sound")
    assert through.size("media/x") == 5
    assert through.size("media/y") is None
    assert asked(host) == ["HEAD", "HEAD"]


def test_an_upload_whose_last_answer_is_lost_is_an_object(
    remote: Files, endpoint: str, host: type[FaultyHost], tmp_path: Path
) -> None:
    (tmp_path / "x").write_bytes(DATA)
    bucket = Bucket(remote.url, endpoint, chunk_bytes=5 * MIB)
    lose_and_forget(host, "POST /store/some/prefix/media/x?uploadId=")
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
    lose_and_forget(host, "POST /store/some/prefix/incoming/")
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


def test_a_copy_whose_last_answer_is_lost_is_an_object(
    remote: Files, service: Service, through: Bucket, host: type[FaultyHost]
) -> None:
    if service.kind == "rclone":
        pytest.skip("it copies no parts")
    remote.write("media/x", DATA)
    lose_and_forget(host, "POST /store/some/prefix/media/y?uploadId=")
    through.copy("media/x", "media/y", **SMALL_PARTS)
    assert host.lost == []
    assert remote.read("media/y") == DATA


def test_a_copy_that_the_service_forgets_can_be_tried_again(
    remote: Files, service: Service, through: Bucket, host: type[FaultyHost]
) -> None:
    if service.kind == "rclone":
        pytest.skip("it copies no parts")
    remote.write("media/x", DATA)
    remote.write("media/y", DATA[::-1])  # of the same size
    for mark in ("POST /store/some/prefix/media/y?uploadId=", "partNumber=2"):
        host.refused = {mark: 404}
        with pytest.raises(StorageUnreachable):
            through.copy("media/x", "media/y", **SMALL_PARTS)
        assert remote.read("media/y") == DATA[::-1]
        assert parts_left(remote, service) == []
    host.refused = {}
    through.copy("media/x", "media/y", **SMALL_PARTS)
    assert remote.read("media/y") == DATA
    with pytest.raises(NotStored):
        through.copy("media/none", "media/y", **SMALL_PARTS)


def test_what_failed_first_is_told_if_the_service_is_gone_then(
    remote: Files, service: Service, through: Bucket, host: type[FaultyHost], monkeypatch: pytest.MonkeyPatch
) -> None:
    if service.kind == "rclone":
        pytest.skip("it copies no parts")
    remote.write("media/x", DATA)
    host.refused = {"partNumber=2": 403}
    send = through._fs.call_s3

    def gone(operation: str, **parameters: Any) -> Any:
        if operation == "abort_multipart_upload":
            raise EndpointConnectionError(endpoint_url=service.url)
        return send(operation, **parameters)

    monkeypatch.setattr(through._fs, "call_s3", gone)
    with pytest.raises(StorageUnreachable, match="AccessDenied"):
        through.copy("media/x", "media/y", **SMALL_PARTS)
    remote.sweep(older_than_s=-5)
    assert parts_left(remote, service) == []


def test_a_large_object_of_another_file_system_is_copied() -> None:
    bucket = Bucket("memory://copies")
    bucket.write("media/x", [DATA])
    bucket.copy("media/x", "media/y", **SMALL_PARTS)
    assert bucket.read("media/y") == DATA


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


@pytest.mark.parametrize("foreign", ["other/incoming/x", "tool/media/x", "mediathek/x", "incoming/x"])
def test_uploads_of_others_in_the_bucket_are_not_swept(remote: Files, service: Service, foreign: str) -> None:
    bucket = Bucket("s3://store", service.url)
    opened = bucket.request("create_multipart_upload", foreign)["UploadId"]
    bucket.request("create_multipart_upload", "media/x")
    assert bucket.sweep(-5) == 1
    assert bucket.request("list_parts", foreign, UploadId=opened).get("Parts", []) == []
    bucket.request("abort_multipart_upload", foreign, UploadId=opened)


class Listing:
    """A service whose pages of open uploads have no marker of uploads."""

    def __init__(self) -> None:
        self.aborted: list[str] = []

    def split_path(self, path: str) -> tuple[str, str, None]:
        bucket, _, key = path.partition("/")
        return bucket, key, None

    def call_s3(self, operation: str, **asked: Any) -> dict[str, Any]:
        if operation == "abort_multipart_upload":
            self.aborted.append(asked["Key"])
            return {}
        key = "media/y" if asked.get("KeyMarker") else "media/x"
        page = {"Uploads": [{"Key": key, "UploadId": "1", "Initiated": datetime(2026, 1, 1, tzinfo=UTC)}]}
        return page | ({} if "KeyMarker" in asked else {"IsTruncated": True, "NextKeyMarker": "media/x"})


def test_pages_without_a_marker_of_uploads_are_followed() -> None:
    service = Listing()
    assert s3_transfers.abort_uploads(service, "store", before=utc_now(), folders=["media"]) == 2
    assert service.aborted == ["media/x", "media/y"]


def test_where_no_upload_is_open_nothing_is_swept(remote: Files) -> None:
    assert remote.sweep(older_than_s=-5) == 0
