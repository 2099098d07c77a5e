"""HTTP at `/api`: problem details, known parameters, methods, HEAD and entity tags."""

from collections.abc import Callable

import pytest
from httpx2 import Response
from starlette.routing import Mount, Route, WebSocketRoute

from dashboards.app import routes
from dashboards.http.conditional import fits
from dashboards.pages.registry import PAGES
from dashboards.runtime import context
from storage.domain.clock import new_id
from storage.domain.records import JobState
from tests.dashboards.site import ORIGIN, Site
from tests.factories import job_in

pytestmark = pytest.mark.shared_site

SHELL = '<div id="root">'


@pytest.fixture
def ada(site: Site) -> dict[str, str]:
    return site.key_of(site.user("ada"))


@pytest.mark.parametrize(
    ("method", "path", "status", "told"),
    [
        ("GET", "/api/v1/jobs/nobody", 404, ("not_found", None)),
        ("GET", "/api/v1/nonsense", 404, ("not_found", None)),
        ("GET", "/api/v1/jobs?limit=0", 400, ("bad_request", "limit")),
        ("GET", "/api/v1/jobs?stat=queued", 400, ("bad_request", "stat")),
        ("GET", "/api/v1/me?x=1", 400, ("bad_request", "x")),
        ("GET", "/api/v1/search?q=a&pages=2", 400, ("bad_request", "pages")),
        ("GET", "/api/v1/jobs?everybody=true", 403, ("not_allowed", None)),
        ("PUT", "/api/v1/jobs", 405, ("method_not_allowed", None)),
        ("DELETE", "/api/v1/search", 405, ("method_not_allowed", None)),
        ("POST", "/api/v1/jobs", 400, ("bad_request", "body")),
    ],
)
def test_errors_are_problem_details(
    site: Site, method: str, path: str, status: int, told: tuple[str, str | None]
) -> None:
    answer = site.client.request(method, path, headers=site.key_of(site.user("ada")))
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (answer.status_code, body["status"], (body["code"], body["param"])) == (status, status, told)
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["instance"] == f"{path.partition('?')[0]}#{body['request_id']}"
    assert body["title"]
    assert body["error"]["message"] == body["detail"]


def test_strangers_get_problem_details_too_and_openai_its_own(site: Site, ada: dict[str, str]) -> None:
    refused = site.client.get("/api/v1/jobs", headers=ORIGIN)
    assert (refused.status_code, refused.json()["status"]) == (401, 401)
    other = site.client.get("/v1/models/none", headers=ada)
    assert (set(other.json()), other.headers["content-type"]) == ({"error"}, "application/json")


def test_unknown_fields_are_refused_by_name(site: Site, ada: dict[str, str], tone: Callable[..., bytes]) -> None:
    form = site.client.post("/api/v1/jobs", headers=ada, files={"file": ("a.wav", tone())}, data={"langauge": "de"})
    assert (form.status_code, form.json()["param"]) == (400, "langauge")
    for method, path, body in (
        ("PUT", "/api/v1/vocabulary", {"words": "Nuuk", "word": "x"}),
        ("PATCH", "/api/v1/jobs/x", {"name": "a", "owner": "bob"}),
        ("POST", "/api/v1/keys", {"name": "a", "scope": ["read"]}),
    ):
        answer = site.client.request(method, path, headers=ada, json=body)
        assert (answer.status_code, answer.json()["param"]) == (400, sorted(set(body) - {"words", "name"})[0]), path


@pytest.mark.parametrize("name", ["jobs", "keys", "batches", "webhooks", "campaigns", "shares"])
def test_a_page_that_begins_nowhere_is_refused(site: Site, name: str) -> None:
    root = site.key_of(site.user("root"))
    for wrong in ("zzz", "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"), "", "0"):
        answer = site.client.get(f"/api/v1/{name}", params={"before": wrong}, headers=root)
        assert (answer.status_code, answer.json()["param"]) == (400, "before"), wrong
    assert site.client.get(f"/api/v1/{name}", params={"before": new_id()}, headers=root).status_code == 200


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/uploads", "OPTIONS, POST"),
        ("/asr", "OPTIONS, POST"),
        ("/auth/password", "OPTIONS, POST"),
        ("/share", "OPTIONS, POST"),
        ("/uploads/a/b", None),
        ("/events", None),
        ("/audit/export/x", None),
    ],
)
def test_a_page_never_answers_for_an_api(site: Site, path: str, allowed: str | None) -> None:
    site.sign_in()
    answer = site.client.get(path, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers.get("allow")) == (405 if allowed else 404, allowed)
    assert 'id="root"' not in answer.text
    assert site.client.get(path).headers["content-type"] == "application/json"


