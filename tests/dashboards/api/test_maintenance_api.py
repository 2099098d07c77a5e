"""Pausing the platform over HTTP: rights, uploads that wait, health and metrics."""

from collections.abc import Callable

import pytest

from dashboards.runtime import context
from storage.ledger import audit
from tests.dashboards.site import Site

pytestmark = pytest.mark.shared_site

PATH = "/api/v1/admin/maintenance"


def test_an_administrator_pauses_and_resumes_and_everybody_is_told(site: Site, tone: Callable[..., bytes]) -> None:
    root = site.key_of(site.user("root"))
    with site.client.websocket_connect("/events?batch=1", headers=root) as page:
        answer = site.client.put(PATH, headers=root, json={"paused": True, "reason": "new disks"})
        assert answer.status_code == 200, answer.text
        assert page.receive_json()[0]["missed"]
    assert {key: answer.json()[key] for key in ("paused", "reason", "running")} == {
        "paused": True,
        "reason": "new disks",
        "running": 0,
    }

    ada = site.key_of(site.user("ada"))
    accepted = site.client.post("/api/v1/jobs", files={"file": ("talk.wav", tone())}, headers=ada)
    assert accepted.status_code in {200, 201, 202}, accepted.text
    health = site.client.get("/readyz").json()
    assert health["paused"] == "new disks"
    metrics = site.client.get("/metrics", headers=site.operator).text
    assert "transcriber_paused 1.0" in metrics
    assert "transcriber_jobs_handed_out 0.0" in metrics

    resumed = site.client.put(PATH, headers=root, json={"paused": False})
    assert resumed.json()["paused"] is False
    assert "paused" not in site.client.get("/readyz").json()
    with context.ledger().read() as con:
        rows = audit.page(con, subject="platform")
    assert [(row.action, row.actor) for row in rows] == [
        ("platform.resume", site.user("root").actor),
        ("platform.pause", site.user("root").actor),
    ]


def test_others_may_neither_pause_nor_look(site: Site) -> None:
    ada = site.key_of(site.user("ada"))
    order = {"paused": True, "reason": "mine"}
    assert site.client.put(PATH, headers=ada, json=order).status_code == 403
    assert site.client.get(PATH, headers=ada).status_code == 403
    internal = "/internal/v1/admin/maintenance"
    assert site.client.put(internal, headers=site.worker, json=order).status_code in {401, 403}
    assert site.client.get(PATH, headers=site.key_of(site.user("root"))).json()["paused"] is False


def test_the_command_line_pauses_under_its_own_name(site: Site) -> None:
    internal = "/internal/v1/admin/maintenance"
    order = {"paused": True, "reason": "new disks", "actor": "cli:ada"}
    assert site.client.put(internal, headers=site.operator, json=order).json()["paused"] is True
    assert site.client.get(internal, headers=site.operator).json()["running"] == 0
    refused = site.client.put(internal, headers=site.operator, json={"paused": True, "reason": " "})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad_request")
