"""What a request is for, by its route, and which rate limit it counts towards.

Whatever the pages of a browser send for themselves is not limited: a page is many requests, and a folder of 500 files
as many uploads. Programs have keys.
"""

import re
from enum import StrEnum
from typing import assert_never

from dashboards.http.identity import By
from storage.domain.rate_classes import RateClass


class Traffic(StrEnum):
    """What a request is for."""

    PAGE = "page"
    PROBE = "probe"
    WORKER = "worker"
    LOGIN = "login"
    DATA = "data"
    UPLOAD = "upload"
    UPLOAD_PART = "upload part"
    ADMIN = "administration"
    SENDING = "sending elsewhere"
    OTHER = "other"


ROUTES: tuple[tuple[str, Traffic], ...] = (
    ("* /livez", Traffic.PROBE),
    ("* /readyz", Traffic.PROBE),
    ("* /metrics", Traffic.PROBE),
    ("* /_stcore/health", Traffic.PROBE),
    ("* /_stcore/metrics", Traffic.PROBE),
    ("* /internal/*", Traffic.WORKER),
    ("POST /auth/session", Traffic.LOGIN),
    ("POST /auth/session/renew", Traffic.LOGIN),
    ("POST /auth/password", Traffic.LOGIN),
    ("POST /auth/register", Traffic.LOGIN),
    ("POST /auth/reset", Traffic.LOGIN),
    ("GET /auth/oidc/callback", Traffic.LOGIN),
    ("GET /auth/oidc/start", Traffic.OTHER),
    ("POST /shared/{}", Traffic.LOGIN),
    ("* /shared/{}", Traffic.OTHER),
    ("* /shared/{}/files/*", Traffic.OTHER),
    ("POST /share", Traffic.OTHER),
    ("POST /uploads", Traffic.UPLOAD),
    ("POST /uploads/again", Traffic.UPLOAD),
    ("POST /uploads/direct", Traffic.UPLOAD),
    ("POST /api/v1/jobs", Traffic.UPLOAD),
    ("POST /api/v1/batches", Traffic.UPLOAD),
    ("POST /api/v1/s3-events", Traffic.UPLOAD),
    ("POST /v1/audio/*", Traffic.UPLOAD),
    ("POST /asr", Traffic.UPLOAD),
    ("POST /detect-language", Traffic.UPLOAD),
    ("GET /uploads/known", Traffic.DATA),
    ("* /uploads", Traffic.UPLOAD_PART),
    ("* /uploads/*", Traffic.UPLOAD_PART),
    ("* /api/v1/admin/*", Traffic.ADMIN),
    ("* /api/v1/campaigns", Traffic.ADMIN),
    ("* /api/v1/campaigns/*", Traffic.ADMIN),
    ("* /api/v1/users", Traffic.ADMIN),
    ("* /api/v1/users/*", Traffic.ADMIN),
    ("* /api/v1/shares", Traffic.ADMIN),
    ("* /api/v1/jobs/{}/shares/{}", Traffic.ADMIN),
    ("POST /api/v1/jobs/{}/summary", Traffic.SENDING),
    ("* /api/*", Traffic.DATA),
    ("* /v1/*", Traffic.DATA),
    ("* /events", Traffic.DATA),
    ("* /recordings/*", Traffic.DATA),
    ("* /downloads", Traffic.DATA),
    ("* /downloads/*", Traffic.DATA),
    ("* /audit/*", Traffic.ADMIN),
    ("* /prefect", Traffic.ADMIN),
    ("* /account/*", Traffic.OTHER),
    ("* *", Traffic.PAGE),
)
"""Methods and paths, first match first; `*` is anything, `{}` one part of a path."""


def _pattern(route: str) -> str:
    method, _, path = route.partition(" ")
    path = re.escape(path).replace(r"\*", ".*").replace(r"\{\}", "[^/]+")
    return f"({r'[^ ]*' if method == '*' else method} {path})"


_ROUTES = re.compile("|".join(_pattern(route) for route, _ in ROUTES), re.DOTALL)


def traffic_of(method: str, path: str) -> Traffic:
    """Return what a request is for."""
    found = _ROUTES.fullmatch(f"{method} {path}")
    return ROUTES[found.lastindex - 1][1] if found and found.lastindex else Traffic.OTHER


def rate_class_of(traffic: Traffic, by: By, *, is_open: bool) -> RateClass | None:
    """Return which limit a request counts towards; None if it is not limited.

    `is_open` says that nobody has to be logged in for it.
    """
    match traffic:
        case Traffic.PAGE:
            unlimited = is_open or by is By.SESSION
        case Traffic.PROBE:
            unlimited = is_open or by is not By.NOTHING
        case Traffic.WORKER:
            unlimited = by in {By.WORKER, By.OPERATOR}
        case Traffic.UPLOAD_PART:
            unlimited = by in {By.SESSION, By.KEY}
        case Traffic.LOGIN:
            return RateClass.AUTH
        case Traffic.DATA:
            unlimited = by is By.SESSION
            return RateClass.API if by is By.KEY else None if unlimited else RateClass.GENERAL
        case Traffic.UPLOAD:
            unlimited = by is By.SESSION
            return RateClass.UPLOAD if by is By.KEY else None if unlimited else RateClass.GENERAL
        case Traffic.ADMIN:
            return RateClass.ADMIN if by in {By.SESSION, By.KEY} else RateClass.GENERAL
        case Traffic.OTHER | Traffic.SENDING:
            by_key = by is By.KEY and traffic is Traffic.SENDING
            return RateClass.API if by_key else RateClass.GENERAL
        case _:
            assert_never(traffic)
    return None if unlimited else RateClass.GENERAL
