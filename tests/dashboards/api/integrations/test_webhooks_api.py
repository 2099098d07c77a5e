"""`/api/v1/webhooks`: people manage their own webhooks, administrators all."""

from typing import Any

import pytest

from dashboards.runtime import context
from storage.accounts.webhooks import MOST
from storage.domain.scopes import Scope
from storage.ledger import audit
from tests.dashboards.site import Site

URL = "https://hooks.example/a-secret-path"


@pytest.fixture
def ada(site: Site) -> dict[str, str]:
    return site.key_of(site.user("ada"))


def make(site: Site, who: dict[str, str], status: int = 201, **asked: Any) -> dict[str, Any]:
    answer = site.client.post("/api/v1/webhooks", headers=who, json={"url": URL} | asked)
    assert answer.status_code == status, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_webhooks_are_their_owners_and_the_administrators(site: Site, ada: dict[str, str]) -> None:
    made = make(site, ada)
    ident, bob, root = made["webhook"]["id"], site.key_of(site.user("bob")), site.key_of(site.user("root"))
    url = f"/api/v1/webhooks/{ident}"
    delivery = site.client.post(f"{url}/test", headers=ada).json()["id"]
    routes: list[tuple[str, str, dict[str, Any] | None]] = [
        ("GET", "", None),
        ("PATCH", "", {"events": ["job.failed"]}),
        ("POST", "/rotate", {}),
        ("POST", "/test", None),
        ("GET", "/deliveries", None),
        ("GET", f"/deliveries/{delivery}", None),
        ("POST", f"/deliveries/{delivery}/replay", None),
        ("DELETE", "", None),
    ]
    for method, path, body in routes:
        assert site.client.request(method, url + path, headers=bob, json=body).status_code == 404, path
        answer = site.client.request(method, url + path, headers=root, json=body)
        assert answer.status_code < 300, (path, answer.text)
        assert made["secret"] not in answer.text
    make(site, site.key_of(site.user("rex")), 403)
    listed = site.client.get("/api/v1/webhooks", headers=ada).json()
    assert listed == {"webhooks": [], "next": None}
    with context.ledger().read() as con:
        rows = [row for row in audit.page(con, limit=20) if row.subject == ident]
    assert {row.action for row in rows} >= {"webhook.create", "webhook.change", "webhook.rotate", "webhook.delete"}
    assert not any("a-secret-path" in str(row.detail) or made["secret"] in str(row.detail) for row in rows)


def test_deliveries_begin_at_one_or_at_the_newest(site: Site, ada: dict[str, str]) -> None:
    url = f"/api/v1/webhooks/{make(site, ada)['webhook']['id']}"
    tests = [site.client.post(f"{url}/test", headers=ada).json()["id"] for _ in range(2)]
    page = site.client.get(f"{url}/deliveries", params={"limit": 1}, headers=ada).json()
    assert ([one["id"] for one in page["deliveries"]], page["next"]) == ([tests[1]], tests[1])
    rest = site.client.get(f"{url}/deliveries", params={"before": page["next"]}, headers=ada).json()
    assert ([one["id"] for one in rest["deliveries"]], rest["next"]) == ([tests[0]], None)
    for wrong in ("zzz", "", tests[0].removeprefix("msg_")):
        answer = site.client.get(f"{url}/deliveries", params={"before": wrong}, headers=ada)
        assert (answer.status_code, answer.json()["param"]) == (400, "before"), wrong


def test_addresses_and_events_are_checked(site: Site, ada: dict[str, str]) -> None:
    refused = make(site, ada, 400, url="http://192.168.1.1/")
    assert (refused["code"], refused["param"]) == ("outgoing_refused", "url")
    assert make(site, ada, 400, url="ftp://hooks.example/")["param"] == "url"
    make(site, ada, 400, url="https://ada:word@hooks.example/")
    make(site, ada, 400, events=["job.started"])
    make(site, ada, 400, events=[])
    ident = make(site, ada)["webhook"]["id"]
    url = f"/api/v1/webhooks/{ident}"
    assert site.client.patch(url, headers=ada, json={"url": "http://[::1]/"}).status_code == 400
    assert site.client.patch(url, headers=ada, json={"enabled": False}).json()["enabled"] is False
    assert site.client.post(f"{url}/test", headers=ada).status_code == 400
    for _ in range(MOST - 1):
        make(site, ada)
    assert "delete one first" in make(site, ada, 400)["detail"]


def test_everybodys_webhooks_and_events_need_an_administrator_and_the_scope(site: Site, ada: dict[str, str]) -> None:
    make(site, ada)
    root = site.user("root")
    without = site.key_of(root, scopes=(Scope.READ, Scope.WRITE))
    make(site, ada, 403, everybody=True)
    make(site, without, 403, everybody=True)
    make(site, site.key_of(root), everybody=True)
    listing = "/api/v1/webhooks?everybody=true"
    assert [site.client.get(listing, headers=who).status_code for who in (ada, without)] == [403, 403]
    assert len(site.client.get(listing, headers=site.key_of(root)).json()["webhooks"]) == 2
