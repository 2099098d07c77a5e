"""`POST /api/v1/jobs` with an address: bounded, resumed, and never from inside the network."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from dashboards.runtime import context
from dashboards.runtime.limits import Limits
from dashboards.services.url_download import AT_ONCE_EACH
from storage.accounts import profiles, users
from storage.domain import names
from storage.domain.network.outgoing_targets import OutgoingSettings
from storage.domain.settings import Settings
from storage.jobs import job_store
from tests.dashboards.receiver import Receiver, receiving
from tests.dashboards.site import TOKEN, Site, running
from tests.waiting import PATIENCE_S

LIMITS = Limits(download_pauses_s=(0.05, 0.05), download_look_every_s=0.05)
HALF = 20_000


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def reaching(settings: Settings) -> Settings:
    settings.__dict__["outgoing"] = OutgoingSettings(outgoing_allowed="127.0.0.1", _env_file=None)
    return settings


@pytest.fixture
def site(reaching: Settings) -> Iterator[Site]:
    with running(reaching, LIMITS) as started:
        yield started


def serve(handler: BaseHTTPRequestHandler, body: bytes, *, upto: int | None = None, tag: str = '"one"') -> None:
    """Answer as a server with ranges does; `upto` breaks the connection there."""
    begin, asked = 0, handler.headers.get("Range", "")
    if asked and handler.headers.get("If-Range") == tag:
        begin = int(asked.removeprefix("bytes=").partition("-")[0])
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
    else:
        handler.send_response(200)
    handler.send_header("ETag", tag)
    handler.send_header("Content-Length", str(len(body) - begin))
    handler.end_headers()
    handler.wfile.write(body[begin:upto])


def order(site: Site, url: str, status: int = 202, name: str = "ada", **asked: Any) -> dict[str, Any]:
    headers = site.key_of(site.user(name)) | asked.pop("headers", {})
    answer = site.client.post("/api/v1/jobs", headers=headers, json={"url": url} | asked)
    assert answer.status_code == status, answer.text
    made: dict[str, Any] = answer.json()
    if status == 202:
        assert answer.headers["location"] == f"/api/v1/downloads/{made['id']}"
    return made


def ended(site: Site, ident: str) -> dict[str, Any]:
    """Wait for the end of a download."""
    key, until = site.key_of(site.user()), time.monotonic() + PATIENCE_S
    while True:
        told: dict[str, Any] = site.client.get(f"/api/v1/downloads/{ident}", headers=key).json()
        if told["state"] in {"completed", "failed"}:
            return told
        assert time.monotonic() < until, told
        time.sleep(0.02)


def stored(job_id: str) -> bytes:
    with context.ledger().read() as con:
        return context.files().read(names.media_name(job_store.get(con, job_id).media_sha256))


def test_a_recording_is_downloaded_and_becomes_a_job(
    site: Site, receiver: Receiver, tone: Callable[..., bytes]
) -> None:
    body = tone()
    receiver.gets = lambda handler: serve(handler, body)
    about: dict[str, Any] = {"tags": "court, 2026", "metadata": {"case": "17"}}
    made = order(site, f"{receiver.url}/a/talk%20one.wav?x=1", options={"language": "en"}, **about)
    told = ended(site, made["id"])
    assert (told["state"], told["name"], told["error"]) == ("completed", "talk one.wav", None)
    assert stored(told["job_id"]) == body
    job = site.client.get(f"/api/v1/jobs/{told['job_id']}", headers=site.key_of(site.user())).json()
    assert (job["name"], job["options"]["language"]) == ("talk one.wav", "en")
    assert (job["tags"], job["metadata"]) == (["2026", "court"], {"case": "17"})
    bob = site.key_of(site.user("bob"))
    url = f"/api/v1/downloads/{made['id']}"
    assert site.client.get(url, headers=bob).status_code == site.client.delete(url, headers=bob).status_code == 404
    tus = {"Tus-Resumable": "1.0.0"}
    assert site.client.head(f"/uploads/{made['id']}", headers=site.key_of(site.user()) | tus).status_code == 404
    listed = site.client.get("/api/v1/downloads", headers=site.key_of(site.user())).json()["downloads"]
    assert [one["id"] for one in listed] == [made["id"]]


def test_what_broke_off_is_resumed_where_it_was(site: Site, receiver: Receiver, tone: Callable[..., bytes]) -> None:
    body = tone(2.0)
    receiver.gets = lambda handler: serve(handler, body, upto=HALF if len(receiver.got) < 2 else None)
    told = ended(site, order(site, f"{receiver.url}/talk.wav")["id"])
    assert stored(told["job_id"]) == body
    ranges = [(got.headers.get("range"), got.headers.get("if-range")) for got in receiver.got]
    assert ranges == [(None, None), (f"bytes={HALF}-", '"one"')]


def test_another_recording_under_the_address_is_begun_anew(
    site: Site, receiver: Receiver, tone: Callable[..., bytes]
) -> None:
    old, new = tone(2.0), tone(1.5, 880.0)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if len(receiver.got) < 2:
            serve(handler, old, upto=HALF)
        else:
            serve(handler, new, tag='"two"')

    receiver.gets = answer
    assert stored(ended(site, order(site, f"{receiver.url}/talk.wav")["id"])["job_id"]) == new


def test_a_restart_continues_a_download(reaching: Settings, receiver: Receiver, tone: Callable[..., bytes]) -> None:
    body = tone(2.0)

    def broken(handler: BaseHTTPRequestHandler) -> None:
        serve(handler, body, upto=HALF)

    receiver.gets = broken
    with running(reaching, Limits(download_pauses_s=(0.3, 0.3))) as site:
        ident = order(site, f"{receiver.url}/talk.wav")["id"]
        until = time.monotonic() + PATIENCE_S
        while context.current().shelf.load(ident).source.next_s == 0:  # type: ignore[union-attr]
            assert time.monotonic() < until
            time.sleep(0.02)
    receiver.gets = lambda handler: serve(handler, body)
    with running(reaching, LIMITS) as site:
        assert stored(ended(site, ident)["job_id"]) == body
    assert receiver.got[-1].headers["range"] == f"bytes={HALF}-"


def test_private_addresses_are_refused_at_once_and_after_a_redirect(site: Site, receiver: Receiver) -> None:
    refused = order(site, "http://10.0.0.1/talk.wav", 400)
    assert (refused["code"], refused["param"]) == ("outgoing_refused", "url")

    def away(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "http://169.254.169.254/latest/meta-data/")
        handler.end_headers()

    receiver.gets = away
    told = ended(site, order(site, receiver.url)["id"])
    assert (told["state"], told["error"]["code"]) == ("failed", "outgoing_refused")
    assert len(receiver.got) == 1


def test_what_is_too_long_or_no_recording_or_not_there_is_refused(reaching: Settings, receiver: Receiver) -> None:
    reaching.__dict__["web"] = type(reaching.web)(max_upload_bytes=100_000, worker_token=TOKEN, _env_file=None)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        match handler.path:
            case "/announced":
                handler.send_response(200)
                handler.send_header("Content-Length", "100001")
                handler.end_headers()
            case "/endless":
                handler.send_response(200)
                handler.end_headers()
                while True:
                    handler.wfile.write(b"x" * 65536)
            case "/text":
                serve(handler, b"no recording")
            case "/away":
                handler.send_error(503)
            case "/circle":
                handler.send_response(302)
                handler.send_header("Location", "/circle")
                handler.end_headers()
            case _:
                handler.send_error(404)

    receiver.gets = answer
    with running(reaching, LIMITS) as site:
        codes = {
            path: ended(site, order(site, f"{receiver.url}/{path}")["id"])["error"]["code"]
            for path in ("announced", "endless", "text", "away", "missing", "circle")
        }
        assert codes == {
            "announced": "upload_too_large",
            "endless": "upload_too_large",
            "text": "audio_unreadable",
            "away": "host_unreachable",
            "missing": "bad_request",
            "circle": "outgoing_refused",
        }
        assert not list(context.current().shelf.folder.glob("*.part"))
    asked = [got.path for got in receiver.got]
    assert (asked.count("/away"), asked.count("/circle")) == (3, 6)  # a circle is not tried again


def test_a_download_is_cancelled_and_a_repeated_call_finds_it(site: Site, receiver: Receiver) -> None:
    def slow(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        for _ in range(600):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)

    receiver.gets = slow
    once = {"Idempotency-Key": "once"}
    made = order(site, f"{receiver.url}/slow.wav", headers=once)
    receiver.wait_for(1)
    assert order(site, f"{receiver.url}/slow.wav", headers=once)["id"] == made["id"]
    assert order(site, f"{receiver.url}/other.wav", 422, headers=once)["code"] == "idempotency_key_reused"
    url, key = f"/api/v1/downloads/{made['id']}", site.key_of(site.user())
    assert site.client.get(url, headers=key).json()["length_bytes"] == 1_000_000
    assert site.client.delete(url, headers=key).status_code == 204
    assert site.client.get(url, headers=key).status_code == 404
    assert not list(context.current().shelf.folder.glob(f"{made['id']}*"))


def test_slow_servers_of_one_user_hold_up_nobody_else(
    site: Site, receiver: Receiver, tone: Callable[..., bytes]
) -> None:
    body, over = tone(), threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if "slow" in handler.path:
            serve(handler, body, upto=100)
            over.wait(30)
        else:
            serve(handler, body)

    receiver.gets = answer
    slow = [order(site, f"{receiver.url}/slow{number}.wav", name="bob")["id"] for number in range(5)]
    told = ended(site, order(site, f"{receiver.url}/talk.wav")["id"])
    assert told["state"] == "completed"
    assert sum(ident in context.current().downloads for ident in slow) == AT_ONCE_EACH
    over.set()


def test_disabling_an_account_ends_its_running_downloads(site: Site, receiver: Receiver) -> None:
    over = threading.Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        serve(handler, b"x" * 1000, upto=100)
        over.wait(30)

    receiver.gets = slow
    made = order(site, f"{receiver.url}/slow.wav")
    receiver.wait_for(1)
    context.ledger().run(users.set_disabled, site.user().id, disabled=True, actor="system:test")
    until = time.monotonic() + PATIENCE_S
    while not (refusal := context.current().shelf.load(made["id"]).refusal):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert (refusal.code, context.current().downloads) == ("not_allowed", {})
    over.set()


def test_quotas_and_rights_hold_as_for_other_recordings(site: Site, receiver: Receiver) -> None:
    order(site, receiver.url, 403, name="rex")
    context.ledger().run(profiles.set_quota, site.user().id, hours=None, size_bytes=1000, actor="system:test")
    receiver.gets = lambda handler: serve(handler, b"x" * 2000)
    told = ended(site, order(site, receiver.url)["id"])
    assert told["error"]["code"] == "space_used_up"
    answer = order(site, receiver.url, 400, nonsense=1)
    assert answer["param"] == "nonsense"
