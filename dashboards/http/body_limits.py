"""Bound the size and time of request bodies, by route, while they stream.

A Content-Length is only a promise, so bytes are counted as they come.
"""

import asyncio
import time
from dataclasses import dataclass
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.http.error_responses import error_answer
from dashboards.http.traffic import Traffic, traffic_of
from dashboards.runtime import context
from storage.domain.errors import DiskNearlyFull

MIB = 1 << 20
USUAL_BYTES, EDIT_BYTES, REPORT_BYTES, BATCH_BYTES = 1 * MIB, 32 * MIB, 16 * MIB, 4 * MIB
FORM_EXTRA_BYTES = 2 * MIB
PAUSE_S, SMALL_BODY_S = 60.0, 120.0
RETRY_AFTER_S = 60
TRANSFERS = ("/uploads", "/internal/v1/jobs", "/api/v1/jobs", "/asr", "/detect-language")
"""Paths that take recordings, beside those below `/uploads/` and `/v1/audio/`; their own limits are below this one."""
ABOUT_RECORDINGS = ("/uploads/again", "/uploads/direct")
"""Paths below `/uploads/` that take JSON; with those below them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimit:
    """The most bytes and seconds of a body, and the longest pause in it."""

    size_bytes: int
    whole_s: float | None
    pause_s: float = PAUSE_S


def limit_of(method: str, path: str) -> BodyLimit:
    """Return the limit of a request's body."""
    if path == "/internal/v1/reports":
        return BodyLimit(size_bytes=REPORT_BYTES, whole_s=SMALL_BODY_S)
    if path.startswith("/api/v1/jobs/") and path.endswith(("/transcript", "/alignment")) and method in {"PUT", "POST"}:
        return BodyLimit(size_bytes=EDIT_BYTES, whole_s=SMALL_BODY_S)
    if path == "/api/v1/batches" and method == "POST":
        return BodyLimit(size_bytes=BATCH_BYTES, whole_s=SMALL_BODY_S)
    recording = path in TRANSFERS or path.startswith(("/uploads/", "/v1/audio/"))
    if recording and not path.startswith(ABOUT_RECORDINGS) and method in {"POST", "PATCH"}:
        return BodyLimit(size_bytes=context.settings().web.max_upload_bytes + FORM_EXTRA_BYTES, whole_s=None)
    return BodyLimit(size_bytes=USUAL_BYTES, whole_s=SMALL_BODY_S)


class Bounded:
    """Middleware that refuses bodies beyond their route's limit."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if _brings_a_recording(scope["method"], scope["path"]) and context.current().disks.low:
            await _refused(scope, receive, send)
            return
        limit = limit_of(scope["method"], scope["path"])
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdigit() and int(declared) > limit.size_bytes:
            refusal = too_large(limit)
            await error_answer(
                refusal.status_code,
                code="body_too_large",
                message=refusal.detail,
                headers={"Connection": "close"},
                scope=scope,
            )(scope, receive, send)
            return
        await self.app(scope, _Body(receive, limit).receive, send)


def _brings_a_recording(method: str, path: str) -> bool:
    return method == "POST" and (traffic_of(method, path) is Traffic.UPLOAD or path in {"/internal/v1/jobs", "/share"})


async def _refused(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a new recording because a disk is nearly full."""
    try:
        context.current().disks.require_room()
    except DiskNearlyFull as error:
        headers = {"Connection": "close", "Retry-After": str(RETRY_AFTER_S)}
        answer = error_answer(error.status, code=error.code, message=str(error), headers=headers, scope=scope)
        await answer(scope, receive, send)


class _Body:
    """Counts the bytes and seconds of one body."""

    __slots__ = ("began_s", "ended", "limit", "size_bytes", "source")

    def __init__(self, source: Receive, limit: BodyLimit) -> None:
        self.source, self.limit = source, limit
        self.size_bytes, self.ended = 0, False
        self.began_s: float | None = None

    async def receive(self) -> Message:
        """Receive a block; after the body, wait for the client to leave.

        Raises:
            HTTPException: it is too large, or too slow.
        """
        if self.ended:
            return await self.source()
        try:
            async with asyncio.timeout(self._patience_s()):
                message = await self.source()
        except TimeoutError:
            raise HTTPException(
                HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive in time; send it again", {"Connection": "close"}
            ) from None
        self.ended = message["type"] != "http.request" or not message.get("more_body", False)
        size_bytes = len(message.get("body", b""))
        self.size_bytes += size_bytes
        if self.limit.whole_s is None and size_bytes:
            context.current().metrics.received(size_bytes)
        if self.size_bytes > self.limit.size_bytes:
            raise too_large(self.limit)
        return message

    def _patience_s(self) -> float:
        if self.limit.whole_s is None:
            return self.limit.pause_s
        now = time.monotonic()
        self.began_s = now if self.began_s is None else self.began_s
        return max(0.0, min(self.limit.pause_s, self.began_s + self.limit.whole_s - now))


def too_large(limit: BodyLimit) -> HTTPException:
    """Return the refusal of a body beyond its limit."""
    told = f"the body of this request may have at most {limit.size_bytes / MIB:,.0f} MiB"
    return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, told, {"Connection": "close"})
