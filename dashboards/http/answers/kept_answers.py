"""Send answers with jobs, lists of jobs and the caller from memory, see `answer_cache.py`.

They are sent before a request gets to the routes: those and Streamlit's middleware would take most of its time.
"""

import re
from collections.abc import Awaitable, Hashable
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.http.answers import repeated_requests
from dashboards.http.conditional import fits, takes_gzip
from dashboards.http.identity import Caller
from dashboards.runtime import context
from dashboards.runtime.answer_cache import KeptAnswer, Underway

KEPT = re.compile(r"/api/v1/(?:me|jobs(?:/[^/]+)?)")
"""Routes that answer from the ledger alone, and to which it is the same who asked before."""
ZIPPED_FROM_BYTES = 1000
"""As Streamlit's compression has it."""
KEPT_WITH_304 = {"etag", "cache-control", "vary", "content-location", "date", "expires"}


class KeptAnswers:
    """Middleware behind `Gate`, which sends the answers that are kept for this caller."""

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.underway = app, Underway()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"} or (key := key_of(scope)) is None:
            return self.app(scope, receive, send)
        if (sent := _kept(key, scope, send)) is not None:
            return sent
        return self._made(key, scope, receive, send)

    async def _made(self, key: Hashable, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the routes answer, or wait for the same answer that they are making."""
        if await self.underway.waited(key) and (sent := _kept(key, scope, send)) is not None:
            await sent
            return
        context.current().metrics.answer(kept=False)
        done = self.underway.begin(key)

        async def begun(message: Message) -> None:
            done()  # it is kept by now; others do not wait for a client that reads slowly
            await send(message)

        try:
            await self.app(scope, receive, begun)
        finally:
            done()


def _kept(key: Hashable, scope: Scope, send: Send) -> Awaitable[None] | None:
    """Send the answer that is kept, if there is one."""
    holder = context.current()
    stamp = holder.ledger.changes
    if (kept := holder.answers.find(key, stamp)) is None:
        return None
    holder.metrics.answer(kept=True)
    scope["route"], scope["root_path"] = kept.route, kept.root_path
    repeated_requests.allow(scope, stamp)
    return _sent_again(key, kept, scope, send)


async def _sent_again(key: Hashable, kept: KeptAnswer, scope: Scope, send: Send) -> None:
    """Send a kept answer as the routes would: 304, for HEAD, or compressed."""
    asked, headers, body, status = Headers(scope=scope), list(kept.start["headers"]), kept.body, int(HTTPStatus.OK)
    may_zip = len(body) >= ZIPPED_FROM_BYTES
    if fits(", ".join(asked.getlist("if-none-match")) or None, kept.tag):
        status, body = int(HTTPStatus.NOT_MODIFIED), b""
        headers = [one for one in headers if one[0].decode().lower() in KEPT_WITH_304]
    elif may_zip and takes_gzip(asked.get("accept-encoding", "")):
        headers = [one for one in headers if one[0] != b"content-length"]
        if scope["method"] == "GET":
            body = context.current().answers.zipped(key, kept)
            headers += [(b"content-encoding", b"gzip"), (b"content-length", str(len(body)).encode())]
    if may_zip:
        headers.append((b"vary", b"Accept-Encoding"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body if scope["method"] == "GET" else b""})


def key_of(scope: Scope) -> Hashable | None:
    """Return what the answer depends on besides the ledger; None if it is not kept."""
    if not KEPT.fullmatch(scope["path"]):
        return None
    caller: Caller = scope["caller"]
    user = caller.user
    if user is None:
        return None
    return caller.by, user.id, user.role, caller.scopes, scope["path"], scope["query_string"]


def keep(key: Hashable, stamp: int, scope: Scope, start: Message, body: bytes) -> None:
    """Keep an answer that was read when the ledger's count was `stamp`."""
    kept = dict(start) | {"headers": list(start["headers"])}
    place = {"route": scope.get("route"), "root_path": scope.get("root_path", "")}
    tag = MutableHeaders(scope=start)["etag"]
    context.current().answers.keep(key, KeptAnswer(stamp=stamp, start=kept, body=body, tag=tag, **place))