def test_the_page_answers_for_pages_alone(site: Site) -> None:
    """Whatever route is added: what begins like it is never the empty page, unless it is a page's path."""
    known = [route for route in routes() if isinstance(route, Route | Mount | WebSocketRoute)]
    prefixes = {route.path.split("/")[1] for route in known} - {page.path for page in PAGES.values()}
    assert len(prefixes) > 15
    for name in (None, "ada"):
        if name:
            site.sign_in(name)
        assert all(SHELL in site.client.get(f"/{page.path}").text for page in PAGES.values())
        for path in (f"/{prefix}{rest}" for prefix in prefixes for rest in ("", "/", "/no/such/thing")):
            assert SHELL not in site.client.get(path).text, path


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/v1/jobs", "GET, HEAD, OPTIONS, POST"),
        ("/api/v1/jobs/x", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("/api/v1/jobs/x/notes/y", "DELETE, OPTIONS, PUT"),
        ("/api/v1/keys/x/rotate", "OPTIONS, POST"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(site: Site, ada: dict[str, str], path: str, allowed: str) -> None:
    for method in ("TRACE", "PROPFIND", "PUT" if "PUT" not in allowed else "PATCH"):
        answer = site.client.request(method, path, headers=ada)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed), method
    answer = site.client.options(path, headers=ada)
    assert (answer.status_code, answer.headers["allow"]) == (204, allowed)


def test_head_is_get_without_a_body(site: Site, ada: dict[str, str], tone: Callable[..., bytes]) -> None:
    job_id = site.client.post("/api/v1/jobs", headers=ada, files={"file": ("a.wav", tone())}).json()["id"]
    site.client.post(
        f"/api/v1/jobs/{job_id}/cancel", headers=ada
    )  # a waiting one says why it waits, and then otherwise
    for path in ("/api/v1/jobs", "/api/v1/me", f"/api/v1/jobs/{job_id}/recording", "/api/docs", "/api/v1/jobs/none"):
        plain = ada | {"Accept-Encoding": "identity"}
        head, get = (site.client.request(method, path, headers=plain) for method in ("HEAD", "GET"))
        assert (head.status_code, head.content) == (get.status_code, b""), path
        for name in ("content-type", "content-length", "etag"):
            assert path == "/api/v1/jobs/none" or head.headers.get(name) == get.headers.get(name), (path, name)
    assert "content-length" not in site.client.head("/api/v1/jobs", headers=ada).headers  # GET may compress it


def varies(answer: Response) -> set[str]:
    return set(answer.headers.get("vary", "").split(", "))


def test_what_has_not_changed_is_not_sent_again(site: Site, ada: dict[str, str], tone: Callable[..., bytes]) -> None:
    job = job_in(context.ledger(), context.files(), site.user("ada"), JobState.COMPLETED)
    for path in ("/api/v1/jobs", f"/api/v1/jobs/{job.id}", f"/api/v1/jobs/{job.id}/transcript", "/api/v1/keys"):
        first = site.client.get(path, headers=ada)
        tag = first.headers["etag"]
        assert first.headers["cache-control"] == "private, no-cache", path
        for known in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
            again = site.client.get(path, headers=ada | {"If-None-Match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), (path, known)
            assert varies(again) == varies(first), (path, known)  # RFC 9110, 15.4.5
        other = site.client.get(path, headers=ada | {"If-None-Match": '"other"'})
        assert (other.status_code, other.content) == (200, first.content), path
    stale = site.client.get("/api/v1/jobs", headers=ada).headers["etag"]
    site.client.patch(f"/api/v1/jobs/{job.id}", headers=ada, json={"name": "Another"})
    assert site.client.get("/api/v1/jobs", headers=ada | {"If-None-Match": stale}).status_code == 200


@pytest.mark.parametrize(
    ("asked", "tag", "same"),
    [
        (None, '"a"', False),
        ("*", '"a"', True),
        ('"a"', 'W/"a"', True),
        ('W/"a"', '"a"', True),
        ('"b" , W/"a"', 'W/"a"', True),
        ('"a, b"', '"a"', False),
        ("a", '"a"', False),
        ('"A"', '"a"', False),
        ("", '"a"', False),
    ],
)
def test_tags_are_compared_weakly(asked: str | None, tag: str, same: bool) -> None:
    assert fits(asked, tag) is same


def test_a_browsers_disk_keeps_nothing(site: Site) -> None:
    site.sign_in("ada")
    answer = site.client.get("/api/v1/jobs", headers=ORIGIN)
    assert answer.headers["cache-control"] == "private, no-store"
    assert (
        site.client.get("/api/v1/jobs", headers=ORIGIN | {"If-None-Match": answer.headers["etag"]}).status_code == 304
    )


def test_what_our_pages_add_to_the_urls_of_files_is_known_there_alone(site: Site, ada: dict[str, str]) -> None:
    job = job_in(context.ledger(), context.files(), site.user("ada"), JobState.QUEUED)
    assert site.client.get(f"/api/v1/jobs/{job.id}?download=1", headers=ada).status_code == 400
    answer = site.client.get(f"/api/v1/jobs/{job.id}/exports/srt?download=1&nothing=1", headers=ada)
    assert (answer.status_code, answer.json()["param"]) == (422, "nothing")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/models", "GET, HEAD, OPTIONS"),
        ("DELETE", "/v1/audio/transcriptions", "OPTIONS, POST"),
        ("PROPFIND", "/v1/models", "GET, HEAD, OPTIONS"),
        ("PROPFIND", "/api/openapi.json", "GET, HEAD, OPTIONS"),
        ("PUT", "/uploads", "OPTIONS, POST"),
        ("PUT", "/uploads/x", "DELETE, HEAD, OPTIONS, PATCH, POST"),
        ("POST", "/downloads", "GET, HEAD, OPTIONS"),
    ],
)
def test_other_paths_name_all_of_their_methods_too(
    site: Site, ada: dict[str, str], method: str, path: str, allowed: str
) -> None:
    answer = site.client.request(method, path, headers=ada)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    asked = site.client.options(path, headers=ada)
    assert asked.status_code == 204
    assert (
        path.startswith("/uploads") or asked.headers["allow"] == allowed
    )  # tus says what it can do by its own headers
    assert site.client.put("/v1/nothing", headers=ada).status_code == 404
