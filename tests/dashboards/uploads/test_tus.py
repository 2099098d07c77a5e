"""Resumable uploads by the tus protocol: what is on disk is what counts, and the last byte makes the job."""

import asyncio
import base64
import errno
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from httpx2 import Response

from dashboards import context, landing
from dashboards.app import _every
from dashboards.shelf import ROOM_TO_SPARE_BYTES, Upload
from storage import audit, jobs, names
from storage.records import Job, Lane, Options
from tests.dashboards.site import ORIGIN, Site

TUS = ORIGIN | {"Tus-Resumable": "1.0.0"}
BYTES = TUS | {"Content-Type": "application/offset+octet-stream"}


def metadata(**values: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in values.items())


def create(site: Site, length: int, *, concat: str | None = None, **values: str) -> Response:
    headers = TUS | {"Upload-Length": str(length), "Upload-Metadata": metadata(**({"filename": "talk.wav"} | values))}
    return site.client.post("/uploads", headers=headers | ({"Upload-Concat": concat} if concat else {}))


def send(site: Site, url: str, data: bytes, offset: int = 0) -> Response:
    return site.client.patch(url, content=data, headers=BYTES | {"Upload-Offset": str(offset)})


def upload(site: Site, data: bytes, **values: str) -> Response:
    made = create(site, len(data), **values)
    assert made.status_code == 201, made.text
    return send(site, made.headers["location"], data)


def job_of(answer: Response) -> Job:
    with context.ledger().read() as con:
        return jobs.get(con, answer.headers["x-job-id"])


@pytest.fixture
def signed_in(site: Site) -> Site:
    site.sign_in()
    return site


def test_the_last_byte_makes_the_job(signed_in: Site, tone: Callable[..., bytes]) -> None:
    data = tone()
    answer = upload(signed_in, data, filename="Gespräch.wav", options='{"language": "de"}', lane="batch")
    assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(len(data)))
    job = job_of(answer)
    assert (job.name, job.media_sha256, job.media_bytes) == (
        "Gespräch.wav",
        hashlib.sha256(data).hexdigest(),
        len(data),
    )
    assert (job.options.language, job.lane, job.owner_id) == ("de", Lane.BATCH, signed_in.user().id)
    assert context.files().read(names.media_name(job.media_sha256)) == data
    assert list(context.current().shelf.folder.glob("*.part")) == []


def test_bytes_may_come_with_the_creation(signed_in: Site, tone: Callable[..., bytes]) -> None:
    data = tone()
    headers = BYTES | {"Upload-Length": str(len(data)), "Upload-Metadata": metadata(filename="talk.wav")}
    answer = signed_in.client.post("/uploads", content=data, headers=headers)
    assert answer.status_code == 201
    assert job_of(answer).media_bytes == len(data)


def test_an_upload_goes_on_from_the_stored_offset(signed_in: Site, tone: Callable[..., bytes]) -> None:
    data = tone()
    url = create(signed_in, len(data)).headers["location"]
    assert send(signed_in, url, data[:1000]).headers["upload-offset"] == "1000"
    found = signed_in.client.head(url, headers=TUS)
    assert (found.headers["upload-offset"], found.headers["upload-length"]) == ("1000", str(len(data)))
    assert job_of(send(signed_in, url, data[1000:], 1000)).media_sha256 == hashlib.sha256(data).hexdigest()


def test_a_part_at_the_wrong_offset_is_refused_and_nothing_is_written(
    signed_in: Site, tone: Callable[..., bytes]
) -> None:
    data = tone()
    url = create(signed_in, len(data)).headers["location"]
    send(signed_in, url, data[:1000])
    for offset in (0, 999, 1001):
        answer = send(signed_in, url, data[offset:], offset)
        assert answer.status_code == 409
        assert "HEAD" in answer.json()["error"]["message"]
    assert signed_in.client.head(url, headers=TUS).headers["upload-offset"] == "1000"


