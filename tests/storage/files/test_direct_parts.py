"""Parts that clients send straight to the bucket, with the two S3 services of `test_s3_bucket.py`."""

import os
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from storage.domain import names
from storage.domain.clock import utc_now
from storage.domain.errors import NotStored, PartsMissing
from storage.domain.records import Lane, Options
from storage.domain.settings import StorageSettings
from storage.files.direct_parts import DirectParts, part_sizes
from storage.files.file_store import Files
from storage.files.upload_store import DirectUpload, Upload, new_ident
from tests.storage.files.test_s3_bucket import Service, connected, service  # noqa: F401 - fixtures

PART_BYTES = 5 << 20  # the least that S3 takes
LATER = timedelta(seconds=-5)
DATA = os.urandom(2 * PART_BYTES + 77)


@pytest.fixture
def parts(connected: Files, service: Service) -> DirectParts:  # noqa: F811
    for name in connected.list("incoming"):
        connected.delete(name)
    return DirectParts(connected.url, service.url, smallest_part_bytes=PART_BYTES)


def begin(parts: DirectParts, data: bytes = DATA) -> Upload:
    ident = new_ident()
    about = {"owner_id": "ada", "name": "talk.wav", "options": Options(), "lane": Lane.INTERACTIVE}
    return Upload(id=ident, length_bytes=len(data), direct=parts.begin(ident, len(data), None), **about)  # type: ignore[arg-type]


def send(parts: DirectParts, upload: Upload, *numbers: int, data: bytes = DATA) -> list[int]:
    """Send some parts as a client does, and return the statuses."""
    urls = parts.signed(upload, numbers)
    pieces = {number: data[PART_BYTES * (number - 1) : PART_BYTES * number] for number in numbers}
    return [httpx.put(urls[number], content=pieces[number], trust_env=False).status_code for number in numbers]


def test_parts_in_any_order_become_one_object(parts: DirectParts, connected: Files, tmp_path: Path) -> None:  # noqa: F811
    upload = begin(parts)
    assert send(parts, upload, 3, 1) == [200, 200]
    assert set(parts.arrived(upload)) == {1, 3}
    with pytest.raises(PartsMissing, match="another size: 2; send"):
        parts.complete(upload)
    send(parts, upload, 2)
    parts.complete(upload)
    parts.complete(upload)  # as after a crash
    parts.fetch(upload, tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == DATA

    parts.keep(upload, names.media_name("0" * 64))
    parts.forget(upload)
    assert connected.read(names.media_name("0" * 64)) == DATA
    assert not connected.exists(names.incoming_name(upload.id))


def test_a_part_of_another_size_does_not_count(parts: DirectParts, service: Service) -> None:  # noqa: F811
    upload = begin(parts)
    url = parts.signed(upload, [3])[3]
    status = httpx.put(url, content=b"x" * 78, trust_env=False).status_code
    assert parts.arrived(upload) == {}
    if service.kind == "rclone":  # it checks signatures, and the length is signed
        assert status == 403


def test_what_is_aborted_takes_no_more_parts(parts: DirectParts) -> None:
    upload = begin(parts)
    send(parts, upload, 1)
    parts.forget(upload)
    parts.forget(upload)
    assert send(parts, upload, 2) != [200]
    with pytest.raises(NotStored):
        parts.arrived(upload)


def test_the_sweep_leaves_what_is_open_or_young(parts: DirectParts, connected: Files, service: Service) -> None:  # noqa: F811
    left, kept, whole = begin(parts), begin(parts), begin(parts, b"short")
    send(parts, whole, 1, data=b"short")
    parts.complete(whole)
    assert parts.sweep(lambda _: True, older_than=LATER) == 0
    if service.kind == "rclone":  # moto says of all uploads that they began in 2010
        assert parts.sweep(lambda _: False) == 0
    assert parts.sweep(lambda ident: ident == kept.id, older_than=LATER) >= 2
    assert not connected.exists(names.incoming_name(whole.id))
    assert parts.arrived(kept) == {}
    with pytest.raises(NotStored):
        parts.arrived(left)


def test_what_is_whole_is_swept_also_where_no_upload_is_open(parts: DirectParts, connected: Files) -> None:  # noqa: F811
    parts.sweep(lambda _: False, older_than=LATER)
    whole = begin(parts, b"short")
    send(parts, whole, 1, data=b"short")
    parts.complete(whole)
    assert list(parts.begun(utc_now() - LATER)) == []
    assert parts.sweep(lambda _: False, older_than=LATER) == 1
    assert not connected.exists(names.incoming_name(whole.id))


def test_a_recording_of_terabytes_has_no_more_parts_than_s3_takes() -> None:
    direct = DirectUpload(multipart_id="m", part_bytes=-(-(5 << 40) // 10_000))
    upload = Upload(
        id="0", owner_id="a", length_bytes=5 << 40, name="x", options=Options(), lane=Lane.BATCH, direct=direct
    )
    assert len(part_sizes(upload)) == 10_000
    assert sum(part_sizes(upload).values()) == 5 << 40


def test_it_is_off_without_the_setting_or_a_bucket() -> None:
    for given in ({"direct_uploads": True}, {"direct_uploads": True, "storage_url": "/x"}):
        assert DirectParts.from_settings(StorageSettings(**given, _env_file=None)) is None
    switched_off = DirectParts.from_settings(StorageSettings(storage_url="s3://store/x", _env_file=None))
    assert switched_off is not None, "what was begun before is tidied"
    assert (switched_off.offered, switched_off.origin) == (False, "")
