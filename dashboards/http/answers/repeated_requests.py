"""Send the response to a request again if a client repeats it to the letter.

What all layers decide about a request follows from the client's address, the request itself, the ledger and the
settings: who asks, whether they may, and what is answered. So the response to a request with an API key, answered from
memory after it passed every door, is sent again to the same bytes from the same address: for a second, and until
anything is committed. `BoundedHttp` does so before it parses them. Only what happens to each request by itself remains,
which is counting it.
"""

import hashlib
import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

from starlette.types import Message, Scope

from dashboards.http.answers import request_record
from dashboards.http.rate_counters import Standing, headers_of, is_over
from dashboards.runtime import context
from dashboards.runtime.answer_cache import REPEATED_FOR, Repeat
from storage.domain.clock import utc_now
from storage.remote import tracing

AS_ASKED, STAMP, START = "as_asked", "repeatable_since", "repeatable_start"
TAKE = "take_again"
REPEATED = (b"GET /", b"HEAD /")
MOST_BYTES = 8 << 10
OF_ONE_REQUEST = {b"x-request-id", b"ratelimit", b"ratelimit-policy"}
Pairs = Sequence[tuple[bytes, bytes]]


def new_request_id() -> str:
    """Return a name of a request, which opens nothing."""
    return f"{random.getrandbits(64):016x}"


def digest_of(data: bytes, address: str) -> bytes | None:
    """Return a digest of a request's bytes and sender; None if none is kept.

    Its headers have a secret, which is kept nowhere.
    """
    if len(data) > MOST_BYTES or not data.startswith(REPEATED) or not context.is_up():
        return None
    return hashlib.sha256(address.encode() + b"\0" + data).digest()


def response_to(asked: bytes, usual: Pairs) -> bytes | None:
    """Return the response to a repeated request, if there is one.

    The request is counted like all. The layers refuse a caller over a limit. `usual` are the headers that the server
    adds to every response.
    """
    began, holder = time.perf_counter(), context.current()
    kept = holder.answers.repeated(asked, holder.ledger.changes)
    if kept is None or is_over(standings := kept.take()):
        return None
    holder.key_requests.add(kept.key_id)
    holder.metrics.answer(kept=True)
    request_id = new_request_id()
    of_this = [*usual, (b"x-request-id", request_id.encode()), *(headers_of(standings) if standings else ())]
    head = b"".join(b"%s: %s\r\n" % pair for pair in of_this)
    request_record.record(kept.request, kept.status, time.perf_counter() - began, request_id)
    return b"%s%s\r\n%s" % (kept.head, head, kept.body)


def note(scope: Scope, asked: bytes) -> None:
    """Note what a request consists of, before a layer changes it."""
    scope[AS_ASKED] = asked


def allow(scope: Scope, stamp: int) -> None:
    """Let the response to this request be kept.

    It comes from memory, and was read when the ledger's count was `stamp`.
    """
    if AS_ASKED in scope and scope["caller"].key_id and not tracing.is_on():
        scope[STAMP] = stamp


def forbid(scope: Scope) -> None:
    """Let the response to this request not be kept."""
    scope.pop(AS_ASKED, None)


def hear(scope: Scope, message: Message) -> None:
    """Keep the response of which this message is a part, if it may be."""
    if STAMP not in scope:
        return
    if message["type"] == "http.response.start":
        scope[START] = message
    elif message["type"] == "http.response.body" and not message.get("more_body") and START in scope:
        _keep(scope, scope[START], message.get("body", b""))


def _keep(scope: Scope, start: Message, body: bytes) -> None:
    caller, now = scope["caller"], utc_now()
    ends: datetime = caller.ends_at
    take: Callable[[], Sequence[Any]] = scope.get(TAKE, _unlimited)
    headers = [one for one in start["headers"] if one[0].lower() not in OF_ONE_REQUEST]
    repeat = Repeat(
        stamp=scope[STAMP],
        until=min(now + REPEATED_FOR, ends),
        key_id=caller.key_id,
        take=take,
        request=request_record.described(scope),
        status=start["status"],
        head=_head(start["status"], headers),
        body=body,
    )
    context.current().answers.repeats.keep(scope[AS_ASKED], repeat)


def _head(status: int, headers: Pairs) -> bytes:
    """Return the beginning of a response as it is sent."""
    line = b"HTTP/1.1 %d %s\r\n" % (status, HTTPStatus(status).phrase.encode())
    return line + b"".join(b"%s: %s\r\n" % (name.lower(), value) for name, value in headers)


def _unlimited() -> Sequence[Standing]:
    """Count towards nothing: there are no limits."""
    return ()
