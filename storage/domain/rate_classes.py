"""Rate limits: their classes, and how they are written in settings."""

import re
from dataclasses import dataclass
from enum import StrEnum

from storage.domain.errors import BadRequest

OFF = "off"
WRITTEN = re.compile(r"(\d{1,9}) per (?:(\d{1,6}) )?(second|minute|hour|day)s?")
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


class RateClass(StrEnum):
    """What is limited together; the value is the policy's name in `RateLimit` headers."""

    AUTH = "auth"
    API = "api"
    UPLOAD = "upload"
    ADMIN = "admin"
    GENERAL = "general"
    WEBSOCKET = "websocket"


OF_THE_KEY = "key"
"""The policy's name of a key's own limit, which is a part of its grant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """The most requests of one caller within a sliding window."""

    amount: int
    window_s: int


def parse(text: str) -> RateLimit | None:
    """Read a limit such as `100 per 5 minutes`; None for `off`.

    Raises:
        BadRequest: it is neither.
    """
    words = " ".join(text.lower().split())
    if words == OFF:
        return None
    found = WRITTEN.fullmatch(words)
    amount, window_s = (int(found[1]), int(found[2] or 1) * SECONDS[found[3]]) if found else (0, 0)
    if not amount or not window_s:
        raise BadRequest("TRANSCRIBER_RATE_LIMIT_…", f"{text!r} is no limit; write `100 per 5 minutes`, or `{OFF}`")
    return RateLimit(amount=amount, window_s=window_s)
