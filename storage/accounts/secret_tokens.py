"""The ledger stores the SHA-256 of random tokens, and their last use.

Tokens of sessions, keys, workers, invitations and links are random, so a slow hash would add nothing.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from duckdb import TransactionException

from storage.ledger.database import Ledger

TOUCH_AFTER = timedelta(minutes=1)


def sha256_of(token: str) -> str:
    """Return the hash under which the ledger stores a token; any text has one."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def record_use(
    ledger: Ledger, touch: Callable[..., None], ident: str, *, last_used_at: datetime | None, now: datetime
) -> None:
    """Call `touch(con, ident, now=now)` if the last use was a minute ago or more."""
    if last_used_at is None or now - last_used_at >= TOUCH_AFTER:
        with suppress(TransactionException):  # another thread has just recorded it
            ledger.note(touch, ident, now=now)
