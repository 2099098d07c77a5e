"""`/api/v1/users`, usage, audit and shares: for administrators, each by its key's scope."""

from datetime import timedelta

import pytest

from dashboards.runtime import context
from dashboards.services import sharing
from storage.domain.records import JobState
from storage.ledger import audit
from tests.dashboards.site import Site
from tests.factories import job_in


@pytest.fixture
def root(site: Site) -> dict[str, str]:
    return site.key_of(site.user("root"))


def test_accounts_are_listed_made_and_changed(site: Site, root: dict[str, str]) -> None:
    first = site.client.get("/api/v1/users?limit=2", headers=root).json()
    assert [user["name"] for user in first["users"]] == ["ada", "bob"]
    second = site.client.get(f"/api/v1/users?limit=2&after={first['next']}", headers=root).json()
    assert [user["name"] for user in second["users"]] == ["new", "rex"]
    made = site.client.post("/api/v1/users", headers=root, json={"name": "grace", "role": "reader"})
    assert made.status_code == 201
    assert site.log_in("grace", made.json()["password"]).status_code < 400
    url = f"/api/v1/users/{made.json()['user']['id']}"
    changed = site.client.patch(url, headers=root, json={"role": "member", "quota_hours": 2.5}).json()
    assert (changed["role"], changed["quota_hours"], changed["quota_bytes"], changed["disabled"]) == (
        "member",
        2.5,
        None,
        False,
    )
    assert site.client.patch(url, headers=root, json={"quota_bytes": 10}).json()["quota_hours"] == 2.5
    assert site.client.patch(url, headers=root, json={"disabled": True}).json()["disabled"] is True
    assert site.log_in("grace", made.json()["password"]).status_code == 401
    usage = site.client.get(f"{url}/usage", headers=root).json()
    assert (usage["heard_s"], usage["quota_hours"], usage["quota_bytes"]) == (0, 2.5, 10)
    with context.ledger().read() as con:
        assert [row.action for row in audit.page(con, subject=made.json()["user"]["id"], limit=2)] == [
            "user.disable",
            "user.quota",
        ]
    own = f"/api/v1/users/{site.user('root').id}"
    last = site.client.patch(own, headers=root, json={"role": "member", "quota_hours": 1})
    assert (last.status_code, "last administrator" in last.text) == (400, True)
    assert site.client.get(own, headers=root).json()["quota_hours"] is None  # all or nothing


def test_they_are_for_administrators_alone(site: Site) -> None:
    ada = site.key_of(site.user("ada"))
    own = f"/api/v1/users/{site.user('ada').id}"
    for method, path, body in (
        ("GET", "/api/v1/users", None),
        ("POST", "/api/v1/users", {"name": "eve"}),
        ("GET", own, None),
        ("GET", f"{own}/usage", None),
        ("PATCH", own, {"role": "admin"}),
        ("PATCH", own, {"quota_hours": None}),
        ("GET", "/api/v1/admin/audit", None),
        ("GET", "/api/v1/shares", None),
        ("DELETE", "/api/v1/jobs/x/shares/y", None),
    ):
        answer = site.client.request(method, path, headers=ada, json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed"), (method, path)
    assert site.client.get("/api/v1/usage", headers=ada).json()["stored_bytes"] == 0


def test_share_links_are_listed_and_ended(site: Site, root: dict[str, str]) -> None:
    ada = site.user("ada")
    job = job_in(context.ledger(), context.files(), ada, JobState.COMPLETED)
    path = sharing.share(ada, job.id, lasts=timedelta(days=1), password=None)
    (share,) = site.client.get("/api/v1/shares", headers=root).json()["shares"]
    assert (share["job_id"], share["owner_id"], share["has_password"]) == (job.id, ada.id, False)
    assert path.rpartition("/")[2] not in str(share)
    assert site.client.get(path).status_code == 200
    assert site.client.delete(f"/api/v1/jobs/{job.id}/shares/{share['id']}", headers=root).status_code == 204
    assert site.client.get(path).status_code == 410
    assert site.client.get("/api/v1/shares", headers=root).json()["shares"] == []
