"""Resumable uploads with tus: the disk is authoritative, the last byte creates the job."""

import asyncio
import base64
import errno
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from httpx2 import Response

from dashboards.app import _every
from dashboards.runtime import context
from dashboards.uploads import finish_upload
from storage.accounts import profiles
from storage.domain import names
from storage.domain.records import Job, Lane, Options
from storage.domain.scopes import Scope
from storage.files.upload_room import room_for
from storage.files.upload_store import ABANDONED_AFTER_S, ROOM_TO_SPARE_BYTES, Upload
from storage.jobs import job_store
from storage.ledger import audit
from storage.media import sandbox
from tests.dashboards.site import ORIGIN, Site

pytestmark = pytest.mark.shared_site

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
        return job_store.get(con, answer.headers["x-job-id"])


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


@pytest.mark.own_site
def test_what_is_still_to_come_of_other_uploads_is_not_promised_twice(
    signed_in: Site, free_bytes: Callable[[int], None]
) -> None:
    signed_in.settings.__dict__["web"] = signed_in.settings.web.model_copy(update={"upload_share": 1.0})
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


@pytest.mark.own_site
@pytest.mark.parametrize("declared", [True, False])
def test_a_form_that_will_not_fit_on_the_disk_is_refused(
    signed_in: Site, tone: Callable[..., bytes], free_bytes: Callable[[int], None], declared: bool
) -> None:
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + tone() + b"\r\n--x--\r\n"
    free_bytes(1000)
    headers = signed_in.operator | {"Content-Type": "multipart/form-data; boundary=x"}
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


