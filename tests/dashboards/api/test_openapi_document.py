"""The OpenAPI document says what the routes do: all of them, their statuses and examples."""

from typing import Any

import pytest

from dashboards.http.route_scopes import ROUTE_SCOPES
from tests.dashboards.http.test_access_middleware import filled
from tests.dashboards.site import ORIGIN, Site

HIDDEN = {"/api/docs", "/api/docs/assets/anything", "/api/openapi.json", "/api/v1/jobs/{job_id}/files/{fmt}"}
ENDLESS = "/v1/events"
Operation = dict[str, Any]


@pytest.fixture
def document(site: Site) -> dict[str, Any]:
    told: dict[str, Any] = site.client.get("/api/openapi.json", headers=site.key_of(site.user("ada"))).json()
    return told


def operations(document: dict[str, Any]) -> list[tuple[str, str, Operation]]:
    return [(method.upper(), path, one) for path, by in document["paths"].items() for method, one in by.items()]


def test_every_route_is_documented_with_its_scope(document: dict[str, Any]) -> None:
    routes = {
        (method, path, scope)
        for path, scopes in ROUTE_SCOPES.items()
        for method, scope in scopes.items()
        if path.startswith("/api/") and path not in HIDDEN
    }
    assert {(method, f"/api{path}", one["x-scope"]) for method, path, one in operations(document)} == routes
    assert document["servers"] == [{"url": "/api"}]


def test_every_response_has_a_documented_status_and_type(site: Site, document: dict[str, Any]) -> None:
    people = {name: site.key_of(site.user(name)) for name in ("ada", "root", "rex")} | {"nobody": ORIGIN}
    seen = set()
    for method, path, operation in operations(document):
        if path == ENDLESS:
            continue
        for query in ("", "?nonsense=1"):
            for who, headers in people.items():
                url = f"/api{filled(path)}{query}"
                answer = site.client.request(method, url, headers=headers, follow_redirects=False)
                documented = operation["responses"]
                assert str(answer.status_code) in documented, (who, method, url, answer.status_code, answer.text)
                kinds = documented[str(answer.status_code)].get("content", {})
                kind = answer.headers.get("content-type", "").partition(";")[0]
                assert not answer.content or kind in kinds, (who, method, url, kind, list(kinds))
                seen.add(answer.status_code)
    assert {200, 400, 401, 403, 404} <= seen


def test_every_body_has_an_example(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema = content["schema"]
            if "$ref" in schema:
                schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            examples = [one for one in schema["properties"].values() if "examples" in one or "example" in one]
            assert examples, (method, path)
