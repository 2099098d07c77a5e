"""Storage in a bucket, with two real S3 services: moto, and rclone over a folder.

moto supports multipart and checks no signatures; rclone refuses bad signatures.
"""

import io
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile

from storage.backup.packing import digest_of
from storage.datasets import dataset_export
from storage.datasets.dataset_place import DatasetPlace
from storage.domain import names
from storage.domain.errors import AlreadyStored, BadRequest, NotStored, StorageUnreachable
from storage.files.file_store import Files
from storage.files.s3_bucket import Bucket
from storage.ledger.database import Ledger
from tasks.audio.ingest import read_span
from tests.http_server import http_server
from tests.processes import end
from tests.waiting import until

KEYS = {"AWS_ACCESS_KEY_ID": "access", "AWS_SECRET_ACCESS_KEY": "very-secret", "AWS_EC2_METADATA_DISABLED": "true"}
BINARIES = Path(sys.executable).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A running S3 service with the bucket `store`."""

    kind: str
    url: str


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    def answers() -> bool:
        assert process.poll() is None, "the S3 service did not start"
        try:
            httpx.get(url, timeout=10, trust_env=False)
        except httpx.TransportError:
            return False
        return True

    until(answers)


def moto(port: int, folder: Path) -> list[str]:
    return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]


def rclone(port: int, folder: Path) -> list[str]:
    (folder / "store").mkdir()
    pair = f"{KEYS['AWS_ACCESS_KEY_ID']},{KEYS['AWS_SECRET_ACCESS_KEY']}"
    return [
        shutil.which("rclone", path=str(BINARIES)) or "rclone",
        *("serve", "s3", str(folder), "--addr", f"127.0.0.1:{port}", "--auth-key", pair, "--config", os.devnull),
        *("--vfs-cache-mode", "off"),
    ]


@pytest.fixture(scope="module", params=["moto", "rclone"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    kind: str = request.param
    port = free_port()
    command = {"moto": moto, "rclone": rclone}[kind](port, tmp_path_factory.mktemp(kind))
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url, process)
        if kind == "moto":
            httpx.put(f"{url}/store", trust_env=False).raise_for_status()
        yield Service(kind=kind, url=url)
    finally:
        end(process)


@pytest.fixture(scope="module")
def connected(service: Service) -> Iterator[Files]:
    """One client for all tests of a service; making one takes half a second."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in KEYS.items():
            patch.setenv(name, value)
        yield Files("s3://store/some/prefix", service.url)


@pytest.fixture
def remote(connected: Files) -> Files:
    for name in connected.list():
        connected.delete(name)
    return connected


@pytest.mark.parametrize("data", [b"", b"x", b"\x00\xff" * 100_000])
def test_what_is_written_is_read_back(remote: Files, data: bytes) -> None:
    remote.write("media/ab/x", data)
    assert remote.read("media/ab/x") == data
    assert remote.size("media/ab/x") == len(data)
    assert remote.exists("media/ab/x")


def test_many_chunks_go_in_parts(remote: Files, service: Service) -> None:
    bucket = Bucket(remote.url, service.url, max_in_memory_bytes=1 << 20, chunk_bytes=5 << 20)
    data = os.urandom(12 << 20)
    bucket.write("media/ab/x", (data[at : at + 100_000] for at in range(0, len(data), 100_000)))
    assert remote.read("media/ab/x") == data


def test_a_listing_and_a_look_tell_the_same_version(remote: Files, service: Service) -> None:
    remote.write("a/b.wav", b"x")
    bucket = Bucket(remote.url, service.url)
    listed = {entry.name: entry.version for entry in bucket.entries(recursive=True)}
    looked = bucket.entry("a/b.wav")
    assert looked is not None
    assert listed == {"a/b.wav": looked.version}


def test_a_source_that_fails_midway_leaves_what_was_there(remote: Files, service: Service) -> None:
    def broken() -> Iterator[bytes]:
        yield b"new" * 1000
        yield b"new" * 1000
        raise ValueError("the line went dead")

    remote.write("a/b", b"old")
    for memory in (1_000_000, 1000):
        bucket = Bucket(remote.url, service.url, max_in_memory_bytes=memory)
        with pytest.raises(ValueError, match="dead"):
            bucket.write("a/b", broken())
        with pytest.raises(ValueError, match="dead"):
            bucket.write("a/c", broken())
    assert remote.read("a/b") == b"old"
    assert not remote.exists("a/c")


