"""`/api/v1/keys`: people manage their own keys, administrators all."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from dashboards.runtime import context
from dashboards.services import key_management
from storage.accounts import api_key_usage
from storage.domain.clock import utc_now
from storage.domain.errors import KeyLimitExceeded
from storage.domain.records import JobState, KeyGrant
from storage.domain.scopes import Scope
from storage.jobs import job_store
from tests.dashboards.site import ORIGIN, Site

pytestmark = pytest.mark.shared_site

ALL = [scope.value for scope in Scope]


@pytest.fixture
def ada(site: Site) -> dict[str, str]:
    return site.key_of(site.user("ada"))


def make(site: Site, who: dict[str, str], status: int = 201, **asked: Any) -> dict[str, Any]:
    answer = site.client.post("/api/v1/keys", headers=who, json={"name": "bot"} | asked)
    assert answer.status_code == status, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_a_key_is_made_rotated_and_revoked(site: Site, ada: dict[str, str]) -> None:
    end = (utc_now() + timedelta(days=30)).isoformat()
    made = make(site, ada, scopes=["write", "read"], expires_at=end, quota_hours=2)
    key, url = made["key"], f"/api/v1/keys/{made['key']['id']}"
    assert (key["scopes"], key["quota_hours"], key["prefix"]) == (["read", "write"], 2, made["secret"][:11])
    old = {"Authorization": f"Bearer {made['secret']}"}
    rotated = site.client.post(f"{url}/rotate", headers=ada, json={"overlap_hours": 1}).json()
    new = {"Authorization": f"Bearer {rotated['secret']}"}
    for headers in (old, new):
        assert site.client.get("/api/v1/me", headers=headers).status_code == 200
    assert rotated["key"]["previous_secret_until"]
    shown = site.client.get(url, headers=ada)
    assert made["secret"] not in shown.text
    assert site.client.delete(url, headers=ada).status_code == 204
    for headers in (old, new):
        assert site.client.get("/api/v1/me", headers=headers).status_code == 401
    assert site.client.post(f"{url}/rotate", headers=ada, json={}).status_code == 400


def test_keys_are_their_owners_and_the_administrators(site: Site, ada: dict[str, str]) -> None:
    bob, root = site.key_of(site.user("bob")), site.key_of(site.user("root"))
    url = f"/api/v1/keys/{make(site, ada)['key']['id']}"
    for method, path in (("GET", url), ("POST", f"{url}/rotate"), ("DELETE", url)):
        body: dict[str, Any] | None = {} if method == "POST" else None
        assert site.client.request(method, path, headers=bob, json=body).status_code == 404, path
        assert site.client.request(method, path, headers=root, json=body).status_code < 300, path
    make(site, bob, 403, owner_id=site.user("ada").id)
    assert make(site, root, owner_id=site.user("ada").id)["key"]["owner_id"] == site.user("ada").id
    make(site, site.key_of(site.user("rex")), 403)
    site.sign_in("ada")
    make(site, ORIGIN)


def test_a_key_makes_none_that_may_do_more(site: Site) -> None:
    lesser = site.key_of(site.user("ada"), scopes=(Scope.READ, Scope.ADMIN))
    assert make(site, lesser, 403, scopes=ALL)["error"]["code"] == "scope_missing"
    make(site, lesser, scopes=["read"])
    greater = make(site, site.key_of(site.user("ada")), scopes=ALL)["key"]["id"]
    answer = site.client.post(f"/api/v1/keys/{greater}/rotate", headers=lesser, json={})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("limit", "own", "narrower", "wider"),
    [
        ("networks", "10.0.0.0/8", ["10.1.0.0/16", "10.0.0.7"], ["", "11.0.0.1", "10.0.0.7 2001:db8::1"]),
        ("quota_hours", 2.0, [2, 0.5], [None, 2.5]),
        ("requests_per_hour", 50, [50, 1], [None, 51]),
    ],
)
def test_a_key_makes_none_beyond_its_own_limits(
    site: Site, limit: str, own: Any, narrower: list[Any], wider: list[Any]
) -> None:
    asks, root = KeyGrant(**{limit: own}), site.user("root")
    for value in narrower:
        key_management.create(root, "narrower", KeyGrant(**{limit: value}), by=asks)
    for value in wider:
        with pytest.raises(KeyLimitExceeded, match=limit):
            key_management.create(root, "wider", KeyGrant(**{limit: value}), by=asks)


def test_the_answer_says_which_limit_a_new_key_exceeds(site: Site, ada: dict[str, str]) -> None:
    end = utc_now() + timedelta(days=2)
    limited = site.key_of(site.user("ada"), expires_at=end, requests_per_hour=500)
    error = make(site, limited, 403, requests_per_hour=10)["error"]
    assert error["code"] == "key_limit_exceeded"
    assert "`expires_at`" in error["message"]
    make(site, limited, 403, requests_per_hour=10, expires_at=(end + timedelta(seconds=1)).isoformat())
    made = make(site, limited, requests_per_hour=10, expires_at=end.isoformat())["key"]
    assert made["requests_per_hour"] == 10
    unlimited = make(site, ada)["key"]["id"]
    assert site.client.post(f"/api/v1/keys/{unlimited}/rotate", headers=limited, json={}).status_code == 403
    assert site.client.post(f"/api/v1/keys/{made['id']}/rotate", headers=limited, json={}).status_code == 200


def test_keys_are_listed_by_pages(site: Site, ada: dict[str, str]) -> None:
    made = [make(site, ada)["key"]["id"] for _ in range(3)][::-1]
    first = site.client.get("/api/v1/keys?limit=2", headers=ada).json()
    assert [key["id"] for key in first["keys"]] == made[:2]
    second = site.client.get(f"/api/v1/keys?limit=2&before={first['next']}", headers=ada).json()
    assert second["keys"][0]["id"] == made[2]


@pytest.mark.own_site
def test_what_a_key_sends_counts_as_its_own(site: Site, tone: Callable[..., bytes]) -> None:
    ada = site.user("ada")
    key = site.key_of(ada, quota_hours=0.5)
    files = {"file": ("talk.wav", tone())}
    job_id = site.client.post("/api/v1/jobs", files=files, headers=key).json()["id"]
    context.ledger().run(api_key_usage.add_heard, job_id, 1800.0)
    (listed,) = site.client.get("/api/v1/keys", headers=key).json()["keys"]
    (month,) = site.client.get(f"/api/v1/keys/{listed['id']}", headers=key).json()["usage"]
    assert (month["recordings"], month["heard_s"]) == (1, 1800)
    refused = site.client.post("/api/v1/jobs", files=files, headers=key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "key_hours_used_up")
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "10"}
    assert site.client.post("/uploads", headers=key | tus).status_code == 403
    other = site.client.post("/api/v1/jobs", files=files, headers=site.key_of(ada))
    assert other.status_code == 201
    with context.ledger().read() as con:
        assert len(job_store.page(con, owner_id=ada.id, state=JobState.QUEUED)) == 2


def test_the_batch_lane_needs_its_scope(site: Site, tone: Callable[..., bytes]) -> None:
    key = site.key_of(site.user("ada"), scopes=(Scope.WRITE,))
    files = {"file": ("talk.wav", tone())}
    answer = site.client.post("/api/v1/jobs", files=files, data={"lane": "batch"}, headers=key)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "scope_missing")
    assert "`batch`" in answer.text
    assert site.client.post("/api/v1/jobs", files=files, headers=key).status_code == 201
