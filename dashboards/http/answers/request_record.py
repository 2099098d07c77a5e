"""Record each request that was answered: its time, a count, a line of the log."""

import logging
from dataclasses import dataclass

from starlette.types import Scope

from dashboards.http import json_logs
from dashboards.runtime import context, request_timings, security_log

logger = logging.getLogger("dashboards.access")

QUIET = ("/livez", "/readyz", "/_stcore/health", "/static/", "/internal/v1/heartbeats")
"""What monitoring and pages ask all the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """What is recorded of a request.

    `timing` is what its route is called there; `path` has no secret.
    """

    kind: str
    method: str
    path: str
    route: str
    timing: str
    who: str | None
    job_id: str | None
    is_quiet: bool


def described(scope: Scope) -> RecordedRequest:
    """Return what is recorded of a request."""
    method, route = scope.get("method", "WEBSOCKET"), request_timings.template_of(scope)
    return RecordedRequest(
        kind=scope["type"],
        method=method,
        path=security_log.without_secret(scope["path"]),
        route=route,
        timing=request_timings.named(method, route),
        who=scope.get("who"),
        job_id=scope.get("path_params", {}).get("job_id"),
        is_quiet=scope["path"].startswith(QUIET),
    )


def record(request: RecordedRequest, status: int, took_s: float, request_id: str) -> None:
    """Count and log a request that was answered."""
    if request.kind == "http" and context.is_up():
        holder = context.current()
        holder.timings.note(request.timing, status, took_s)
        holder.metrics.request(request.method, request.route, status, took_s)
    if request.is_quiet and status < 400:
        return
    told: dict[str, str | float | None] = {
        "request_id": request_id,
        "took_ms": round(1000 * took_s, 1),
        "who": request.who,
    }
    if request.job_id:
        told["job"] = request.job_id
    json_logs.info(logger, f"{request.method} {request.path} {status}", told)
