"""For all routes of `/api`: HEAD like GET without a body, entity tags, 304.

Answers with jobs, lists of jobs and the caller are kept in memory, see `answer_cache.py`, and sent before a request
gets to the routes: those and Streamlit's middleware would take most of its time.
"""

import re
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.http.conditional import fits, kept_by_clients, weak_tag
from dashboards.http.identity import Caller
from dashboards.runtime import context
from dashboards.runtime.answer_cache import KeptAnswer

KEPT = re.compile(r"/api/v1/(?:me|jobs(?:/[^/]+)?)")
"""Routes that answer from the ledger alone, and to which it is the same who asked before."""
ZIPPED_FROM_BYTES = 1000
"""As Streamlit's compression has it."""
KEPT_WITH_304 = {"etag", "cache-control", "vary", "content-location", "date", "expires"}


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
        if (key := _key(scope)) is not None:
            answer.keep = partial(_keep, key, context.ledger().changes, scope)  # counted before anything is read
        await self.app(scope, receive, answer.send)


class KeptAnswers:
    """Middleware behind `Gate`, which sends the answers that are kept for this caller."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"} or (key := _key(scope)) is None:
            return self.app(scope, receive, send)
        holder = context.current()
        kept = holder.answers.find(key, holder.ledger.changes)
        holder.metrics.answer(kept=kept is not None)
        if kept is None:
            return self.app(scope, receive, send)
        scope["route"], scope["root_path"] = kept.route, kept.root_path
        return _sent_again(key, kept, scope, send)


async def _sent_again(key: Hashable, kept: KeptAnswer, scope: Scope, send: Send) -> None:
    """Send a kept answer as the routes would: 304, for HEAD, or compressed."""
    asked, headers, body, status = Headers(scope=scope), list(kept.start["headers"]), kept.body, int(HTTPStatus.OK)
    may_zip = len(body) >= ZIPPED_FROM_BYTES
    if fits(", ".join(asked.getlist("if-none-match")) or None, kept.tag):
        status, body = int(HTTPStatus.NOT_MODIFIED), b""
        headers = [one for one in headers if one[0].decode().lower() in KEPT_WITH_304]
    elif may_zip and "gzip" in asked.get("accept-encoding", ""):
        headers = [one for one in headers if one[0] != b"content-length"]
        if scope["method"] == "GET":
            body = context.current().answers.zipped(key, kept)
            headers += [(b"content-encoding", b"gzip"), (b"content-length", str(len(body)).encode())]
    if may_zip and status == HTTPStatus.OK:
        headers.append((b"vary", b"Accept-Encoding"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body if scope["method"] == "GET" else b""})


def _key(scope: Scope) -> Hashable | None:
    """Return what the answer depends on besides the ledger; None if it is not kept."""
    if not KEPT.fullmatch(scope["path"]):
        return None
    caller: Caller = scope["caller"]
    user = caller.user
    if user is None:
        return None
    return caller.by, user.id, user.role, caller.scopes, scope["path"], scope["query_string"]


def _keep(key: Hashable, stamp: int, scope: Scope, start: Message, body: bytes) -> None:
    kept = dict(start) | {"headers": list(start["headers"])}
    place = {"route": scope.get("route"), "root_path": scope.get("root_path", "")}
    tag = MutableHeaders(scope=start)["etag"]
    context.current().answers.keep(key, KeptAnswer(stamp=stamp, start=kept, body=body, tag=tag, **place))


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
                body = b""
            if self.method == "HEAD" and "gzip" in Headers(scope=self.scope).get("accept-encoding", ""):
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
