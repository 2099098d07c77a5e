"""Bodies are bounded while they stream, by route."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from dashboards.http import body_limits
from dashboards.http.body_limits import MIB, BodyLimit, _Body, limit_of
from tests.dashboards.site import ORIGIN, Site

pytestmark = pytest.mark.shared_site

JSON = {"Content-Type": "application/json"}


def stream(size_bytes: int) -> Iterator[bytes]:
    """Yield a JSON body that announces no length."""
    yield b'{"name": "'
    for _ in range(size_bytes >> 16):
        yield b"x" * (1 << 16)
    yield b'"}'


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize(("method", "path"), [("PUT", "/api/v1/vocabulary"), ("POST", "/api/v1/jobs/x/notes")])
def test_json_is_bounded_whatever_it_announces(site: Site, method: str, path: str, declared: bool) -> None:
    content: Any = b"".join(stream(2 * MIB)) if declared else stream(2 * MIB)
    answer = site.client.request(method, path, content=content, headers=site.key_of(site.user("rex")) | JSON)
    assert answer.status_code == 413, answer.text
    assert "at most 1 MiB" in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/uploads/again", "/uploads/direct", "/uploads/direct/x/parts"])
def test_json_about_a_recording_is_bounded_as_other_json(site: Site, path: str) -> None:
    assert limit_of("POST", path).size_bytes == MIB
    content = b"".join(stream(2 * MIB))
    answer = site.client.post(path, content=content, headers=site.key_of(site.user("ada")) | JSON)
    assert answer.status_code == 413, answer.text


def test_a_workers_report_is_bounded(site: Site) -> None:
    answer = site.client.post("/internal/v1/reports", content=stream(17 * MIB), headers=site.worker | JSON)
    assert answer.status_code == 413
    assert "at most 16 MiB" in answer.json()["error"]["message"]


def test_a_body_before_the_login_is_bounded(site: Site) -> None:
    answer = site.client.post("/auth/session", content=stream(MIB), headers=ORIGIN | JSON)
    assert answer.status_code == 413


@pytest.mark.parametrize("nest", ["[", '{"a":'])
def test_deep_json_before_the_login_is_a_bad_request(site: Site, nest: str) -> None:
    answer = site.client.post("/auth/session", content=nest * 3000, headers=ORIGIN | JSON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


@pytest.mark.parametrize("path", ["/api/v1/vocabulary", "/api/v1/preferences"])
def test_deep_json_after_the_login_is_a_bad_request(site: Site, path: str) -> None:
    answer = site.client.put(path, content="[" * 200_000, headers=site.key_of(site.user()) | JSON)
    assert answer.status_code in {400, 404, 405, 422}


def test_recordings_have_a_limit_of_their_own(site: Site) -> None:
    most = site.settings.web.max_upload_bytes
    for method, path in (("PATCH", "/uploads/1"), ("POST", "/v1/audio/transcriptions"), ("POST", "/api/v1/jobs")):
        assert limit_of(method, path).size_bytes >= most
    assert limit_of("PUT", "/api/v1/jobs/1/transcript").size_bytes == body_limits.EDIT_BYTES
    assert limit_of("POST", "/api/v1/jobs/batch").size_bytes == MIB


async def test_a_body_that_stops_is_given_up() -> None:
    async def silent() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    body = _Body(silent, BodyLimit(size_bytes=10, whole_s=None, pause_s=0.01))
    with pytest.raises(HTTPException) as caught:
        await body.receive()
    assert caught.value.status_code == 408


async def test_a_body_that_trickles_is_given_up() -> None:
    async def trickle() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    body = _Body(trickle, BodyLimit(size_bytes=10**6, whole_s=0.1))

    async def whole() -> None:
        while True:
            await body.receive()

    with pytest.raises(HTTPException) as caught:
        await whole()
    assert caught.value.status_code == 408
    assert 0 < body.size_bytes <= 10


async def test_after_the_body_the_client_may_stay_as_long_as_it_likes() -> None:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"x" * 10, "more_body": False},
        {"type": "http.disconnect"},
    ]

    async def source() -> dict[str, Any]:
        await asyncio.sleep(0.05 * (len(messages) == 1))
        return messages.pop(0)

    body = _Body(source, BodyLimit(size_bytes=10, whole_s=0.02, pause_s=0.02))
    assert (await body.receive())["body"] == b"x" * 10
    assert json.dumps(await body.receive()) == '{"type": "http.disconnect"}'
