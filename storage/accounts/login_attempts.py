"""The limit on guessing and on making accounts in bulk: tries are counted by name and by client."""

import threading
from contextlib import suppress
from datetime import timedelta

from duckdb import DuckDBPyConnection, TransactionException

from storage.clock import new_id, utc_now
from storage.errors import TooManyTries

WINDOW_S = 300
TRIES_PER_NAME_AND_CLIENT, TRIES_PER_CLIENT, TRIES_PER_NAME = 5, 20, 50
REGISTER, LINK = "\tregister", "\tlink"
"""What is tried without a name; no name begins with a tab."""

TRIES = """
SELECT count(*) FILTER (WHERE name_key = $name_key AND client = $client),
       count(*) FILTER (WHERE client = $client),
       count(*) FILTER (WHERE name_key = $name_key),
       min(tried_at) FILTER (WHERE name_key = $name_key OR client = $client)
FROM login_tries WHERE tried_at > $since
"""
ADD_TRY = "INSERT INTO login_tries (id, name_key, client, tried_at) VALUES ($id, $name_key, $client, $tried_at)"

_lock = threading.Lock()


def count(own: DuckDBPyConnection, key: str, client: str) -> None:
    """Count a try, on a cursor of its own, so that it stays counted when what was tried fails.

    Raises:
        TooManyTries: too many within five minutes for this name or from this client.
    """
    now = utc_now()
    with _lock:
        found = {"name_key": key, "client": client, "since": now - timedelta(seconds=WINDOW_S)}
        both, by_client, by_key, oldest = own.execute(TRIES, found).fetchall()[0]
        if both >= TRIES_PER_NAME_AND_CLIENT or by_client >= TRIES_PER_CLIENT or by_key >= TRIES_PER_NAME:
            raise TooManyTries(max(1, WINDOW_S - int((now - oldest).total_seconds())))
        own.execute(ADD_TRY, {"id": new_id(), "name_key": key, "client": client, "tried_at": now})


FORGET = "DELETE FROM login_tries WHERE name_key = $name_key AND client = $client OR tried_at < $since"


def forget(own: DuckDBPyConnection, key: str, client: str) -> None:
    """Start counting anew for this name from this client."""
    since = utc_now() - timedelta(seconds=WINDOW_S)
    with _lock, suppress(TransactionException):  # the upkeep is deleting the same old rows
        own.execute(FORGET, {"name_key": key, "client": client, "since": since})