def test_more_bytes_than_announced_are_refused(signed_in: Site) -> None:
    url = create(signed_in, 10).headers["location"]
    assert send(signed_in, url, b"x" * 11).status_code == 413
    assert signed_in.client.head(url, headers=TUS).headers["upload-offset"] == "0"


def test_an_upload_over_the_limit_is_refused_before_it_begins(signed_in: Site) -> None:
    answer = create(signed_in, 21 * 2**30)
    assert answer.status_code == 413
    assert "TRANSCRIBER_MAX_UPLOAD_BYTES" in answer.json()["error"]["message"]


@pytest.fixture
def free_bytes(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function that says how many bytes the disk has free beyond what is to stay so."""

    class Usage(NamedTuple):
        free: int

    return lambda free: monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free=free + ROOM_TO_SPARE_BYTES))


def test_an_upload_that_will_not_fit_on_the_disk_is_refused_before_it_begins(
    signed_in: Site, free_bytes: Callable[[int], None]
) -> None:
    free_bytes(1000)
    answer = create(signed_in, 2000)
    assert answer.status_code == 507
    assert "free some space" in answer.json()["error"]["message"]


def test_what_is_still_to_come_of_other_uploads_is_not_promised_twice(
    signed_in: Site, free_bytes: Callable[[int], None]
) -> None:
    free_bytes(3000)
    url = create(signed_in, 2000).headers["location"]
    assert create(signed_in, 2000).status_code == 507
    assert send(signed_in, url, b"x" * 1500).status_code == 204
    assert create(signed_in, 2000).status_code == 201


def test_a_disk_that_others_fill_keeps_what_is_to_stay_free(signed_in: Site, free_bytes: Callable[[int], None]) -> None:
    url = create(signed_in, 2000).headers["location"]
    free_bytes(500)
    assert send(signed_in, url, b"x" * 1000).status_code == 507
    assert signed_in.client.head(url, headers=TUS).headers["upload-offset"] == "0"


@pytest.mark.parametrize("declared", [True, False])
def test_a_form_that_will_not_fit_on_the_disk_is_refused(
    signed_in: Site, tone: Callable[..., bytes], free_bytes: Callable[[int], None], declared: bool
) -> None:
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + tone() + b"\r\n--x--\r\n"
    free_bytes(1000)
    headers = signed_in.worker | {"Content-Type": "multipart/form-data; boundary=x"}
    content = form if declared else iter([form])
    answer = signed_in.client.post("/internal/v1/jobs", content=content, headers=headers)
    assert answer.status_code == 507
    assert list(context.current().shelf.folder.iterdir()) == []


def test_a_disk_that_fills_midway_loses_nothing(
    signed_in: Site, tone: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tone()
    url = create(signed_in, len(data)).headers["location"]
    send(signed_in, url, data[:1000])
    real_write = os.write

    def full(handle: int, block: Any) -> int:
        if Path(f"/proc/self/fd/{handle}").readlink().suffix == ".part":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real_write(handle, block)

    with monkeypatch.context() as broken:
        broken.setattr(os, "write", full)
        assert send(signed_in, url, data[1000:], 1000).status_code == 507
    assert job_of(send(signed_in, url, data[1000:], 1000)).media_sha256 == hashlib.sha256(data).hexdigest()


def test_storage_that_takes_no_more_keeps_the_upload_for_another_try(
    signed_in: Site, tone: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    from storage.errors import StorageFull

    def full(*_: Any, **__: Any) -> None:
        raise StorageFull("media", "No space left on device")

    data = tone()
    url = create(signed_in, len(data)).headers["location"]
    with monkeypatch.context() as broken:
        broken.setattr(context.files(), "put", full)
        assert send(signed_in, url, data).status_code == 507
    assert job_of(send(signed_in, url, b"", len(data))).media_bytes == len(data)


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"this is no sound at all" * 100, 415, "is not readable audio"),
        (b"RIFF\x24\0\0\0WAVEfmt ", 415, "readable audio"),
    ],
)
def test_what_is_no_recording_is_refused_in_plain_words(
    signed_in: Site, content: bytes, status: int, said: str
) -> None:
    made = create(signed_in, len(content), filename="notes.wav")
    answer = send(signed_in, made.headers["location"], content)
    assert answer.status_code == status
    assert said in answer.json()["error"]["message"]
    assert "notes.wav" in answer.json()["error"]["message"]
    assert signed_in.client.head(made.headers["location"], headers=TUS).status_code == status
    assert list(context.current().shelf.folder.glob("*.part")) == []


def test_a_wav_without_samples_and_no_bytes_at_all_are_called_empty(
    signed_in: Site, tone: Callable[..., bytes]
) -> None:
    assert upload(signed_in, tone(0.0)).json()["error"]["code"] == "empty_upload"
    assert create(signed_in, 0).json()["error"]["code"] == "empty_upload"


@pytest.mark.parametrize(
    ("values", "param"),
    [
        ({"options": '{"language": "klingon"}'}, "language"),
        ({"options": '{"colour": "red"}'}, "colour"),
        ({"options": "{"}, "options"),
        ({"options": '{"model": "../../etc/passwd"}'}, "model"),
        ({"lane": "fast"}, "lane"),
    ],
)
def test_options_that_will_not_do_are_refused_before_a_byte_is_sent(
    signed_in: Site, values: dict[str, str], param: str
) -> None:
    answer = create(signed_in, 10, **values)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd.wav", "passwd.wav"),
        ("C:\\x\\talk.wav", "talk.wav"),
        ("", "recording"),
        ("a\x00\nb.wav", "ab.wav"),
    ],
)
def test_a_name_is_only_ever_a_name(signed_in: Site, tone: Callable[..., bytes], name: str, kept: str) -> None:
    assert job_of(upload(signed_in, tone(), filename=name)).name == kept


def test_the_same_bytes_twice_are_stored_once_and_make_two_jobs(signed_in: Site, tone: Callable[..., bytes]) -> None:
    first, second = job_of(upload(signed_in, tone())), job_of(upload(signed_in, tone()))
    assert first.id != second.id
    assert first.media_sha256 == second.media_sha256
    assert len(list(context.files().list("media"))) == 1


def test_asking_again_after_the_last_byte_gives_the_same_job(signed_in: Site, tone: Callable[..., bytes]) -> None:
    data = tone()
    url = create(signed_in, len(data)).headers["location"]
    job = job_of(send(signed_in, url, data))
    assert signed_in.client.head(url, headers=TUS).headers["x-job-id"] == job.id
    assert send(signed_in, url, b"", len(data)).headers["x-job-id"] == job.id


def parts_of(site: Site, data: bytes, cuts: tuple[int, ...]) -> list[str]:
    urls = []
    for start, end in zip((0, *cuts), (*cuts, len(data)), strict=True):
        url = create(site, end - start, concat="partial").headers["location"]
        assert send(site, url, data[start:end]).status_code == 204
        urls.append(url)
    return urls


def join(site: Site, urls: list[str]) -> Response:
    headers = TUS | {"Upload-Concat": "final;" + " ".join(urls), "Upload-Metadata": metadata(filename="talk.wav")}
    return site.client.post("/uploads", headers=headers)


def test_parallel_parts_become_one_recording(signed_in: Site, tone: Callable[..., bytes]) -> None:
    data = tone()
    urls = parts_of(signed_in, data, (5_000, 11_111, 20_000))
    answer = join(signed_in, urls)
    assert answer.status_code == 201
    assert job_of(answer).media_sha256 == hashlib.sha256(data).hexdigest()
    again = join(signed_in, urls)
    assert (again.headers["location"], again.headers["x-job-id"]) == (
        answer.headers["location"],
        answer.headers["x-job-id"],
    )
    assert signed_in.client.head(urls[1], headers=TUS).headers["upload-offset"] == "6111"


def test_putting_together_goes_on_where_it_broke_off(
    signed_in: Site, tone: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, real_copy = tone(), os.copy_file_range
    urls = parts_of(signed_in, data, (5_000, 11_111, 20_000))
    left = [1234]

    def breaking(source: int, sink: int, size: int) -> int:
        if not left:
            raise OSError(errno.EIO, "the disk was pulled out")
        return real_copy(source, sink, left.pop())

    with monkeypatch.context() as broken:
        broken.setattr(os, "copy_file_range", breaking)
        assert join(signed_in, urls).status_code == 500
    assert signed_in.client.head(urls[2], headers=TUS).headers["upload-offset"] == "8889"
    assert job_of(join(signed_in, urls)).media_sha256 == hashlib.sha256(data).hexdigest()


def test_parts_must_be_there_whole_and_free(signed_in: Site, tone: Callable[..., bytes]) -> None:
    done = parts_of(signed_in, tone(), (5_000,))
    unfinished = create(signed_in, 100, concat="partial").headers["location"]
    whole = create(signed_in, 100).headers["location"]
    for urls in ([done[0], unfinished], [done[0], whole], []):
        assert join(signed_in, urls).status_code == 400
    assert join(signed_in, [done[0], "/uploads/" + "0" * 32]).status_code == 404
    assert join(signed_in, done).status_code == 201
    assert join(signed_in, done[::-1]).status_code == 400


def test_a_part_named_twice_is_refused_and_stays_free(signed_in: Site, tone: Callable[..., bytes]) -> None:
    (part,) = parts_of(signed_in, tone(), ())
    assert join(signed_in, [part, part]).status_code == 400
    assert join(signed_in, [part]).status_code == 201


def test_an_upload_that_cannot_be_landed_does_not_keep_the_next_from_it(
    signed_in: Site, tone: Callable[..., bytes]
) -> None:
    shelf, data = context.current().shelf, tone()
    common: dict[str, Any] = {"owner_id": signed_in.user().id, "name": "x", "options": Options(), "lane": Lane.BATCH}
    lost = (("e" * 32, 5), ("f" * 32, 5))
    shelf.save(Upload(id="0" * 32, length_bytes=10, parts=lost, **common))
    good = shelf.save(Upload(id="1" * 32, length_bytes=len(data), **common))
    shelf.data(good.id).write_bytes(data)
    assert signed_in.client.portal is not None
    signed_in.client.portal.call(landing.resume)
    assert shelf.load(good.id).job_id


def test_landing_looks_again_whether_another_request_was_first(signed_in: Site, tone: Callable[..., bytes]) -> None:
    data = tone()
    url = create(signed_in, len(data)).headers["location"]
    seen = context.current().shelf.load(url.rsplit("/", 1)[-1])
    job = job_of(send(signed_in, url, data))
    assert signed_in.client.portal is not None
    assert signed_in.client.portal.call(landing.land, replace(seen, name="late")).job_id == job.id
    assert job_of(send(signed_in, url, b"", len(data))).name == "talk.wav"


def test_what_fails_is_tried_again_and_the_rest_is_done() -> None:
    done: list[str] = []

    async def broken() -> None:
        done.append("broken")
        raise FileNotFoundError

    async def fine() -> None:
        done.append("fine")
        if len(done) >= 4:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(_every(0, broken, fine))
    assert done == ["broken", "fine"] * 2


def test_an_upload_is_its_owners_alone(signed_in: Site, tone: Callable[..., bytes]) -> None:
    url = create(signed_in, 100).headers["location"]
    part = parts_of(signed_in, tone(), ())
    signed_in.sign_in("bob")
    assert signed_in.client.head(url, headers=TUS).status_code == 404
    assert send(signed_in, url, b"x").status_code == 404
    assert signed_in.client.delete(url, headers=TUS).status_code == 404
    assert join(signed_in, part).status_code == 404


def test_a_reader_may_not_upload(site: Site) -> None:
    site.sign_in("rex")
    assert create(site, 100).status_code == 403


def test_an_upload_may_be_given_up(signed_in: Site) -> None:
    url = create(signed_in, 100).headers["location"]
    send(signed_in, url, b"x" * 50)
    assert signed_in.client.delete(url, headers=TUS).status_code == 204
    assert signed_in.client.head(url, headers=TUS).status_code == 404
    assert list(context.current().shelf.folder.iterdir()) == []


@pytest.mark.parametrize("ident", ["x", "0" * 31, "0" * 32])
def test_an_upload_that_is_not_there_is_not_found(signed_in: Site, ident: str) -> None:
    assert signed_in.client.head(f"/uploads/{ident}", headers=TUS).status_code == 404


def test_what_this_server_can_do_is_told(signed_in: Site) -> None:
    told = signed_in.client.options("/uploads", headers=ORIGIN).headers
    assert told["tus-version"] == "1.0.0"
    assert set(told["tus-extension"].split(",")) >= {"creation", "termination", "concatenation"}
    assert told["tus-max-size"] == str(20 * 2**30)


def test_abandoned_uploads_are_swept_and_those_in_use_stay(signed_in: Site) -> None:
    old, new = (create(signed_in, 100).headers["location"] for _ in range(2))
    day_before = time.time() - landing.ABANDONED_AFTER_S - 60
    for path in context.current().shelf.folder.glob(old.rsplit("/", 1)[-1] + ".*"):
        os.utime(path, (day_before, day_before))
    assert signed_in.client.post("/internal/v1/upkeep", headers=signed_in.worker).json()["uploads"] == 1
    assert signed_in.client.head(old, headers=TUS).status_code == 404
    assert signed_in.client.head(new, headers=TUS).status_code == 200


def test_what_killed_writers_left_on_storage_is_swept(signed_in: Site) -> None:
    context.files().write("media/aa/whole", b"x")
    left = context.files().path("media/aa/whole")
    assert left is not None
    left = left.rename(left.with_name(".part-left"))
    os.utime(left, (0, 0))
    assert signed_in.client.post("/internal/v1/upkeep", headers=signed_in.worker).json()["half_written"] == 1
    assert not left.exists()


def test_a_wrong_content_type_is_refused(signed_in: Site) -> None:
    url = create(signed_in, 100).headers["location"]
    assert signed_in.client.patch(url, content=b"x", headers=TUS | {"Upload-Offset": "0"}).status_code == 415
    assert signed_in.client.patch(url, content=b"x", headers=BYTES).status_code == 400


def test_taking_a_recording_in_is_in_the_audit_log_under_the_users_name(
    signed_in: Site, tone: Callable[..., bytes]
) -> None:
    job = job_of(upload(signed_in, tone()))
    with context.ledger().read() as con:
        (row,) = audit.page(con, subject=job.id)
    assert (row.actor, row.action) == (f"user:{signed_in.user().id}", "job.accept")


def test_offsets_beyond_four_gibibytes_are_whole_numbers_all_the_way(signed_in: Site) -> None:
    """A part of 10 GiB on a sparse file, of which the last bytes are sent; it is a part, so that nobody hashes it."""
    length, left = 10 << 30, 1000
    if shutil.disk_usage(signed_in.settings.storage.data_dir).free < length + 2 * ROOM_TO_SPARE_BYTES:
        pytest.skip("the server rightly refuses what the disk has no room for")
    url = create(signed_in, length, concat="partial").headers["location"]
    path = context.current().shelf.data(url.rsplit("/", 1)[1])
    os.truncate(path, length - left)
    assert int(signed_in.client.head(url, headers=TUS).headers["upload-offset"]) == length - left
    answer = send(signed_in, url, b"x" * left, length - left)
    assert (answer.status_code, int(answer.headers["upload-offset"])) == (204, length)
    assert path.stat().st_size == length
    assert send(signed_in, url, b"x", 5 << 30).status_code == 409
