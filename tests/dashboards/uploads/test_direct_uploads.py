"""Recordings that clients send straight to the bucket, of an S3 service that checks signatures."""

import hashlib
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx2 import Response

from dashboards.runtime import context
from dashboards.uploads import finish_upload
from storage.domain import names
from storage.domain.clock import utc_now
from storage.domain.errors import StorageUnreachable
from storage.domain.records import Job, Lane
from storage.domain.scopes import Scope
from storage.domain.settings import StorageSettings
from storage.files.direct_parts import DirectParts
from storage.files.upload_store import Upload
from storage.jobs import job_store
from tests.dashboards.conftest import seeded_settings
from tests.dashboards.site import ORIGIN, Site, running
from tests.processes import end
from tests.storage.files.test_s3_bucket import KEYS, free_port, rclone, wait_for

PART_BYTES = 5 << 20  # the least that S3 takes


@pytest.fixture(scope="module")
def in_bucket(tmp_path_factory: pytest.TempPathFactory, seeded: Path) -> Iterator[Site]:
    """An app whose storage is a bucket, and whose clients may send recordings there."""
    folder, port = tmp_path_factory.mktemp("direct"), free_port()
    service = subprocess.Popen(rclone(port, folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url, settings = f"http://127.0.0.1:{port}", seeded_settings(folder, seeded)
    storage: dict[str, Any] = {"data_dir": settings.storage.data_dir, "direct_uploads": True}
    storage |= {"storage_url": "s3://store/speech", "storage_endpoint_url": url}
    settings.__dict__["storage"] = StorageSettings(**storage, _env_file=None)
    try:
        wait_for(url, service)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in KEYS.items():
                patch.setenv(name, value)
            with running(settings) as site:
                context.current().direct_parts = DirectParts("s3://store/speech", url, smallest_part_bytes=PART_BYTES)
                yield site
    finally:
        end(service)


@pytest.fixture
def ada(in_bucket: Site) -> Site:
    in_bucket.client.cookies.clear()
    in_bucket.sign_in("ada")
    return in_bucket


def begin(site: Site, data: bytes, *, key: str | None = None, **asked: Any) -> Response:
    body = {"name": "talk.wav", "size_bytes": len(data)} | asked
    return site.client.post("/uploads/direct", json=body, headers=ORIGIN | ({"Idempotency-Key": key} if key else {}))


def ask(site: Site, begun: Response, what: str, **body: Any) -> Response:
    return site.client.post(f"/uploads/direct/{begun.json()['id']}/{what}", json=body, headers=ORIGIN)


def look(site: Site, begun: Response) -> dict[str, Any]:
    answer = site.client.get(f"/uploads/direct/{begun.json()['id']}", headers=ORIGIN)
    return dict(answer.json())


def send(site: Site, begun: Response, data: bytes, *numbers: int) -> None:
    """Send parts as a client does: by the addresses alone, without a login."""
    urls = ask(site, begun, "parts", numbers=numbers).json()["urls"]
    for number in numbers:
        piece = data[PART_BYTES * (number - 1) : PART_BYTES * number]
        assert httpx.put(urls[str(number)], content=piece, trust_env=False).status_code == 200


def job_of(answer: Response) -> Job:
    with context.ledger().read() as con:
        return job_store.get(con, answer.json()["job_id"])


def left_of(begun: Response) -> tuple[bool, bool]:
    """Return whether the bucket and the disk still have something of the upload."""
    ident, holder = begun.json()["id"], context.current()
    return holder.files.exists(names.incoming_name(ident)), holder.shelf.data(ident).exists()


def test_a_recording_in_parts_becomes_a_job_after_a_reload(ada: Site, tone: Callable[..., bytes]) -> None:
    data = tone(190)
    about = {
        "options": {"language": "de"},
        "lane": "batch",
        "tags": "court",
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    begun = begin(ada, data, key="of-the-page", **about)
    assert (begun.status_code, begun.json()["parts"], begun.json()["arrived"]) == (201, 2, [])
    send(ada, begun, data, 2)
    assert ask(ada, begun, "complete").json()["error"]["code"] == "parts_missing"

    again = begin(ada, data, key="of-the-page", **about)
    assert (again.json()["id"], again.json()["arrived"]) == (begun.json()["id"], [2])
    send(ada, begun, data, 1)
    answers = [ask(ada, begun, "complete") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    job = job_of(answers[1])
    assert (job.name, job.media_sha256, job.media_bytes) == ("talk.wav", about["sha256"], len(data))
    assert (job.options.language, job.lane, job.tags, job.owner_id) == ("de", Lane.BATCH, ("court",), ada.user().id)
    assert context.files().read(names.media_name(job.media_sha256)) == data
    assert left_of(begun) == (False, False)
    assert (look(ada, begun)["job_id"], look(ada, begun)["arrived"]) == (job.id, [1, 2])


def test_a_completion_twice_at_once_makes_one_job(
    ada: Site, tone: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, arrived = tone(1.25), DirectParts.arrived
    begun = begin(ada, data)
    send(ada, begun, data, 1)

    def slowly(self: DirectParts, upload: Upload) -> dict[int, str]:
        found = arrived(self, upload)
        time.sleep(0.2)
        return found

    monkeypatch.setattr(DirectParts, "arrived", slowly)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: ask(ada, begun, "complete"), range(2)))
    assert [answer.status_code for answer in answers] == [201, 201]
    assert job_of(answers[0]) == job_of(answers[1])


def test_what_is_no_recording_is_refused_and_deleted(ada: Site) -> None:
    begun = begin(ada, b"not a sound")
    send(ada, begun, b"not a sound", 1)
    for _ in range(2):
        answer = ask(ada, begun, "complete")
        assert (answer.status_code, answer.json()["error"]["code"]) == (415, "audio_unreadable")
    assert look(ada, begun)["error"]["code"] == "audio_unreadable"
    assert left_of(begun) == (False, False)


def test_other_bytes_than_announced_are_refused(ada: Site, tone: Callable[..., bytes]) -> None:
    data = tone(1)
    begun = begin(ada, data, sha256="0" * 64)
    send(ada, begun, data, 1)
    answer = ask(ada, begun, "complete")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "checksum_differs")


def test_the_bucket_takes_no_part_of_another_size(ada: Site, tone: Callable[..., bytes]) -> None:
    data = tone(1)
    begun = begin(ada, data)
    url = ask(ada, begun, "parts", numbers=[1]).json()["urls"]["1"]
    assert httpx.put(url, content=data + b"x", trust_env=False).status_code == 403
    assert ask(ada, begun, "parts", numbers=[2]).status_code == 400


def test_rights_and_limits_are_those_of_all_uploads(in_bucket: Site, tone: Callable[..., bytes]) -> None:
    data, ada, rex = tone(1), in_bucket.user("ada"), in_bucket.user("rex")
    in_bucket.client.cookies.clear()

    def status(headers: dict[str, str], **asked: Any) -> int:
        body = {"name": "a.wav", "size_bytes": len(data)} | asked
        return in_bucket.client.post("/uploads/direct", json=body, headers=headers).status_code

    assert status({}) == 401
    assert status(in_bucket.key_of(rex)) == 403
    assert status(in_bucket.key_of(ada, scopes=(Scope.READ,))) == 403
    key = in_bucket.key_of(ada, scopes=(Scope.WRITE,))
    assert status(key, lane="batch") == 403
    assert status(key, size_bytes=0) == 400
    assert status(key, size_bytes=10**15) == 413
    assert status(key, size_bytes="many") == 400
    assert status(key) == 201


def test_only_the_owner_goes_on_with_an_upload(ada: Site, tone: Callable[..., bytes]) -> None:
    begun = begin(ada, tone(1))
    assert (
        ada.client.patch(f"/uploads/{begun.json()['id']}", headers=ORIGIN | {"Tus-Resumable": "1.0.0"}).status_code
        == 404
    )
    ada.sign_in("bob")
    url = f"/uploads/direct/{begun.json()['id']}"
    assert ada.client.get(url, headers=ORIGIN).status_code == 404
    assert ask(ada, begun, "parts", numbers=[1]).status_code == 404
    assert ask(ada, begun, "complete").status_code == 404
    assert ada.client.delete(url, headers=ORIGIN).status_code == 404


def test_its_key_begins_no_upload_through_the_server(ada: Site, tone: Callable[..., bytes]) -> None:
    data = tone(1)
    begin(ada, data, key="one-of-both")
    tus = ORIGIN | {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(data)), "Idempotency-Key": "one-of-both"}
    assert ada.client.post("/uploads", headers=tus).json()["error"]["code"] == "idempotency_key_reused"


def begun_in_bucket() -> list[str]:
    """Return the uploads whose parts the bucket waits for."""
    direct = context.current().direct_parts
    assert direct is not None
    return [ident for ident, _ in direct.begun(utc_now() + timedelta(minutes=1))]


def test_a_creation_twice_at_once_begins_one_upload(ada: Site, tone: Callable[..., bytes]) -> None:
    data, before = tone(1), begun_in_bucket()
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: begin(ada, data, key="twice-at-once"), range(2)))
    assert {each.status_code for each in answers} <= {200, 201}
    ident = {each.json()["id"] for each in answers}
    assert sorted(begun_in_bucket()) == sorted([*before, *ident])


