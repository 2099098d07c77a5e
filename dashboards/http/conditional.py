"""What clients accept: entity tags, `If-None-Match` and `Accept-Encoding` (RFC 9110)."""

import hashlib
import re
from collections.abc import Awaitable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboards.http.identity import By

TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')

IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable"}
"""For files whose names hold a hash of what is in them."""


def takes_gzip(accept_encoding: str) -> bool:
    """Return whether an answer may be sent by gzip (RFC 9110, 12.5.3)."""
    weights = weights_of(accept_encoding)
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def weights_of(accept_encoding: str) -> dict[str, float]:
    """Return the codings of `Accept-Encoding` with their weights; 0 refuses one."""
    found = {}
    for entry in accept_encoding.lower().split(","):
        name, *parameters = (part.strip() for part in entry.split(";"))
        weight = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        try:
            found[name] = min(max(float(weight), 0.0), 1.0)
        except ValueError:
            found[name] = 0.0
    return found


class RefusedGzip:
    """Middleware that hides a refused gzip from Starlette's compression, which looks for the name alone."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http":
            accepted = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")
            if b"gzip" in accepted.lower() and not takes_gzip(accepted.decode("latin-1")):
                scope["headers"] = [one for one in scope["headers"] if one[0] != b"accept-encoding"]
        return self.app(scope, receive, send)


def weak_tag(body: bytes) -> str:
    """Return a weak entity tag of a representation: it may be compressed on its way."""
    return f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'


def kept_by_clients(scope: Scope) -> dict[str, str]:
    """Return the header that lets a program keep a response; a browser's disk gets none."""
    caller = scope.get("caller")
    return {"Cache-Control": "private, no-cache"} if caller and caller.by is By.KEY else {}


def fits(if_none_match: str | None, tag: str) -> bool:
    """Return whether `If-None-Match` is `*` or lists this tag, by weak comparison."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    own = TAG.fullmatch(tag)
    return own is not None and own[1] in TAG.findall(if_none_match)


def not_modified(request: Request, headers: dict[str, str]) -> Response | None:
    """Return 304 if the client has what the header `ETag` names, else None."""
    given = ", ".join(request.headers.getlist("if-none-match")) or None
    if request.method not in {"GET", "HEAD"} or not fits(given, headers["ETag"]):
        return None
    kept = {name: value for name, value in headers.items() if name in {"ETag", "Cache-Control", "Vary"}}
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=kept)
