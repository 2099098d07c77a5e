"""The OpenAPI document says what the routes do: all of them, their statuses and examples."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from dashboards.http.route_scopes import ROUTE_SCOPES
from tests.dashboards.heard import Growing, hear
from tests.dashboards.http.test_access_middleware import filled
from tests.dashboards.site import ORIGIN, Site

pytestmark = pytest.mark.shared_site

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


def test_examples_of_responses_fit_their_schemas(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name in ("JobBody", "JobList", "Transcript", "ProblemBody"):
        (example,) = schemas[name]["examples"]
        schema = {"$ref": f"#/components/schemas/{name}"}
        assert problems_of(document, schema, example) == []
        assert problems_of(document, schema, example | dict.fromkeys(("segments", "jobs", "id", "type"), 1))
    told = set()
    for method, path, operation in operations(document):
        for status, response in operation["responses"].items():
            for content in response.get("content", {}).values():
                if "example" in content:
                    assert problems_of(document, content["schema"], content["example"]) == [], (method, path, status)
                    assert str(content["example"]["status"]) == status
                    told.add(status)
    assert told == {"400", "401", "403", "404", "429"}


def test_responses_fit_their_schemas(site: Site, document: dict[str, Any]) -> None:
    ada = site.user("ada")
    key, heard, growing = site.key_of(ada), hear(ada), Growing(ada, name="growing.flac")
    growing.say(2)
    transcript = "/v1/jobs/{job_id}/transcript"
    asked = (
        ("/v1/jobs", heard.id, ""),
        ("/v1/jobs/{job_id}", heard.id, ""),
        (transcript, heard.id, ""),
        (transcript, growing.job.id, "?partial=true"),
        ("/v1/jobs/{job_id}/versions/{number}", heard.id, ""),
    )
    for path, job_id, query in asked:
        answer = site.client.get(f"/api{path.format(job_id=job_id, number=1)}{query}", headers=key)
        schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert (answer.status_code, problems_of(document, schema, answer.json())) == (200, []), path


def problems_of(document: dict[str, Any], schema: dict[str, Any], value: object) -> list[str]:
    """Return how a value differs from a schema of the document."""
    whole = {"components": document["components"], "allOf": [schema]}
    return [error.message for error in Draft202012Validator(whole).iter_errors(value)]
