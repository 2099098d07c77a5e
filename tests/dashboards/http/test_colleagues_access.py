"""What a colleague may do with a recording that somebody shares: every route with a job in it."""

from typing import Any

import pytest

from dashboards.runtime import context
from storage.domain.records import Job, JobState, to_json
from storage.jobs import collaborators, job_store, manifests
from tests.dashboards.http.test_access_middleware import app_routes
from tests.dashboards.site import ORIGIN, Site
from tests.factories import job_in

pytestmark = pytest.mark.shared_site

CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
EDIT = {"version": 1, "segments": [{"start_s": 1, "end_s": 2, "text": " Changed."}]}
NOTE = {"text": "a note"}
PASSAGE = {"start_s": 1, "end_s": 2, "quote": "a word"}
BODIES: dict[tuple[str, str], Any] = {
    ("PATCH", ""): {"name": "Mine", "tags": ["mine"]},
    ("PUT", "/transcript"): EDIT,
    ("POST", "/versions/{number}/restore"): {"version": 1},
    ("POST", "/notes"): NOTE,
    ("PUT", "/notes/{note_id}"): NOTE,
    ("PUT", "/collaborators/{name}"): {"may_edit": True},
    ("POST", "/comments"): PASSAGE | NOTE,
    ("PUT", "/comments/{comment_id}"): NOTE,
    ("POST", "/comments/{comment_id}/replies"): NOTE,
    ("PUT", "/comments/{comment_id}/resolved"): {"resolved": True},
    ("POST", "/highlights"): PASSAGE | {"colour": "blue"},
    ("PUT", "/highlights/{highlight_id}"): {"colour": "pink"},
    ("POST", "/summary"): {"version": 1},
    ("POST", "/alignment"): {"version": 1, "text": "What nobody says."},
    ("DELETE", "/alignment"): None,
}
EDITING = {key for key in BODIES if key[1].startswith(("/transcript", "/versions", "/notes", "/summary", "/alignment"))}
COMMENTING = {
    ("POST", "/comments/seen"),
    ("DELETE", "/comments/{comment_id}"),
    ("DELETE", "/highlights/{highlight_id}"),
}
COMMENTING |= {key for key in BODIES if key[1].startswith(("/comments", "/highlights"))}
"""What everybody may do who may read."""
EDITING |= {("DELETE", "/notes/{note_id}")}
PREFIX = "/api/v1/jobs/{job_id}"


@pytest.fixture
def job(site: Site) -> Job:
    return job_in(context.ledger(), context.files(), site.user("ada"), JobState.COMPLETED)


def share(job: Job, name: str, *, may_edit: bool) -> None:
    context.ledger().run(collaborators.put, job.id, name, may_edit=may_edit, actor="system:test")


def changes(site: Site) -> list[tuple[str, str]]:
    """Return the routes that change a job, as method and rest of the path."""
    found = [(method, path) for method, path in app_routes(site) if "{job_id}" in path and method in CHANGING]
    found = [(method, path) for method, path in found if not path.startswith("/internal/")]
    assert {path for _, path in found if not path.startswith(PREFIX)} == set()
    assert len(found) >= 13
    return [(method, path.removeprefix(PREFIX)) for method, path in found]


def filled(job: Job, rest: str) -> str:
    for name, value in (
        ("{number}", "1"),
        ("{note_id}", "x"),
        ("{share_id}", "x"),
        ("{comment_id}", "x"),
        ("{highlight_id}", "x"),
        ("{name}", "rex"),
    ):
        rest = rest.replace(name, value)
    assert "{" not in rest
    return PREFIX.replace("{job_id}", job.id) + rest


def all_of(job: Job) -> bytes:
    with context.ledger().read() as con:
        return to_json(manifests.of(con, job.id)) + repr(collaborators.list_of(con, job.id)).encode()