def test_what_is_created_is_never_overwritten(remote: Files) -> None:
    remote.create("a/b", b"first")
    remote.create("a/b", b"first")
    with pytest.raises(AlreadyStored):
        remote.create("a/b", b"second")
    assert remote.read("a/b") == b"first"


def test_a_service_that_knows_conditions_lets_one_of_two_writers_create(
    remote: Files, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    if service.kind == "rclone":
        pytest.skip("it ignores conditions")
    remote.create("a/b", b"first")
    monkeypatch.setattr(Bucket, "size", lambda *_: None)  # as if the other writer came between the two steps
    with pytest.raises(AlreadyStored):
        remote.create("a/b", b"second")
    assert remote.read("a/b") == b"first"


def test_a_local_file_is_copied_or_moved(remote: Files, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"sound")
    remote.put("media/x", tmp_path / "x")
    remote.put("media/y", tmp_path / "x", move=True)
    assert not (tmp_path / "x").exists()
    assert remote.read("media/x") == remote.read("media/y") == b"sound"
    with pytest.raises(FileNotFoundError):
        remote.put("media/z", tmp_path / "x")


@pytest.mark.parametrize("data", [b"", b"5", b"0123456789"])
def test_a_stream_can_seek(remote: Files, data: bytes) -> None:
    remote.write("a", data)
    with remote.open("a") as stream:
        stream.seek(0, 2)
        assert stream.tell() == len(data)
        stream.seek(2)
        assert stream.read(2) == data[2:4]
        stream.seek(0)
        assert stream.read() == data


class IgnoringRange(BaseHTTPRequestHandler):
    """Passes requests on to `upstream` without their Range header, as some services treat it."""

    upstream: str

    def do_GET(self) -> None:
        self.answer(self.passed_on("GET"))

    def do_HEAD(self) -> None:
        self.answer(self.passed_on("HEAD"))

    def passed_on(self, method: str) -> httpx.Response:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in {"range", "host"}}
        return httpx.request(method, self.upstream + self.path, headers=headers, trust_env=False)

    def answer(self, answer: httpx.Response) -> None:
        self.send_response(answer.status_code)
        for name in ("Content-Type", "Content-Length", "ETag", "Last-Modified"):
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *_: object) -> None:
        pass


class FailingInTheMiddle(IgnoringRange):
    """Passes all requests on, and answers 503 to reads while `fails`."""

    fails = False

    def passed_on(self, method: str) -> httpx.Response:
        if self.fails:
            return httpx.Response(503, content=b"<Error><Code>SlowDown</Code></Error>")
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        return httpx.request(method, self.upstream + self.path, headers=headers, trust_env=False)

    def answer(self, answer: httpx.Response) -> None:
        self.send_response(answer.status_code)
        for name in ("Content-Type", "Content-Length", "Content-Range", "ETag", "Last-Modified"):
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.end_headers()
        self.wfile.write(answer.content)


@pytest.fixture
def failing(service: Service) -> Iterator[str]:
    if service.kind == "rclone":
        pytest.skip("rclone would see a signature for another address")
    FailingInTheMiddle.upstream = service.url
    with http_server(FailingInTheMiddle) as url:
        yield url
    FailingInTheMiddle.fails = False


def test_a_read_that_fails_in_the_middle_is_an_error_of_storage_and_can_go_on(remote: Files, failing: str) -> None:
    data = os.urandom(1000)
    remote.write("a", data)
    with Files(remote.url, failing).open("a") as stream:
        FailingInTheMiddle.fails = True
        with pytest.raises(StorageUnreachable, match="storage did not answer for a"):
            stream.read(10)
        FailingInTheMiddle.fails = False
        stream.seek(5)
        assert stream.read() == data[5:]


def test_a_span_that_storage_does_not_give_is_no_damaged_file(remote: Files, failing: str) -> None:
    sound = io.BytesIO()
    soundfile.write(sound, np.zeros(160_000, dtype=np.int16), 16_000, format="FLAC")
    remote.write(names.span_name("00aa"), sound.getvalue())
    through = Files(remote.url, failing)
    assert len(read_span(through, "00aa")) == 160_000
    FailingInTheMiddle.fails = True
    with pytest.raises(StorageUnreachable):
        read_span(through, "00aa")


