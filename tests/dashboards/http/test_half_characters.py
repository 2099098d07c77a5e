"""JSON with half a character, which Python reads and nothing stores, is refused everywhere."""

import json
from typing import Any

import pytest

from tests.dashboards.site import Site

pytestmark = pytest.mark.shared_site

HALF = "half\ud800 a character"
ANY_ID = "01a22feb-8530-7000-979e-baff774973ce"
JSON = {"Content-Type": "application/json"}


def filled(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """Return a value that fits a schema, with half a character in each text."""
    for kinds in ("anyOf", "oneOf", "allOf"):
        if kinds in schema:
            return filled(next(kind for kind in schema[kinds] if kind.get("type") != "null"), schemas)
    if "$ref" in schema:
        return filled(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if schema.get("type") == "object":
        return {name: filled(each, schemas) for name, each in schema.get("properties", {"any": {}}).items()}
    if schema.get("type") == "array":
        return [filled(schema.get("items", {}), schemas)]
    text = "2027-01-01T00:00:00Z" if schema.get("format") == "date-time" else HALF
    return schema.get("enum", [{"integer": 1, "number": 1, "boolean": False}.get(schema.get("type", ""), text)])[0]


def halves(body: Any) -> list[Any]:
    """Return the body, and for each of its texts one in which it alone has half a character."""
    if not isinstance(body, dict):
        return [body]
    whole = {name: "whole" if value == HALF else value for name, value in body.items()}
    return [body, *(whole | {name: HALF} for name, value in body.items() if value == HALF)]


def test_no_route_of_the_api_stumbles_over_half_a_character(site: Site) -> None:
    root = site.key_of(site.user("root")) | JSON
    document = site.client.get("/api/openapi.json", headers=root).json()
    asked = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if schema is None:
                continue
            at = "/api" + "/".join(ANY_ID if part.startswith("{") else part for part in path.split("/"))
            for body in halves(filled(schema, document["components"]["schemas"])):
                answer = site.client.request(method, at, headers=root, content=json.dumps(body))
                assert 400 <= answer.status_code < 500, (method, path, body)
                asked += 1
    assert asked > 50


@pytest.mark.parametrize("path", ["/auth/session", "/auth/register", "/auth/reset"])
def test_no_way_in_stumbles_over_half_a_character(site: Site, path: str) -> None:
    for body in halves(dict.fromkeys(("name", "password", "token", "email"), HALF)):
        headers = JSON | {"Origin": str(site.client.base_url).rstrip("/")}
        assert site.client.post(path, headers=headers, content=json.dumps(body)).status_code == 400, body


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"name": "\xed\xa0\x80"}', "application/json"),
        ('{"name": "\\ud800"}'.encode("utf-16"), "application/json"),
        ('{"name": "\\ud800"}'.encode("utf-16-le"), "application/json"),
        (b'{"name": "\\ud800"}', "Application/JSON; charset=utf-8"),
    ],
    ids=["as bytes", "UTF-16", "UTF-16 without a mark", "another case of the type"],
)
def test_half_a_character_is_refused_however_it_is_written(site: Site, body: bytes, kind: str) -> None:
    ada = site.key_of(site.user("ada")) | {"Content-Type": kind}
    answer = site.client.post("/api/v1/keys", headers=ada, content=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "body")


def test_a_whole_character_of_two_halves_is_a_text(site: Site) -> None:
    ada = site.key_of(site.user("ada")) | JSON
    for text in ("\\ud83d\\ude00", "\\\\ud800"):  # a face, and a backslash before the letters
        answer = site.client.post("/api/v1/keys", headers=ada, content=f'{{"name": "a {text}"}}')
        assert answer.status_code == 201, answer.text