@pytest.mark.parametrize("by", ["session", "key"])
def test_a_colleague_who_may_read_changes_nothing_but_comments(site: Site, job: Job, by: str) -> None:
    share(job, "bob", may_edit=False)
    headers = dict(ORIGIN) if by == "session" else site.key_of(site.user("bob"))
    if by == "session":
        site.sign_in("bob")
    before = all_of(job)
    for method, rest in set(changes(site)) - COMMENTING:
        answer = site.client.request(method, filled(job, rest), headers=headers, json=BODIES.get((method, rest)))
        assert answer.status_code == 403, f"{method} {rest} answers {answer.status_code}: {answer.text}"
    assert all_of(job) == before


def test_a_colleague_who_may_edit_edits_and_nothing_else(site: Site, job: Job) -> None:
    share(job, "bob", may_edit=True)
    bob = site.key_of(site.user("bob"))
    for method, rest in sorted(changes(site), key=lambda one: one[0] == "DELETE"):
        answer = site.client.request(method, filled(job, rest), headers=bob, json=BODIES.get((method, rest)))
        wanted = {200, 201, 202, 204, 404, 409} if (method, rest) in EDITING | COMMENTING else {403}
        wanted |= {503} if rest == "/alignment" else set()  # let through, and nobody is there to align
        assert answer.status_code in wanted, f"{method} {rest} answers {answer.status_code}: {answer.text}"
    with context.ledger().read() as con:
        assert manifests.of(con, job.id).versions[0].made_by == f"user:{site.user('bob').id}"
        assert job_store.get(con, job.id).name == job.name


def test_a_colleague_changes_own_notes_and_the_owner_all(site: Site, job: Job) -> None:
    share(job, "bob", may_edit=True)
    ada, bob = site.key_of(site.user("ada")), site.key_of(site.user("bob"))
    url = filled(job, "/notes")
    of_ada, of_bob = (
        f"{url}/{site.client.post(url, headers=who, json={'text': 'as it was'}).json()['id']}" for who in (ada, bob)
    )
    assert site.client.put(of_ada, headers=bob, json={"text": "hacked"}).status_code == 403
    assert site.client.delete(of_ada, headers=bob).status_code == 403
    assert {note["text"] for note in site.client.get(url, headers=ada).json()} == {"as it was"}
    for who in (bob, ada):
        assert site.client.put(of_bob, headers=who, json={"text": "better"}).status_code == 200
    assert site.client.delete(of_bob, headers=ada).status_code == 204


@pytest.mark.own_site
def test_a_colleague_reads_and_others_do_not(site: Site, job: Job) -> None:
    bob, rex = site.key_of(site.user("bob")), site.key_of(site.user("rex"))

    def statuses(who: dict[str, str]) -> set[int]:
        paths = ("", "/transcript", "/versions", "/notes")
        return {site.client.get(filled(job, rest), headers=who).status_code for rest in paths}

    def listed(who: dict[str, str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = site.client.get("/api/v1/jobs?shared=true", headers=who).json()["jobs"]
        return found

    assert (statuses(bob), listed(bob)) == ({404}, [])
    ada = site.key_of(site.user("ada"))
    for name in ("bob", "rex"):
        url = filled(job, "/collaborators/") + name
        assert site.client.put(url, headers=ada, json={"may_edit": True}).json()["name"] == name
    assert (statuses(bob), statuses(rex)) == ({200}, {200})
    assert [one["id"] for one in listed(rex)] == [job.id]
    assert site.client.get("/api/v1/jobs", headers=bob).json()["jobs"] == []
    assert site.client.put(filled(job, "/transcript"), headers=rex, json=EDIT).status_code == 403  # a read-only account
    assert site.client.get(filled(job, "/collaborators"), headers=bob).status_code == 403
    people = site.client.get(filled(job, "/collaborators"), headers=ada).json()
    assert [(one["name"], one["may_edit"]) for one in people] == [("bob", True), ("rex", True)]
    assert site.client.delete(filled(job, "/collaborators/bob"), headers=ada).status_code == 204
    assert (statuses(bob), listed(bob)) == ({404}, [])
    for name, status in (("nobody", 404), ("ada", 400)):
        url = filled(job, "/collaborators/") + name
        assert site.client.put(url, headers=ada, json={}).status_code == status