@pytest.fixture
def range_ignored(service: Service) -> Iterator[str]:
    if service.kind == "rclone":
        pytest.skip("rclone would see a signature for another address")
    IgnoringRange.upstream = service.url
    with http_server(IgnoringRange) as url:
        yield url


def test_a_service_that_ignores_range_is_read_rightly_all_the_same(remote: Files, range_ignored: str) -> None:
    data = os.urandom(300_000)
    remote.write("a", data)
    with Files(remote.url, range_ignored).open("a") as stream:
        stream.seek(200_000)
        assert stream.read(5) == data[200_000:200_005]
        stream.seek(10)
        assert stream.read(5) == data[10:15]


def test_what_is_not_there_is_not_stored(remote: Files) -> None:
    for call in (remote.read, remote.open, remote.size):
        with pytest.raises(NotStored, match="a/b"):
            call("a/b")
    with pytest.raises(NotStored), remote.local("a/b"):
        pass
    assert not remote.exists("a/b")
    remote.delete("a/b")
    remote.delete("a/b/")
    assert list(remote.list("a")) == []


def test_a_folder_is_no_object(remote: Files) -> None:
    remote.write("a/b/c", b"x")
    assert not remote.exists("a/b")


def test_names_are_listed_and_deleted_by_folder(remote: Files) -> None:
    for name in ("plans/ab/abcd/1", "plans/ab/abcd/2", "plans/ab/abcde/1"):
        remote.write(name, b"")
    assert list(remote.list("plans/ab/abcd")) == ["plans/ab/abcd/1", "plans/ab/abcd/2"]
    remote.delete("plans/ab/abcd/")
    assert list(remote.list()) == ["plans/ab/abcde/1"]
    remote.delete("plans/ab/abcde/1")
    assert list(remote.list()) == []


def test_a_passing_copy_goes_after_use(remote: Files) -> None:
    remote.write("a/b.flac", b"sound")
    with remote.local("a/b.flac") as path:
        assert path.read_bytes() == b"sound"
        assert path.suffix == ".flac"
    assert not path.exists()


def test_another_process_sees_it_at_once(remote: Files, service: Service) -> None:
    other = Files(remote.url, service.url)
    assert not other.exists("a")
    remote.write("a", b"1")
    assert other.exists("a")
    remote.delete("a")
    assert not other.exists("a")


def test_hostile_names_do_not_reach_the_service(remote: Files) -> None:
    for name in ("../x", "/x", "a//b", "a\x00"):
        with pytest.raises(BadRequest):
            remote.write(name, b"")


def test_a_bucket_that_is_not_there_is_unreachable(remote: Files, service: Service) -> None:
    with pytest.raises(StorageUnreachable, match="TRANSCRIBER_STORAGE_URL"):
        Files("s3://nowhere/x", service.url).write("a", b"x")


def test_a_wrong_key_is_refused(remote: Files, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    if service.kind == "moto":
        pytest.skip("moto checks no signatures")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    stranger = Files(remote.url, service.url)
    with pytest.raises(StorageUnreachable):
        stranger.write("a", b"x")
    with pytest.raises(StorageUnreachable):
        stranger.exists("a")


def test_a_service_that_does_not_answer_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    gone = Files("s3://store/x", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(StorageUnreachable, match="TRANSCRIBER_STORAGE_URL"):
        gone.read("a")


def test_datasets_are_exported_to_a_bucket_and_read_from_copies(
    remote: Files, tmp_path: Path, empty_ledger: Path
) -> None:
    place, cache = DatasetPlace(remote, "datasets"), tmp_path / "cache"
    shutil.copyfile(empty_ledger, tmp_path / "ledger.duckdb")
    with Ledger.open(tmp_path / "ledger.duckdb") as ledger:
        first = dataset_export.export(ledger, place, actor="system:test")  # the audit log has no row yet
        assert place.partitions() == {one.name for one in first.manifest.partitions}
        done = dataset_export.export(ledger, place, actor="system:test")
    (partition,) = done.manifest.partitions
    assert place.partitions() == {partition.name}
    assert place.manifest() == done.manifest
    (copy,) = place.local_paths(done.manifest, cache)["audit"]
    assert place.local_paths(done.manifest, cache)["audit"] == [copy]
    assert digest_of(copy).sha256 == partition.sha256
    assert copy.stat().st_mode & 0o077 == 0
