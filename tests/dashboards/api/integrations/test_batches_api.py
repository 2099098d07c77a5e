"""`/api/v1/batches`: addresses, listed files and folders become jobs, with one state."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from dashboards.runtime.limits import Limits
from storage.domain.network.outgoing_targets import OutgoingSettings
from storage.domain.settings import Settings, WebSettings
from tests.dashboards.receiver import Receiver, receiving
from tests.dashboards.site import TOKEN, Site, running
from tests.waiting import PATIENCE_S

LIMITS = Limits(download_pauses_s=(), download_look_every_s=0.05, batch_pause_s=0.02)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    folder = tmp_path / "listed"
    (folder / "deep").mkdir(parents=True)
    return folder


@pytest.fixture
def site(settings: Settings, listed: Path) -> Iterator[Site]:
    web = WebSettings(worker_token=SecretStr(TOKEN), batch_sources=f"ada={listed}", _env_file=None)
    outgoing = OutgoingSettings(outgoing_allowed="127.0.0.1", _env_file=None)
    settings.__dict__.update(web=web, outgoing=outgoing)
    with running(settings, LIMITS) as started:
        yield started


def asked(site: Site, method: str, path: str, status: int = 200, name: str = "ada", **more: Any) -> dict[str, Any]:
    headers = site.key_of(site.user(name)) | more.pop("headers", {})
    answer = site.client.request(method, f"/api/v1/batches{path}", headers=headers, **more)
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    return told


def settled(site: Site, batch_id: str) -> dict[str, int]:
    until = time.monotonic() + PATIENCE_S
    while True:
        counts = asked(site, "GET", f"/{batch_id}")["counts"]
        if not counts["waiting"] + counts["downloading"]:
            return {state: number for state, number in counts.items() if number}
        assert time.monotonic() < until, counts
        time.sleep(0.05)


def test_addresses_and_a_folder_become_jobs_and_what_failed_is_tried_again(
    site: Site, receiver: Receiver, listed: Path, tone: Callable[..., bytes]
) -> None:
    for number, name in enumerate(("a.wav", "deep/b.wav", ".hidden")):
        (listed / name).write_bytes(tone(0.5, 300.0 + number))
    (listed / "link.wav").symlink_to("/etc/passwd")
    heard = {"/c.wav": tone(0.5, 500.0)}

    def answer(handler: Any) -> None:
        body = heard.get(handler.path)
        handler.send_response(200 if body else 404)
        handler.send_header("Content-Length", str(len(body or b"")))
        handler.end_headers()
        handler.wfile.write(body or b"")

    receiver.gets = answer
    items = [{"path": str(listed)}, {"url": f"{receiver.url}/c.wav", "options": {"language": "de"}, "name": "c"}]
    order = {"items": [*items, {"url": f"{receiver.url}/d.wav"}], "options": {"beam_size": 2}, "recursive": True}
    once = {"Idempotency-Key": "once"}
    made = asked(site, "POST", "", 202, json=order, headers=once)
    assert (made["state"], made["total"], made["lane"]) == ("working", 5, "batch")
    assert asked(site, "POST", "", 202, json=order, headers=once)["id"] == made["id"]
    assert asked(site, "POST", "", 422, json=order | {"name": "x"}, headers=once)["code"] == "idempotency_key_reused"
    assert settled(site, made["id"]) == {"queued": 3, "failed": 2}
    failed = asked(site, "GET", f"/{made['id']}/items?state=failed")["items"]
    assert [(one["source"].rpartition("/")[2], one["error"]["code"]) for one in failed] == [
        ("link.wav", "not_allowed"),
        ("d.wav", "bad_request"),
    ]
    said = [one["error"]["message"] for one in failed]
    assert (said[0].partition(" ")[0], said[1].partition(" ")[0]) == ("reading", "url:")
    page = asked(site, "GET", f"/{made['id']}/items?limit=4")
    assert (len(page["items"]), page["next"]) == (4, 4)
    job = site.client.get(f"/api/v1/jobs/{page['items'][3]['job_id']}", headers=site.key_of(site.user())).json()
    assert (job["name"], job["options"]["language"], job["options"]["beam_size"]) == ("c", "de", 2)
    heard["/d.wav"] = tone(0.5, 600.0)
    asked(site, "POST", f"/{made['id']}/retry")
    assert settled(site, made["id"]) == {"queued": 4, "failed": 1}
    assert asked(site, "POST", f"/{made['id']}/cancel")["state"] == "cancelling"
    until = time.monotonic() + PATIENCE_S
    while asked(site, "GET", f"/{made['id']}")["state"] != "cancelled":
        assert time.monotonic() < until
        time.sleep(0.05)
    assert asked(site, "POST", f"/{made['id']}/retry", 400)["detail"].startswith("batch: it is cancelled")
    assert [one["id"] for one in asked(site, "GET", "")["batches"]] == [made["id"]]


def test_only_listed_paths_of_the_caller_are_read_and_others_see_nothing(site: Site, listed: Path) -> None:
    (listed / "a.wav").write_bytes(b"x")
    path = str(listed / "a.wav")
    for name, source in (
        ("bob", path),
        ("root", path),
        ("ada", "/etc/passwd"),
        ("ada", f"{listed}/../x"),
        ("rex", path),
    ):
        asked(site, "POST", "", 403, name=name, json={"items": [{"path": source}]})
    for wrong in (
        {},
        {"path": path, "url": "http://x"},
        {"path": "a.wav"},
        {"url": path},
        {"url": "file:///etc/passwd"},
    ):
        asked(site, "POST", "", 400, json={"items": [wrong]})
    asked(site, "POST", "", 400, json={"items": [{"path": path, "options": {"nonsense": 1}}]})
    asked(site, "POST", "", 400, json={"items": []})
    made = asked(site, "POST", "", 202, json={"items": [{"path": path}]})
    for method, more in (("GET", ""), ("GET", "/items"), ("POST", "/cancel"), ("POST", "/retry")):
        asked(site, method, f"/{made['id']}{more}", 404, name="bob")
    assert asked(site, "GET", f"/{made['id']}", name="root")["owner_id"] == site.user().id
    writer = site.key_of(site.user(), scopes=("write",))
    answer = site.client.post("/api/v1/batches", headers=writer, json={"items": [{"path": path}]})
    assert answer.status_code == 403
    one = site.client.post("/api/v1/jobs", headers=site.key_of(site.user()), json={"path": path})
    assert (one.status_code, one.json()["url"]) == (202, path)


def test_tags_and_metadata_of_the_batch_and_of_the_item_are_the_jobs(
    site: Site, listed: Path, tone: Callable[..., bytes]
) -> None:
    for number, name in enumerate(("a.wav", "b.wav")):
        (listed / name).write_bytes(tone(0.5, 300.0 + number))
    own = {"path": str(listed / "a.wav"), "tags": "Minutes, board/2026", "metadata": {"case": "118", "room": "2"}}
    order = {"items": [own, {"path": str(listed / "b.wav")}], "tags": "board/2026", "metadata": {"case": "117"}}
    once = {"Idempotency-Key": "once"}
    made = asked(site, "POST", "", 202, json=order, headers=once)
    assert asked(site, "POST", "", 202, json=order, headers=once)["id"] == made["id"]
    asked(site, "POST", "", 422, json=order | {"tags": "other"}, headers=once)
    assert settled(site, made["id"]) == {"queued": 2}
    wanted = [(["board/2026", "minutes"], {"case": "118", "room": "2"}), (["board/2026"], {"case": "117"})]
    items = asked(site, "GET", f"/{made['id']}/items")["items"]
    assert [(one["tags"], one["metadata"]) for one in items] == wanted
    headers = site.key_of(site.user())
    jobs = [site.client.get(f"/api/v1/jobs/{one['job_id']}", headers=headers).json() for one in items]
    assert [(job["tags"], job["metadata"]) for job in jobs] == wanted


def test_a_wrong_tag_or_metadata_names_its_item(site: Site, listed: Path) -> None:
    right = {"path": str(listed)}
    for wrong, named in (({"tags": "x" * 41}, "items.1.tags"), ({"metadata": {" a": "b"}}, "items.1.metadata")):
        told = asked(site, "POST", "", 400, json={"items": [right, right | wrong]})
        assert told["detail"].startswith(named)
