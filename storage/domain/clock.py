"""UTC time, and ids that sort by creation time (UUIDv7, RFC 9562)."""

import secrets
import threading
import time
from datetime import UTC, datetime
from uuid import UUID

_lock = threading.Lock()
_last = 0


def utc_now() -> datetime:
    """Return the current time, UTC-aware, in microseconds."""
    return datetime.now(UTC)


def new_id() -> str:
    """Return a UUIDv7 string, greater than all earlier ones of this process.

    The 12 bits after the milliseconds count up within a millisecond, so that keyset pages by id keep the order of
    creation.
    """
    global _last  # noqa: PLW0603
    with _lock:
        _last = max(_last + 1, time.time_ns() // 1_000_000 << 12)
        stamp = _last
    value = (stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62 | secrets.randbits(62)
    return str(UUID(int=value))
