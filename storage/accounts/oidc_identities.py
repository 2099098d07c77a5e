"""OpenID identities: the pair of issuer and subject, which is never reassigned."""

from duckdb import DuckDBPyConnection

from storage.accounts import users
from storage.domain.clock import utc_now
from storage.domain.records import User
from storage.ledger import audit

FIND = "SELECT user_id FROM identities WHERE issuer = $issuer AND subject = $subject"


def find(con: DuckDBPyConnection, *, issuer: str, subject: str) -> User | None:
    """Return the user of this identity."""
    row = con.execute(FIND, {"issuer": issuer, "subject": subject}).fetchone()
    return users.get(con, row[0]) if row else None


LINK = "INSERT INTO identities (issuer, subject, user_id, created_at) VALUES ($issuer, $subject, $user_id, $now)"


def link(con: DuckDBPyConnection, user_id: str, *, issuer: str, subject: str, actor: str) -> None:
    """Link this identity to the user."""
    con.execute(LINK, {"issuer": issuer, "subject": subject, "user_id": user_id, "now": utc_now()})
    detail = {"issuer": issuer, "subject": subject}
    audit.record(con, actor=actor, action="user.link", subject=user_id, detail=detail)


OF_USER = "SELECT issuer, subject FROM identities WHERE user_id = $user_id ORDER BY created_at"


def list_of(con: DuckDBPyConnection, user_id: str) -> list[tuple[str, str]]:
    """Return issuer and subject of each of the user's identities."""
    return [(row[0], row[1]) for row in con.execute(OF_USER, {"user_id": user_id}).fetchall()]
