"""For all routes of `/api`: HEAD like GET without a body, entity tags, 304."""

from collections.abc import Callable
from functools import partial

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.http.answers.kept_answers import KEPT_WITH_304, ZIPPED_FROM_BYTES, keep, key_of
from dashboards.http.conditional import fits, kept_by_clients, takes_gzip, weak_tag
from dashboards.runtime import context


class Semantics:
    """Middleware of the API's app."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            await self.app(scope, receive, send)
            return
        answer = _Answer(scope, send)
        scope["method"] = "GET"  # until the response starts; the server omits the body of a response to HEAD
        try:
            await self._answered(scope, receive, answer)
        except _EnoughSent:
            pass
        finally:
            scope["method"] = answer.method

    async def _answered(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        """Make the answer, and keep it for this caller."""
        if (key := key_of(scope)) is not None:
            answer.keep = partial(keep, key, context.ledger().changes, scope)  # counted before anything is read
        await self.app(scope, receive, answer.send)


class _EnoughSent(Exception):
    """The headers of a streamed response are all that a HEAD request gets."""


class _Answer:
    """Holds the start of a response until its first block, to tag a whole one."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope, self.method, self.forward = scope, scope["method"], send
        given = Headers(scope=scope).getlist("if-none-match")
        self.asked = ", ".join(given) or None
        self.start: Message | None = None
        self.keep: Callable[[Message, bytes], None] | None = None

    async def send(self, message: Message) -> None:
        """Pass on a message of the response."""
        if message["type"] == "http.response.start":
            self.start = message
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if self.start is not None:
            start, self.start = self.start, None
            self.scope["method"] = self.method
            if not more and self._is_tagged(start, body):
                if len(body) >= ZIPPED_FROM_BYTES:
                    MutableHeaders(scope=start).add_vary_header("Accept-Encoding")  # as the whole answer has it
                body = b""
            if self.method == "HEAD" and takes_gzip(Headers(scope=self.scope).get("accept-encoding", "")):
                _forget_length(start)
            await self.forward(start)
        if self.method == "HEAD" and message["type"] == "http.response.body":
            await self.forward({"type": "http.response.body", "body": b"", "more_body": False})
            raise _EnoughSent
        if message["type"] == "http.response.body":
            message["body"] = body
        await self.forward(message)

    def _is_tagged(self, start: Message, body: bytes) -> bool:
        """Tag a whole JSON response; return whether it became 304."""
        headers = MutableHeaders(scope=start)
        if start["status"] != 200 or not headers.get("content-type", "").startswith("application/json"):
            return False
        if "etag" not in headers and headers.get("cache-control") is None:
            headers["ETag"] = weak_tag(body)
            headers.update(kept_by_clients(self.scope))
            if self.keep:
                self.keep(start, body)
        if "etag" not in headers or not fits(self.asked, headers["etag"]):
            return False
        start["status"] = 304
        start["headers"] = [one for one in start["headers"] if one[0].decode().lower() in KEPT_WITH_304]
        return True


def _forget_length(start: Message) -> None:
    """Remove the length of JSON, which GET would compress on the way out."""
    headers = MutableHeaders(scope=start)
    if "json" in headers.get("content-type", "") and "content-length" in headers:
        del headers["content-length"]
