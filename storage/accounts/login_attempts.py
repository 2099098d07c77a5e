"""Limit password guessing and bulk registration: attempts are counted by name and client."""

import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from duckdb import DuckDBPyConnection, TransactionException

from storage.domain.clock import new_id, utc_now
from storage.domain.errors import TooManyTries

WINDOW_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class TryLimits:
    """The most attempts within the window."""

    per_name_and_client: int = 5
    per_client: int = 20
    per_name: int = 50


LIMITS = TryLimits()
REGISTER, LINK = "\tregister", "\tlink"
"""Keys for attempts without a name; no user name begins with a tab."""

TRIES = """
SELECT count(*) FILTER (WHERE name_key = $name_key AND client = $client),
       count(*) FILTER (WHERE client = $client),
       count(*) FILTER (WHERE name_key = $name_key),
       min(tried_at) FILTER (WHERE name_key = $name_key OR client = $client)
FROM login_tries WHERE tried_at > $since
"""
ADD_TRY = "INSERT INTO login_tries (id, name_key, client, tried_at) VALUES ($id, $name_key, $client, $tried_at)"

_lock = threading.Lock()


def count(con: DuckDBPyConnection, key: str, client: str, *, limits: TryLimits = LIMITS) -> None:
    """Count an attempt; call it through `Ledger.note`, so that failures stay counted.

    Raises:
        TooManyTries: too many within five minutes for this name or from this client.
    """
    now = utc_now()
    with _lock:
        found = {"name_key": key, "client": client, "since": now - timedelta(seconds=WINDOW_S)}
        both, by_client, by_key, oldest = con.execute(TRIES, found).fetchall()[0]
        if both >= limits.per_name_and_client or by_client >= limits.per_client or by_key >= limits.per_name:
            raise TooManyTries(max(1, WINDOW_S - int((now - oldest).total_seconds())))
        con.execute(ADD_TRY, {"id": new_id(), "name_key": key, "client": client, "tried_at": now})


FORGET = "DELETE FROM login_tries WHERE name_key = $name_key AND client = $client OR tried_at < $since"


def forget(con: DuckDBPyConnection, key: str, client: str) -> None:
    """Reset the count for this name and client."""
    since = utc_now() - timedelta(seconds=WINDOW_S)
    with _lock, suppress(TransactionException):  # maintenance is deleting the same old rows
        con.execute(FORGET, {"name_key": key, "client": client, "since": since})
