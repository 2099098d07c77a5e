"""Queries over the datasets that administrators saved; all administrators see them, owners change them."""

from dataclasses import dataclass
from datetime import UTC, datetime

from duckdb import DuckDBPyConnection

from storage.datasets.query_process import MAX_STATEMENT_CHARS
from storage.domain.clock import new_id, utc_now
from storage.domain.errors import BadRequest, NotFound
from storage.ledger import audit

MAX_NAME_CHARS = 100
MOST_KEPT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedQuery:
    """A query with the name of its owner."""

    id: str
    owner_id: str
    owner: str
    name: str
    statement: str
    changed_at: datetime


LIST = """
SELECT saved_queries.id, owner_id, coalesce(users.name, ''), saved_queries.name, statement, changed_at
FROM saved_queries LEFT JOIN users ON users.id = owner_id ORDER BY lower(saved_queries.name), saved_queries.id
"""


def all_of(con: DuckDBPyConnection) -> list[SavedQuery]:
    """Return every saved query, by name."""
    fields = ("id", "owner_id", "owner", "name", "statement", "changed_at")
    found = [dict(zip(fields, row, strict=True)) for row in con.execute(LIST).fetchall()]
    return [SavedQuery(**(one | {"changed_at": one["changed_at"].astimezone(UTC)})) for one in found]


FIND = "SELECT id FROM saved_queries WHERE owner_id = $owner_id AND name = $name"
COUNT = "SELECT count(*) FROM saved_queries"
ADD = """
INSERT INTO saved_queries (id, owner_id, name, statement, created_at, changed_at)
VALUES ($id, $owner_id, $name, $statement, $now, $now)
"""
REPLACE = "UPDATE saved_queries SET statement = $statement, changed_at = $now WHERE id = $id"


def save(con: DuckDBPyConnection, *, owner_id: str, name: str, statement: str, actor: str) -> str:
    """Save a query under a name, and return its id.

    It replaces the owner's query of this name.

    Raises:
        BadRequest: the name or the statement is empty or too long, or there are too many.
    """
    name, statement = " ".join(name.split()), statement.strip()
    if not 0 < len(name) <= MAX_NAME_CHARS:
        raise BadRequest("name", f"use 1 to {MAX_NAME_CHARS} characters")
    if not 0 < len(statement) <= MAX_STATEMENT_CHARS:
        raise BadRequest("statement", f"use 1 to {MAX_STATEMENT_CHARS} characters")
    found = con.execute(FIND, {"owner_id": owner_id, "name": name}).fetchone()
    if found is None and con.execute(COUNT).fetchall()[0][0] >= MOST_KEPT:
        raise BadRequest("name", f"{MOST_KEPT} queries are saved, which is as many as may be; delete one first")
    ident, now = found[0] if found else new_id(), utc_now()
    if found:
        con.execute(REPLACE, {"id": ident, "statement": statement, "now": now})
    else:
        con.execute(ADD, {"id": ident, "owner_id": owner_id, "name": name, "statement": statement, "now": now})
    audit.record(con, actor=actor, action="query.save", subject=ident, detail={"name": name, "statement": statement})
    return str(ident)


ONE = "SELECT name FROM saved_queries WHERE id = $id AND owner_id = $owner_id"
DELETE = "DELETE FROM saved_queries WHERE id = $id"


def delete(con: DuckDBPyConnection, query_id: str, *, owner_id: str, actor: str) -> None:
    """Delete one of the owner's queries.

    Raises:
        NotFound: there is no such query, or it is somebody else's.
    """
    found = con.execute(ONE, {"id": query_id, "owner_id": owner_id}).fetchone()
    if found is None:
        raise NotFound("query", query_id)
    con.execute(DELETE, {"id": query_id})
    audit.record(con, actor=actor, action="query.delete", subject=query_id, detail={"name": found[0]})
