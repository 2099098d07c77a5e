"""`/api/v1/s3-events`: what buckets announce is transcribed once."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from dashboards.runtime.limits import Limits
from storage.domain.scopes import Scope
from storage.domain.settings import WebSettings
from tests.conftest import PLAIN
from tests.dashboards.conftest import seeded_settings
from tests.dashboards.site import TOKEN, Site, running
from tests.flows.conftest import free_port
from tests.processes import end
from tests.waiting import PATIENCE_S, until

LIMITS = Limits(download_pauses_s=(), download_look_every_s=0.05, batch_pause_s=0.02)


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """An S3 service with the buckets `archive` and `private`; its address."""
    port = free_port()
    moto = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    service, url = (
        subprocess.Popen(moto, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL),
        f"http://127.0.0.1:{port}",
    )
    try:
        until(lambda: _made(url, "archive"))
        assert _made(url, "private")
        yield url
    finally:
        end(service)


def _made(url: str, bucket: str) -> bool:
    try:
        return httpx.put(f"{url}/{bucket}", verify=PLAIN, timeout=PATIENCE_S).is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, seeded: Path, s3: str) -> Iterator[Site]:
    """One app for all tests: each announces objects of its own."""
    settings = seeded_settings(tmp_path_factory.mktemp("site"), seeded)
    web = WebSettings(worker_token=SecretStr(TOKEN), batch_sources="ada=s3://archive", _env_file=None)
    storage = settings.storage.model_copy(update={"storage_endpoint_url": s3})
    settings.__dict__.update(web=web, storage=storage)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("AWS_ACCESS_KEY_ID", "access"), ("AWS_SECRET_ACCESS_KEY", "secret")):
            patch.setenv(name, value)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        with running(settings, LIMITS) as started:
            yield started


def record(key: str, *, event: str = "s3:ObjectCreated:Put", bucket: str = "archive", **more: Any) -> dict[str, Any]:
    """Return a record as MinIO sends it."""
    told = {"key": key, "size": 16_044, "eTag": "5d41402abc4b2a76b9719d911017c592", "sequencer": "18A2"} | more
    about = {"s3SchemaVersion": "1.0", "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"}, "object": told}
    return {"eventVersion": "2.0", "eventSource": "minio:s3", "eventName": event, "s3": about}


def tell(site: Site, message: object, status: int = 202, path: str = "", name: str = "ada") -> dict[str, Any]:
    headers = site.key_of(site.user(name))
    answer = site.client.post(f"/api/v1/s3-events{path}", headers=headers, json=message)
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    return told


def jobs_of(site: Site, batch_id: str) -> list[dict[str, Any]]:
    """Wait until a batch has got everything; return its recordings."""
    headers = site.key_of(site.user("ada"))
    until = time.monotonic() + PATIENCE_S
    while True:
        items = site.client.get(f"/api/v1/batches/{batch_id}/items", headers=headers).json()["items"]
        if not [one for one in items if one["state"] in {"waiting", "downloading"}]:
            return list(items)
        assert time.monotonic() < until, items
        time.sleep(0.05)


def test_an_object_that_is_announced_becomes_a_job_once(site: Site, s3: str, tone: Callable[..., bytes]) -> None:
    httpx.put(f"{s3}/archive/a%20b/t%C3%B6ne%2B1.wav", content=tone(0.5), verify=PLAIN).raise_for_status()
    message = {"EventName": "s3:ObjectCreated:Put", "Key": "archive/a b", "Records": [record("a+b/t%C3%B6ne%2B1.wav")]}

    first = tell(site, message, path="?language=de")
    assert first["objects"] == 1
    (item,) = jobs_of(site, first["batch_id"])
    assert item["source"] == "s3://archive/a b/töne+1.wav"
    job = site.client.get(f"/api/v1/jobs/{item['job_id']}", headers=site.key_of(site.user("ada"))).json()
    assert (job["name"], job["lane"], job["options"]["language"]) == ("töne+1.wav", "batch", "de")

    assert tell(site, message, path="?language=de") == first  # as it comes when our answer was lost
    changed = {"Records": [record("a+b/t%C3%B6ne%2B1.wav", eTag="9b74c9897bac770ffc029102a200c5de")]}
    assert tell(site, changed, path="?language=de")["batch_id"] != first["batch_id"]


def test_keys_with_double_slashes_are_got_and_folders_are_left_aside(
    site: Site, s3: str, tone: Callable[..., bytes]
) -> None:
    for key, content in (("odd//a.wav", tone(0.5, 700.0)), ("odd/marked/", b""), ("odd/folder/", tone(0.5, 800.0))):
        httpx.put(f"{s3}/archive/{key}", content=content, verify=PLAIN).raise_for_status()
    (item,) = jobs_of(site, tell(site, {"Records": [record("odd//a.wav")]})["batch_id"])
    assert item["job_id"], item

    order = {"items": [{"path": "s3://archive/odd/"}], "recursive": True}
    made = site.client.post("/api/v1/batches", headers=site.key_of(site.user("ada")), json=order).json()
    items = {one["source"]: one for one in jobs_of(site, made["id"])}
    assert list(items) == ["s3://archive/odd//a.wav", "s3://archive/odd/folder/"]
    assert items["s3://archive/odd//a.wav"]["job_id"]
    assert "ends with a slash" in items["s3://archive/odd/folder/"]["error"]["message"]


def test_eventbridge_is_understood_too(site: Site, s3: str, tone: Callable[..., bytes]) -> None:
    httpx.put(f"{s3}/archive/plain+key.wav", content=tone(0.5, 500.0), verify=PLAIN).raise_for_status()
    detail = {"bucket": {"name": "archive"}, "object": {"key": "plain+key.wav", "size": 16_044, "etag": "1"}}

    told = tell(site, {"detail-type": "Object Created", "source": "aws.s3", "detail": detail})
    (item,) = jobs_of(site, told["batch_id"])
    assert item["source"] == "s3://archive/plain+key.wav"
    assert item["job_id"]


@pytest.mark.parametrize(
    "message",
    [
        {"Records": []},
        {"Records": [record("gone.wav", event="s3:ObjectRemoved:Delete")]},
        {"Records": [record("folder/")]},
        {"Records": [record("empty.wav", size=0)]},
        {"Event": "s3:TestEvent", "Bucket": "archive"},
        {"detail-type": "Object Deleted", "detail": {"bucket": {"name": "archive"}, "object": {"key": "a.wav"}}},
    ],
    ids=json.dumps,
)
def test_what_is_no_new_recording_is_left_aside(site: Site, message: dict[str, Any]) -> None:
    assert tell(site, message) == {"batch_id": None, "objects": 0}


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ({}, 400),
        ({"Records": [{"eventName": "s3:ObjectCreated:Put"}]}, 400),
        ({"Records": [record("a.wav", bucket="../private")]}, 400),
        ({"Records": [record("a.wav", bucket="private")]}, 403),  # nobody listed it
        ({"Records": [record("%2e%2e/private/a.wav")]}, 403),
        ({"Records": [record("a.wav")] * 1001}, 400),
        (["Records"], 400),
    ],
)
def test_other_messages_are_refused_with_a_reason(site: Site, message: object, status: int) -> None:
    assert tell(site, message, status)["detail"]


def test_a_body_that_is_no_json_is_said_to_be_none(site: Site) -> None:
    headers = site.key_of(site.user("ada")) | {"Content-Type": "application/json"}
    told = site.client.post("/api/v1/s3-events", headers=headers, content=b'{"Records": [}').json()
    assert (told["status"], told["param"]) == (400, "body")
    assert told["detail"] == "body: it is no JSON: Expecting value at character 13"


def test_the_key_needs_the_scope_batch(site: Site) -> None:
    headers = site.key_of(site.user("ada"), scopes=[Scope.READ, Scope.WRITE])
    answer = site.client.post("/api/v1/s3-events", headers=headers, json={"Records": [record("a.wav")]})
    assert answer.status_code == 403, answer.text
