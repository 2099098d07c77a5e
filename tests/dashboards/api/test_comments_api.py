"""Comments and highlights over HTTP: who may, who is told, and what is exported."""

import json
import zipfile
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest

from dashboards.runtime import context
from storage.domain.records import Job, JobState
from storage.jobs import collaborators, share_links
from storage.ledger import audit
from tests.dashboards.site import Site
from tests.factories import job_in

pytestmark = pytest.mark.shared_site

COMMENT = {"start_s": 1.5, "end_s": 3.0, "quote": "the ferry leaves", "text": "Nine?"}
HIGHLIGHT = {"start_s": 62.5, "end_s": 63.0, "quote": "the *blue* folder", "colour": "blue"}


@pytest.fixture
def job(site: Site) -> Job:
    job = job_in(context.ledger(), context.files(), site.user("ada"), JobState.COMPLETED)
    for name in ("bob", "rex"):
        context.ledger().run(collaborators.put, job.id, name, may_edit=False, actor="system:test")
    return job


def test_a_reader_comments_and_the_owner_is_told_until_it_is_seen(site: Site, job: Job) -> None:
    ada, bob, rex = (site.key_of(site.user(name)) for name in ("ada", "bob", "rex"))
    url = f"/api/v1/jobs/{job.id}/comments"
    bus = context.current().bus
    before = bus.last_ident()
    made = site.client.post(url, headers=bob, json=COMMENT)
    assert made.status_code == 201, made.text
    told = bus.since(before, site.user("ada").id) or []
    assert made.json()["id"] in [json.loads(news.for_programs).get("comment") for news in told]
    assert site.client.post(url, headers=rex, json=COMMENT).status_code == 403
    assert [
        (one["text"], one["made_by"]) for one in site.client.get("/api/v1/comments/unseen", headers=ada).json()
    ] == [("Nine?", "bob")]
    assert site.client.get("/api/v1/comments/unseen", headers=bob).json() == []
    site.client.post(f"{url}/seen", headers=bob)
    assert len(site.client.get("/api/v1/comments/unseen", headers=ada).json()) == 1
    assert site.client.post(f"{url}/seen", headers=ada).status_code == 204
    assert site.client.get("/api/v1/comments/unseen", headers=ada).json() == []


def test_a_thread_is_answered_resolved_and_read_by_all_readers(site: Site, job: Job) -> None:
    ada, bob, rex = (site.key_of(site.user(name)) for name in ("ada", "bob", "rex"))
    url = f"/api/v1/jobs/{job.id}/comments"
    first = f"{url}/{site.client.post(url, headers=bob, json=COMMENT).json()['id']}"
    thread = site.client.post(f"{first}/replies", headers=ada, json={"text": "Ten."}).json()
    assert [one["text"] for one in thread["replies"]] == ["Ten."]
    assert site.client.put(first, headers=ada, json={"text": "hacked"}).status_code == 403
    assert site.client.put(f"{first}/resolved", headers=bob, json={"resolved": True}).json()["resolved_by"] == "bob"
    (seen,) = site.client.get(url, headers=rex).json()
    assert (seen["mine"], seen["may_remove"], seen["quote"]) == (False, False, "the ferry leaves")
    assert site.client.delete(first, headers=bob).status_code == 204
    assert [(one["text"], one["may_remove"]) for one in site.client.get(url, headers=bob).json()] == [("", False)]
    assert site.client.get(f"/api/v1/jobs/{job.id}/notes", headers=ada).json() == []
    assert site.client.post(url, headers=bob, json=COMMENT | {"end_s": 1.0}).status_code == 400
    with context.ledger().read() as con:
        actions = [row.action for row in audit.page(con, subject=job.id) if row.action.startswith("comment.")]
    assert actions == ["comment.remove", "comment.resolve", "comment.add", "comment.add"]


def test_highlights_are_listed_recoloured_and_exported_with_times(site: Site, job: Job) -> None:
    ada, bob = (site.key_of(site.user(name)) for name in ("ada", "bob"))
    url = f"/api/v1/jobs/{job.id}/highlights"
    made = site.client.post(url, headers=ada, json=HIGHLIGHT).json()
    assert site.client.put(f"{url}/{made['id']}", headers=bob, json={"colour": "pink"}).status_code == 403
    assert site.client.put(f"{url}/{made['id']}", headers=ada, json={"colour": "green"}).json()["colour"] == "green"
    assert site.client.post(url, headers=ada, json=HIGHLIGHT | {"colour": "mauve"}).status_code == 400
    exported = site.client.get(f"{url}/export", headers=bob)
    assert "- **00:01:02** (green) the \\*blue\\* folder" in exported.text
    assert exported.headers["content-disposition"].endswith(".highlights.md")
    plain = site.client.get(f"{url}/export?format=txt", headers=bob)
    assert plain.text == "[00:01:02] (green) the *blue* folder\n"
    assert site.client.delete(f"{url}/{made['id']}", headers=ada).status_code == 204
    assert site.client.get(url, headers=ada).json() == []


@pytest.mark.own_site
def test_an_account_takes_its_comments_along_also_those_elsewhere(site: Site, job: Job) -> None:
    bob = site.key_of(site.user("bob"))
    site.client.post(f"/api/v1/jobs/{job.id}/comments", headers=bob, json=COMMENT)
    site.client.post(f"/api/v1/jobs/{job.id}/highlights", headers=bob, json=HIGHLIGHT)

    def taken(name: str) -> tuple[Any, Any]:
        site.sign_in(name)
        with zipfile.ZipFile(BytesIO(site.client.get("/account/export").content)) as zipped:
            jobs = [json.loads(line) for line in zipped.read("jobs.jsonl").splitlines()]
            return json.loads(zipped.read("account.json")), jobs

    _, (of_ada,) = taken("ada")
    assert [one["text"] for one in of_ada["comments"]] == ["Nine?"]
    assert [one["colour"] for one in of_ada["highlights"]] == ["blue"]
    account, jobs = taken("bob")
    assert jobs == []
    assert [one["text"] for one in account["comments_elsewhere"]] == ["Nine?", ""]


def test_visitors_of_a_share_link_get_no_comments(site: Site, job: Job) -> None:
    ada = site.key_of(site.user("ada"))
    site.client.post(f"/api/v1/jobs/{job.id}/comments", headers=ada, json=COMMENT)
    token, _ = context.ledger().run(
        share_links.create, job.id, lasts=timedelta(days=1), password=None, actor=site.user("ada").actor
    )
    site.client.cookies.clear()
    page = site.client.get(f"/shared/{token}").text
    assert "Nine?" not in page
    assert '"passages": 0' in page
    for path in ("comments", "highlights", "summary"):
        assert site.client.get(f"/shared/{token}/{path}").status_code == 404
        assert site.client.get(f"/api/v1/jobs/{job.id}/{path}").status_code == 401