@pytest.mark.own_site
def test_storage_that_takes_no_more_keeps_the_upload_for_another_try(
    signed_in: Site, tone: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    from storage.domain.errors import StorageFull

    def full(*_: Any, **__: Any) -> None:
        raise StorageFull("media", "No space left on device")

    data = tone()
    url = create(signed_in, len(data)).headers["location"]
    with monkeypatch.context() as broken:
        broken.setattr(context.files(), "put", full)
        assert send(signed_in, url, data).status_code == 507
    assert job_of(send(signed_in, url, b"", len(data))).media_bytes == len(data)


@pytest.mark.own_site
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


@pytest.fixture
def first_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that lets the next child process run a shell script instead, once."""

    def take(script: str) -> None:
        mark, path = tmp_path / "taken", tmp_path / "child"
        path.write_text(f'#!/bin/sh\nmkdir {mark} 2>/dev/null || exec {sys.executable} "$@"\n{script}\n')
        path.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(path))
        monkeypatch.setattr(sandbox, "fork", sandbox.start)

    return take


def test_an_upload_whose_probe_is_killed_stays_and_is_probed_again(
    signed_in: Site, tone: Callable[..., bytes], first_child: Callable[[str], None]
) -> None:
    data = tone()
    url = create(signed_in, len(data)).headers["location"]
    first_child("kill -KILL $$")
    answer = send(signed_in, url, data)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "decoder_killed")
    assert signed_in.client.head(url, headers=TUS).headers["upload-offset"] == str(len(data))
    assert job_of(send(signed_in, url, b"", len(data))).media_bytes == len(data)


def test_nothing_is_deleted_because_one_look_went_wrong(
    signed_in: Site, tone: Callable[..., bytes], first_child: Callable[[str], None]
) -> None:
    first_child("exit 1")
    assert job_of(upload(signed_in, tone())).name == "talk.wav"


def test_a_wav_without_samples_and_no_bytes_at_all_are_called_empty(
    signed_in: Site, tone: Callable[..., bytes]
) -> None:
    assert upload(signed_in, tone(0.0)).json()["error"]["code"] == "empty_upload"
    assert create(signed_in, 0).json()["error"]["code"] == "empty_upload"


def test_a_browser_reads_in_its_language_why_an_upload_was_refused(signed_in: Site, tone: Callable[..., bytes]) -> None:
    data = tone(0.0)
    url = create(signed_in, len(data)).headers["location"]
    german = BYTES | {"Upload-Offset": "0", "Accept-Language": "de"}
    refused = signed_in.client.patch(url, content=data, headers=german).json()["error"]
    assert refused["message"].startswith("talk.wav ist leer; prüfen Sie")


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
    signed_in.client.portal.call(finish_upload.resume)
    assert shelf.load(good.id).job_id


def test_landing_looks_again_whether_another_request_was_first(signed_in: Site, tone: Callable[..., bytes]) -> None:
    data = tone()
    url = create(signed_in, len(data)).headers["location"]
    seen = context.current().shelf.load(url.rsplit("/", 1)[-1])
    job = job_of(send(signed_in, url, data))
    assert signed_in.client.portal is not None
    assert signed_in.client.portal.call(finish_upload.land, replace(seen, name="late")).job_id == job.id
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


@pytest.mark.own_site
def test_an_upload_may_be_given_up(signed_in: Site) -> None:
    url = create(signed_in, 100).headers["location"]
    send(signed_in, url, b"x" * 50)
    assert signed_in.client.delete(url, headers=TUS).status_code == 204
    assert signed_in.client.head(url, headers=TUS).status_code == 404
    assert list(context.current().shelf.folder.iterdir()) == []


@pytest.mark.own_site
@pytest.mark.parametrize("ident", ["x", "0" * 31, "0" * 32])
def test_an_upload_that_is_not_there_is_not_found(signed_in: Site, ident: str) -> None:
    assert signed_in.client.head(f"/uploads/{ident}", headers=TUS).status_code == 404


def test_the_servers_capabilities_are_reported(signed_in: Site) -> None:
    told = signed_in.client.options("/uploads", headers=ORIGIN).headers
    assert told["tus-version"] == "1.0.0"
    assert set(told["tus-extension"].split(",")) >= {"creation", "termination", "concatenation"}
    assert told["tus-max-size"] == str(20 * 2**30)


def test_abandoned_uploads_are_swept_and_those_in_use_stay(signed_in: Site) -> None:
    old, new = (create(signed_in, 100).headers["location"] for _ in range(2))
    day_before = time.time() - ABANDONED_AFTER_S - 60
    for path in context.current().shelf.folder.glob(old.rsplit("/", 1)[-1] + ".*"):
        os.utime(path, (day_before, day_before))
    assert signed_in.client.post("/internal/v1/upkeep", headers=signed_in.operator).json()["uploads"] == 1
    assert signed_in.client.head(old, headers=TUS).status_code == 404
    assert signed_in.client.head(new, headers=TUS).status_code == 200


def test_what_killed_writers_left_on_storage_is_swept(signed_in: Site) -> None:
    context.files().write("media/aa/whole", b"x")
    left = context.files().path("media/aa/whole")
    assert left is not None
    left = left.rename(left.with_name(".part-left"))
    os.utime(left, (0, 0))
    assert signed_in.client.post("/internal/v1/upkeep", headers=signed_in.operator).json()["half_written"] == 1
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


@pytest.mark.own_site
def test_one_person_reserves_only_a_share_of_the_disk(signed_in: Site, free_bytes: Callable[[int], None]) -> None:
    free_bytes(80 << 20)
    made = [create(signed_in, 10 << 20).status_code for _ in range(8)]
    assert made == [201] * 4 + [507] * 4
    told = create(signed_in, 10 << 20).json()["error"]
    assert told["code"] == "room_reserved"
    assert "your open uploads reserve 40.0 MiB of 40.0 MiB; finish or delete them" in told["message"]
    assert "if nothing arrives for 24 h 0 min" in told["message"]

    bob = TUS | signed_in.key_of(signed_in.user("bob")) | {"Upload-Length": str(30 << 20)}
    signed_in.client.cookies.clear()
    signed_in.settings.__dict__["web"] = signed_in.settings.web.model_copy(update={"upload_share": 0.75})
    assert signed_in.client.post("/uploads", headers=bob).status_code == 201
    told = signed_in.client.post("/uploads", headers=bob | {"Upload-Length": str(11 << 20)}).json()["error"]
    assert "other people's open uploads reserve 40.0 MiB of 50.0 MiB; try again later" in told["message"]


@pytest.mark.own_site
def test_a_file_above_ones_share_says_which_setting(signed_in: Site, free_bytes: Callable[[int], None]) -> None:
    free_bytes(80 << 20)
    answer = create(signed_in, 50 << 20)
    assert answer.status_code == 507
    assert "may take 40.0 MiB of the free space" in answer.json()["error"]["message"]
    assert "TRANSCRIBER_UPLOAD_SHARE" in answer.json()["error"]["message"]


@pytest.mark.own_site
def test_what_is_to_come_counts_towards_the_quota(signed_in: Site) -> None:
    ada = signed_in.user()
    context.ledger().run(profiles.set_quota, ada.id, hours=None, size_bytes=3000, actor="system:test")
    assert create(signed_in, 2000).status_code == 201
    assert create(signed_in, 2000).status_code == 413
    assert create(signed_in, 1000).status_code == 201


@pytest.mark.own_site
def test_the_page_offers_what_one_person_may_still_send(signed_in: Site, free_bytes: Callable[[int], None]) -> None:
    shelf, ada = context.current().shelf, signed_in.user().id
    free_bytes(80 << 20)
    create(signed_in, 10 << 20)
    assert room_for(shelf, ada, share=0.5) == 30 << 20
    assert room_for(shelf, "somebody", share=0.5) == 40 << 20
    assert room_for(shelf, "somebody", share=1.0) == 70 << 20


@pytest.mark.own_site
def test_another_version_of_the_protocol_is_refused_with_ours(signed_in: Site, tone: Callable[..., bytes]) -> None:
    url = create(signed_in, len(tone())).headers["location"]
    for version in ({"Tus-Resumable": "0.2.2"}, {}):
        for method, path in (("POST", "/uploads"), ("HEAD", url), ("PATCH", url), ("DELETE", url)):
            headers = ORIGIN | version | {"Upload-Length": "10", "Upload-Offset": "0"}
            answer = signed_in.client.request(method, path, headers=headers)
            assert (answer.status_code, answer.headers["tus-version"]) == (412, "1.0.0"), (method, version)
    assert signed_in.client.head(url, headers=TUS).headers["upload-offset"] == "0"


@pytest.mark.own_site
def test_the_length_may_come_later(signed_in: Site, tone: Callable[..., bytes]) -> None:
    data = tone()
    told = metadata(filename="live.wav")
    defer = TUS | {"Upload-Defer-Length": "1", "Upload-Metadata": told}
    url = signed_in.client.post("/uploads", headers=defer).headers["location"]
    assert send(signed_in, url, data[:1000]).status_code == 204
    found = signed_in.client.head(url, headers=TUS).headers
    assert (found["upload-offset"], found["upload-defer-length"]) == ("1000", "1")
    assert (found.get("upload-length"), found["upload-metadata"]) == (None, told)
    at = BYTES | {"Upload-Offset": "1000"}
    less = signed_in.client.patch(url, content=b"", headers=at | {"Upload-Length": "999"})
    assert less.status_code == 400
    whole = str(len(data))
    assert signed_in.client.patch(url, content=b"", headers=at | {"Upload-Length": whole}).status_code == 204
    other = signed_in.client.patch(url, content=b"", headers=at | {"Upload-Length": "2000"})
    assert (other.status_code, "stays so" in other.text) == (400, True)
    assert job_of(send(signed_in, url, data[1000:], 1000)).media_sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("value", ["\xff\xff", "_w", "a", "/w=="])
def test_metadata_that_is_no_text_in_base64_is_refused(signed_in: Site, value: str) -> None:
    told = TUS | {"Upload-Length": "5", "Upload-Metadata": f"filename {value}"}
    headers = {name.encode(): text.encode("latin-1") for name, text in told.items()}
    answer = signed_in.client.post("/uploads", headers=headers)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "Upload-Metadata")


@pytest.mark.parametrize("headers", [{"Upload-Defer-Length": "2"}, {"Upload-Defer-Length": "1", "Upload-Length": "5"}])
def test_a_length_is_either_known_or_deferred(signed_in: Site, headers: dict[str, str]) -> None:
    assert signed_in.client.post("/uploads", headers=TUS | headers).status_code == 400


@pytest.mark.own_site
def test_deferring_the_length_does_not_take_more_room(signed_in: Site, free_bytes: Callable[[int], None]) -> None:
    url = signed_in.client.post("/uploads", headers=TUS | {"Upload-Defer-Length": "1"}).headers["location"]
    free_bytes(1000)
    assert send(signed_in, url, b"x" * 501).status_code == 413
    longer = BYTES | {"Upload-Offset": "0", "Upload-Length": "600"}
    assert signed_in.client.patch(url, content=b"", headers=longer).status_code == 507


@pytest.mark.own_site
def test_open_uploads_say_when_they_expire(signed_in: Site, tone: Callable[..., bytes]) -> None:
    made = create(signed_in, len(tone()))
    url = made.headers["location"]
    for answer in (made, send(signed_in, url, tone()[:10]), signed_in.client.head(url, headers=TUS)):
        expires_s = parsedate_to_datetime(answer.headers["upload-expires"]).timestamp()
        assert abs(expires_s - time.time() - ABANDONED_AFTER_S) < 600
    done = send(signed_in, url, tone()[10:], 10)
    assert (done.status_code, "upload-expires" in done.headers) == (204, False)


def test_a_client_may_name_the_method_in_a_header(signed_in: Site, tone: Callable[..., bytes]) -> None:
    data = tone()
    url = create(signed_in, len(data)).headers["location"]
    by = {name: {"X-HTTP-Method-Override": name} for name in ("PATCH", "HEAD", "DELETE", "PUT")}
    sent = signed_in.client.post(url, content=data[:9], headers=BYTES | {"Upload-Offset": "0"} | by["PATCH"])
    assert sent.headers["upload-offset"] == "9"
    assert signed_in.client.post(url, headers=TUS | by["HEAD"]).headers["upload-length"] == str(len(data))
    refused = signed_in.client.post(url, headers=TUS | by["PUT"])
    assert (refused.status_code, refused.headers["allow"]) == (405, "DELETE, HEAD, OPTIONS, PATCH")
    writer = signed_in.key_of(signed_in.user(), scopes=(Scope.WRITE,))
    assert signed_in.client.post(url, headers=TUS | writer | by["DELETE"]).status_code == 403
    assert signed_in.client.post(url, headers=TUS | by["DELETE"]).status_code == 204
    gone = signed_in.client.head(url, headers=TUS)
    assert (gone.status_code, gone.headers["tus-resumable"]) == (404, "1.0.0")


def test_what_the_server_can_do_needs_no_login(site: Site) -> None:
    for path in ("/uploads", f"/uploads/{'0' * 32}"):
        answer = site.client.options(path)
        assert (answer.status_code, answer.headers["tus-version"]) == (204, "1.0.0")
        for extension in ("creation-defer-length", "expiration"):
            assert extension in answer.headers["tus-extension"].split(",")


@pytest.mark.own_site
def test_a_whole_names_its_parts_and_takes_no_bytes(signed_in: Site, tone: Callable[..., bytes]) -> None:
    data = tone()
    parts = [create(signed_in, len(piece), concat="partial").headers["location"] for piece in (data[:99], data[99:])]
    for url, piece in zip(parts, (data[:99], data[99:]), strict=True):
        send(signed_in, url, piece)
    whole = TUS | {"Upload-Concat": f"final;{' '.join(parts)}", "Upload-Metadata": metadata(filename="a.wav")}
    url = signed_in.client.post("/uploads", headers=whole).headers["location"]
    assert signed_in.client.head(url, headers=TUS).headers["upload-concat"] == f"final;{' '.join(parts)}"
    assert send(signed_in, url, b"x", len(data)).status_code == 403


@pytest.fixture
def samples() -> bytes:
    """A second of A-law at 8 kHz, whose bytes could be anything."""
    return bytes(0x55 ^ (number % 89) for number in range(8000))


def test_a_recording_without_a_header_is_taken_as_described(signed_in: Site, samples: bytes) -> None:
    asked = upload(signed_in, samples, filename="call.alaw")
    assert (asked.status_code, asked.json()["error"]["code"]) == (415, "header_missing")
    described = {"filename": "call.alaw", "input_format": "alaw", "sample_rate": "8000", "input_channels": ""}
    answer = upload(signed_in, samples, **described)
    assert (answer.status_code, answer.headers["upload-offset"]) == (204, "8000"), answer.text
    job = job_of(answer)
    stored = context.files().read(names.media_name(job.media_sha256))
    assert (job.name, job.media_bytes, job.duration_s) == ("call.wav", len(stored), 1.0)
    assert (stored[:4], stored[-8000:]) == (b"RIFF", samples)


def test_a_header_is_given_once_however_often_it_is_tried(
    signed_in: Site, samples: bytes, first_child: Callable[[str], None]
) -> None:
    first_child("kill -9 $$")
    described = {"filename": "call.alaw", "input_format": "alaw", "sample_rate": "8000"}
    made = create(signed_in, len(samples), **described)
    url = made.headers["location"]
    assert send(signed_in, url, samples).status_code == 503
    looked = signed_in.client.head(url, headers=TUS)
    assert looked.headers["upload-offset"] == "8000"
    answer = send(signed_in, url, b"", offset=8000)
    stored = context.files().read(names.media_name(job_of(answer).media_sha256))
    assert (stored.count(b"RIFF"), stored[-8000:]) == (1, samples)


@pytest.mark.parametrize(
    ("described", "field"),
    [
        ({"input_format": "mp3"}, "input_format"),
        ({"input_format": "alaw", "sample_rate": "fast"}, "sample_rate"),
        ({"sample_rate": "8000"}, "sample_rate"),
    ],
)
def test_a_description_that_cannot_be_is_refused_before_a_byte(
    signed_in: Site, described: dict[str, str], field: str
) -> None:
    answer = create(signed_in, 8000, **described)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)


def begin(site: Site, key: str, length: int, *, content: bytes | None = None, **values: str) -> Response:
    headers = (TUS if content is None else BYTES) | {"Upload-Length": str(length), "Idempotency-Key": key}
    told = metadata(**({"filename": "talk.wav"} | values))
    return site.client.post("/uploads", content=content, headers=headers | {"Upload-Metadata": told})


@pytest.mark.own_site
def test_a_repeated_creation_finds_the_upload_and_its_job(signed_in: Site, tone: Callable[..., bytes]) -> None:
    data = tone()
    first = begin(signed_in, "monday", len(data))
    send(signed_in, first.headers["location"], data[:1000])
    again = begin(signed_in, "monday", len(data), filename="other.wav")
    assert (again.status_code, again.headers["location"]) == (201, first.headers["location"])
    assert again.headers["upload-offset"] == "1000"
    done = send(signed_in, first.headers["location"], data[1000:], 1000)
    late = begin(signed_in, "monday", len(data), content=data)
    assert late.headers["x-job-id"] == done.headers["x-job-id"]
    with context.ledger().read() as con:
        assert len(job_store.page(con)) == 1
    other = begin(signed_in, "monday", len(data), options='{"language": "de"}')
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")


def test_an_idempotency_key_is_one_for_forms_and_uploads(signed_in: Site, tone: Callable[..., bytes]) -> None:
    data, key = tone(), {"Idempotency-Key": "tuesday"}
    form = signed_in.client.post("/api/v1/jobs", files={"file": ("a.wav", data)}, headers=ORIGIN | key)
    sent = begin(signed_in, "tuesday", len(data), content=data)
    assert sent.headers["x-job-id"] == form.json()["id"]


def test_a_refused_upload_may_be_sent_again_with_its_key(signed_in: Site, tone: Callable[..., bytes]) -> None:
    refused = begin(signed_in, "wednesday", 5, content=b"words")
    assert refused.status_code == 415
    assert begin(signed_in, "wednesday", len(tone()), content=tone()).headers["x-job-id"]
