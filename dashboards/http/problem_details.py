"""Errors of `/api` as problem details (RFC 9457)."""

from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import Scope

from dashboards.runtime.site_paths import site_path

MEDIA_TYPE = "application/problem+json"
OURS = "/api/"


class ProblemResponse(JSONResponse):
    """A response with the media type of problem details."""

    media_type = MEDIA_TYPE


def is_ours(scope: Scope | None) -> bool:
    """Return whether this path answers errors with problem details; `/v1` speaks as OpenAI does."""
    return scope is not None and scope["path"].startswith(OURS)


def problem(scope: Scope, status: int, *, error: dict[str, Any], headers: dict[str, str] | None) -> ProblemResponse:
    """Return the problem details of an error `{code, message, type, param}`.

    `code` and `param` are extension members, and so is `error`, the shape that this API had before.
    """
    request_id = scope.get("request_id", "")
    body = {
        "type": f"{site_path('/api/docs')}#{error['code']}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error["message"],
        "instance": f"{site_path(scope['path'])}#{request_id}",
        "code": error["code"],
        "param": error["param"],
        "request_id": request_id,
        "error": error,
    }
    return ProblemResponse(body, status_code=status, headers=headers)
