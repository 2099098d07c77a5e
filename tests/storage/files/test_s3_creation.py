"""Objects that one writer creates, with the services of `test_s3_bucket.py` behind a faulty host."""

# ruff: noqa: F811 - fixtures of that module

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.domain.errors import AlreadyStored, StorageUnreachable
from storage.files.file_store import Files
from storage.files.s3_bucket import Bucket
from tests.storage.files.test_s3_bucket import Service, connected, remote, service  # noqa: F401
from tests.storage.files.test_s3_transfers import FaultyHost, endpoint, host, through  # noqa: F401


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


def test_what_is_written_and_cannot_be_read_back_is_created(
    remote: Files, endpoint: str, host: type[FaultyHost]
) -> None:
    host.refused = {"GET": 403}
    Files(remote.url, endpoint).create("a/b", b"ours")
    assert remote.read("a/b") == b"ours"


def test_a_writer_whose_answer_is_lost_has_created_it(remote: Files, through: Bucket, host: type[FaultyHost]) -> None:
    host.lost = ["PUT /store/some/prefix/a/b"]
    through.create("a/b", b"ours")
    assert host.lost == []
    assert remote.read("a/b") == b"ours"


def test_a_writer_who_cannot_tell_whether_another_one_came_first_tries_again(
    remote: Files, service: Service, through: Bucket, host: type[FaultyHost]
) -> None:
    if service.kind == "rclone":
        pytest.skip("it ignores conditions")

    def other(request: str) -> None:
        if request.startswith("HEAD"):
            remote.write("a/b", b"the other one's")

    host.then, host.refused = staticmethod(other), {"GET": 403}
    with pytest.raises(StorageUnreachable, match="another writer"):
        through.create("a/b", b"ours")
