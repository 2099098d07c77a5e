"""Add security headers, a content security policy and a request id, and log each request."""

import base64
import hashlib
import logging
import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.http.answers import repeated_requests, request_record
from dashboards.http.error_responses import on_anything_else
from dashboards.runtime import context
from storage.remote import tracing

logger = logging.getLogger(__name__)

INLINE_SCRIPT = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
FIXED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), payment=(), usb=(), microphone=(self)",
}


@cache
def content_security_policy(bucket: str = "") -> str:
    """Return the policy; its hash allows only Streamlit's one inline script.

    Only the inlined JavaScript of components needs `blob:` scripts. `bucket` is the origin that pages send parts of
    recordings to.
    """
    import streamlit

    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    digests = [base64.b64encode(hashlib.sha256(code.encode()).digest()) for code in INLINE_SCRIPT.findall(page)]
    scripts = " ".join(f"'sha256-{digest.decode()}'" for digest in digests)
    connect = f"'self' {bucket}".rstrip()
    return (
        f"default-src 'self'; script-src 'self' {scripts} blob:; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:; "
        f"connect-src {connect}; worker-src 'self' blob:; "
        "frame-ancestors 'none'; form-action 'self'; base-uri 'self'; object-src 'none'"
    )


@cache
def _fixed(bucket: str) -> list[tuple[bytes, bytes]]:
    fixed = FIXED | {"Content-Security-Policy": content_security_policy(bucket)}
    return [(name.lower().encode(), value.encode()) for name, value in fixed.items()]


class Headers:
    """The outermost middleware: plain ASGI, so it covers Streamlit's routes at little cost."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        scope["request_id"] = repeated_requests.new_request_id()
        began, status = time.perf_counter(), 0

        async def dressed(message: Message) -> None:
            nonlocal status
            if message["type"] in {"http.response.start", "websocket.accept", "websocket.http.response.start"}:
                status = message.get("status", 101)
                self._dress(MutableHeaders(scope=message), scope)
            repeated_requests.hear(scope, message)
            await send(message)

        with _traced(scope) as answered:
            try:
                await self.app(scope, receive, dressed)
            except ClientDisconnect:
                logger.info("the client left before the answer", extra={"request_id": scope["request_id"]})
            except Exception as error:
                if status or scope["type"] != "http":
                    raise
                await (await on_anything_else(Request(scope), error))(scope, receive, dressed)
            finally:
                request = request_record.described(scope)
                answered(request.route, status)
                request_record.record(request, status, time.perf_counter() - began, scope["request_id"])

    def _dress(self, headers: MutableHeaders, scope: Scope) -> None:
        there = {name for name, _ in headers.raw}
        direct = context.current().direct_parts if context.is_up() else None
        headers.raw.extend(one for one in _fixed(direct.origin if direct else "") if one[0] not in there)
        headers["X-Request-ID"] = scope["request_id"]
        if scope.get("secure"):
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")
            headers.raw[:] = [_secure(name, value) for name, value in headers.raw]
        if scope.get("caller_known"):
            headers.setdefault("Cache-Control", "private, no-store")


def _secure(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """Return a header of an answer over https; Streamlit's own cookie lacks `Secure`."""
    is_lax = name == b"set-cookie" and b"; secure" not in value.lower()
    return (name, value + b"; Secure") if is_lax else (name, value)


def _traced(scope: Scope) -> AbstractContextManager[Callable[[str, int], None]]:
    """Return the trace of a request.

    WebSockets, and what monitoring asks all the time, have none.
    """
    if scope["type"] != "http" or scope["path"].startswith(request_record.QUIET):
        return nullcontext(lambda _route, _status: None)
    return tracing.request(scope["method"])