def test_a_key_twice_at_once_begins_no_other_recording(ada: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    begin_in_bucket = DirectParts.begin

    def begin_after_another(self: DirectParts, *about: Any) -> Any:
        monkeypatch.setattr(DirectParts, "begin", begin_in_bucket)
        assert begin(ada, b"one", key="of-two").status_code == 201
        return begin_in_bucket(self, *about)

    monkeypatch.setattr(DirectParts, "begin", begin_after_another)
    assert begin(ada, b"another", key="of-two").json()["error"]["code"] == "idempotency_key_reused"


def test_without_room_nothing_stays_begun_in_the_bucket(
    ada: Site, tone: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = begun_in_bucket()
    small = context.settings().web.model_copy(update={"upload_share": 1e-9})
    monkeypatch.setitem(context.settings().__dict__, "web", small)
    assert begin(ada, tone(1)).status_code == 507
    assert begun_in_bucket() == before


def test_an_abandoned_upload_leaves_nothing(ada: Site, tone: Callable[..., bytes]) -> None:
    data = tone(1)
    begun = begin(ada, data)
    url = ask(ada, begun, "parts", numbers=[1]).json()["urls"]["1"]
    assert ada.client.delete(f"/uploads/direct/{begun.json()['id']}", headers=ORIGIN).status_code == 204
    assert httpx.put(url, content=data, trust_env=False).status_code == 404
    assert ada.client.get(f"/uploads/direct/{begun.json()['id']}", headers=ORIGIN).status_code == 404


async def test_a_restart_makes_the_job_of_what_was_complete(
    ada: Site, tone: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tone(2)
    begun = begin(ada, data)
    send(ada, begun, data, 1)

    def away(*_: object) -> None:
        raise StorageUnreachable("incoming", "503 Slow Down")

    with monkeypatch.context() as patch:
        patch.setattr(DirectParts, "fetch", away)
        assert ask(ada, begun, "complete").status_code == 503
    with monkeypatch.context() as patch:
        patch.setattr(context.current(), "direct_parts", None)
        await finish_upload.resume()  # storage is another place meanwhile: nothing is refused
    await finish_upload.resume()
    assert job_of(ask(ada, begun, "complete")).media_bytes == len(data)


async def test_switched_off_what_was_begun_is_finished_or_deleted(
    ada: Site, tone: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, direct = tone(3), context.current().direct_parts
    assert direct is not None
    whole, half = begin(ada, data), begin(ada, data)
    send(ada, whole, data, 1)
    direct.complete(context.current().shelf.load(whole.json()["id"]))
    context.current().shelf.note_complete(whole.json()["id"])

    monkeypatch.setattr(direct, "offered", False)
    assert [begin(ada, data).status_code, ask(ada, half, "parts", numbers=[1]).status_code] == [404, 404]
    await finish_upload.resume()
    assert job_of(ask(ada, whole, "complete")).media_bytes == len(data)
    context.current().shelf.remove(half.json()["id"])  # a day later
    direct.sweep(context.current().shelf.is_open, older_than=timedelta(minutes=-1))
    assert half.json()["id"] not in begun_in_bucket()


def test_it_is_off_by_default(site: Site, tone: Callable[..., bytes]) -> None:
    site.sign_in("ada")
    answer = begin(site, tone(1))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "direct_uploads_off")
