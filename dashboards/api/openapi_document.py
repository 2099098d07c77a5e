"""The OpenAPI document of `/api`, completed with what applies to all of its routes."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from dashboards.http.problem_details import MEDIA_TYPE
from dashboards.http.route_scopes import ROUTE_SCOPES
from dashboards.runtime.site_paths import site_path

NOT_MODIFIED = {"description": "Not modified since the response with the `ETag` in `If-None-Match`."}
NO_CACHE = {"/v1/events"}
PREFIX = "/api"


def document_of(api: FastAPI) -> Callable[[], dict[str, Any]]:
    """Return the function that makes the document; all but its server once."""

    def document() -> dict[str, Any]:
        if api.openapi_schema is None:
            made = get_openapi(title=api.title, version=api.version, description=api.description, routes=api.routes)
            for path, operations in made["paths"].items():
                for method, operation in operations.items():
                    _complete(path, method.upper(), operation)
            api.openapi_schema = made
        return {**api.openapi_schema, "servers": [{"url": site_path(PREFIX)}]}

    return document


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Add the scope and 304, and give errors their media type."""
    scope = ROUTE_SCOPES[PREFIX + path][method]
    about = operation.get("description", "")
    operation["description"] = f"{about}\n\nA key needs the scope `{scope}`." if scope else about
    operation["x-scope"] = scope.value if scope else None
    responses = operation["responses"]
    for status, response in responses.items():
        if status.isdigit() and int(status) >= 400 and "application/json" in response.get("content", {}):
            response["content"] = {MEDIA_TYPE: response["content"]["application/json"]}
    if method == "GET" and path not in NO_CACHE:
        responses["304"] = NOT_MODIFIED
