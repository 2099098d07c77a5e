"""Leaving for good: an account is shut at once, then its recordings go, and its row last.

Audit rows stay, with ids. What is broken off half-way is found by `who` and gone on with.
"""

from contextlib import suppress

from duckdb import DuckDBPyConnection

from storage import audit, intake, jobs, sessions, users
from storage.errors import BadRequest, JobMoved
from storage.files import Files
from storage.ledger import Ledger
from storage.records import Role

SHUT = """
UPDATE users SET leaving = TRUE, disabled = TRUE, password_hash = 'lost', email = NULL, display_name = NULL
WHERE id = $id
"""
FORGET = (
    "UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE user_id = $id",
    "UPDATE invitations SET ended_at = coalesce(ended_at, now()) WHERE user_id = $id",
    "DELETE FROM preferences WHERE user_id = $id",
    "DELETE FROM vocabularies WHERE user_id = $id",
    "DELETE FROM identities WHERE user_id = $id",
)
OTHER_ADMINS = "SELECT count(*) FROM users WHERE role = 'admin' AND NOT disabled AND id <> $id"


def leave(con: DuckDBPyConnection, user_id: str, *, actor: str) -> list[str]:
    """Shut the account and forget what is personal in it; return the sessions that ended. `erase` does the rest.

    Raises:
        BadRequest: it is the last administrator.
    """
    user = users.get(con, user_id)
    if user.role is Role.ADMIN and not con.execute(OTHER_ADMINS, {"id": user_id}).fetchall()[0][0]:
        raise BadRequest("account", "this is the last administrator; make another one first")
    ended = [session.id for session in sessions.list_of(con, user_id)]
    sessions.end_all(con, user_id, actor=actor)
    for statement in FORGET:
        con.execute(statement, {"id": user_id})
    con.execute(SHUT, {"id": user_id})
    audit.record(con, actor=actor, action="user.leave", subject=user_id)
    return ended


LEAVING = "SELECT id FROM users WHERE leaving ORDER BY id"


def who(con: DuckDBPyConnection) -> list[str]:
    """Return the users whose recordings have yet to go."""
    return [row[0] for row in con.execute(LEAVING).fetchall()]


JOBS = "SELECT id FROM jobs WHERE owner_id = $id ORDER BY id LIMIT 100"
GONE = "DELETE FROM users WHERE id = $id"
GONE_TOO = ("DELETE FROM usage WHERE user_id = $id", "DELETE FROM api_keys WHERE user_id = $id")


def erase(ledger: Ledger, files: Files, user_id: str) -> int:
    """Delete the recordings of a user who is leaving, then the account; return how many recordings there were."""
    actor, count = "system:leaving", 0
    while found := _some_jobs(ledger, user_id):
        for job_id in found:
            _throw_out(ledger, files, job_id, actor=actor)
        count += len(found)
    ledger.run(_forget, user_id, actor=actor)
    return count


def _some_jobs(ledger: Ledger, user_id: str) -> list[str]:
    with ledger.read() as con:
        return [row[0] for row in con.execute(JOBS, {"id": user_id}).fetchall()]


def _throw_out(ledger: Ledger, files: Files, job_id: str, *, actor: str) -> None:
    with ledger.read() as con:
        finished = jobs.get(con, job_id).state.finished
    if not finished:
        with suppress(JobMoved):  # it has finished meanwhile
            ledger.run(jobs.cancel, job_id, actor=actor)
    intake.throw_out(ledger, files, job_id, actor=actor)


def _forget(con: DuckDBPyConnection, user_id: str, *, actor: str) -> None:
    """Delete the account, unless a recording has come in since."""
    if con.execute(JOBS, {"id": user_id}).fetchall() or user_id not in who(con):
        return
    for statement in (*GONE_TOO, GONE):
        con.execute(statement, {"id": user_id})
    audit.record(con, actor=actor, action="user.delete", subject=user_id)
