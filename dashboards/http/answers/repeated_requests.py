"""Send the response to a request again if a client repeats it to the letter.

What all layers decide about a request follows from the client's address, the request itself, the ledger and the
settings: who asks, whether they may, and what is answered. So the response to a request with an API key, answered from
memory after it passed every door, is sent again to the same request from the same address: for a second, and until
anything is committed. Only what happens to each request by itself remains, which is counting it.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from starlette.types import Message, Scope, Send

from dashboards.http.rate_counters import Standing, headers_of, is_over
from dashboards.runtime import context
from dashboards.runtime.answer_cache import REPEATED_FOR, Repeat
from storage.domain.clock import utc_now

REPEATED = "/api/v1/"
AS_ASKED, STAMP, START = "as_asked", "repeatable_since", "repeatable_start"
TAKE = "take_again"
OF_ONE_REQUEST = {b"x-request-id", b"ratelimit", b"ratelimit-policy"}


class Repetition:
    """A repeated request, which was counted towards its limits."""

    __slots__ = ("kept", "standings")

    def __init__(self, kept: Repeat, standings: Sequence[Standing]) -> None:
        self.kept, self.standings = kept, standings

    async def answer(self, request_id: str, send: Send) -> None:
        """Send the response again."""
        headers = [*self.kept.headers, (b"x-request-id", request_id.encode())]
        if self.standings:
            headers += headers_of(self.standings)
        await send({"type": "http.response.start", "status": self.kept.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.kept.body})


def find(scope: Scope) -> Repetition | None:
    """Return the repetition that a request is, if there is one.

    The layers refuse a caller over a limit. What the request consists of is noted before one of them changes it.
    """
    if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"} or REPEATED not in scope["path"]:
        return None
    if not context.is_up():
        return None
    holder = context.current()
    scope[AS_ASKED] = asked = _as_asked(scope)
    kept = holder.answers.repeated(asked, holder.ledger.changes)
    if kept is None or is_over(standings := kept.take()):
        return None
    holder.key_requests.add(kept.key_id)
    holder.metrics.answer(kept=True)
    scope["who"] = kept.who
    scope.update(kept.place)
    return Repetition(kept, standings)


def _as_asked(scope: Scope) -> bytes:
    """Return a digest of the request, since its headers have a secret."""
    address = client[0] if (client := scope.get("client")) else None
    target = scope["raw_path"], scope["query_string"], scope["scheme"]
    return hashlib.sha256(repr((address, scope["method"], target, list(scope["headers"]))).encode()).digest()


def allow(scope: Scope, stamp: int) -> None:
    """Let the response to this request be kept.

    It comes from memory, and was read when the ledger's count was `stamp`.
    """
    if AS_ASKED in scope and scope["caller"].key_id:
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
    repeat = Repeat(
        stamp=scope[STAMP],
        until=min(now + REPEATED_FOR, ends),
        key_id=caller.key_id,
        who=scope["who"],
        take=take,
        place={name: scope[name] for name in ("route", "root_path")},
        status=start["status"],
        headers=[one for one in start["headers"] if one[0].lower() not in OF_ONE_REQUEST],
        body=body,
    )
    context.current().answers.repeats.keep(scope[AS_ASKED], repeat)


def _unlimited() -> Sequence[Standing]:
    """Count towards nothing: there are no limits."""
    return ()
