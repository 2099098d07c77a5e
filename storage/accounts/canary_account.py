"""The account of the canary and of campaigns' trials, whose recordings no list shows.

Statements that count or list everybody's recordings leave out `owner_id = 'canary'`.
"""

from duckdb import DuckDBPyConnection

from storage.accounts import users
from storage.domain.errors import NotFound
from storage.domain.records import Role, User

CANARY_ID, CANARY_NAME = "canary", "transcriber-canary"
ACTOR = "system:canary"


def ensure(con: DuckDBPyConnection) -> User:
    """Return the account, which nobody can log in to; it is made the first time."""
    try:
        return users.get(con, CANARY_ID)
    except NotFound:
        users.restore(con, user_id=CANARY_ID, name=CANARY_NAME, role=Role.READER, actor=ACTOR)
        users.set_disabled(con, CANARY_ID, disabled=True, actor=ACTOR)
        return users.get(con, CANARY_ID)
