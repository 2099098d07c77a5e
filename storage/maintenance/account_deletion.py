"""Delete an account: it is closed at once, then its recordings go, its row last.

Audit rows stay, with ids. `who` finds interrupted deletions, which are then continued.
"""

from contextlib import suppress

from duckdb import DuckDBPyConnection

from storage.accounts import sessions, users, webhooks
from storage.domain.errors import BadRequest, JobMoved
from storage.domain.records import Role
from storage.files.file_store import Files
from storage.jobs import batches, intake, job_store
from storage.ledger import audit
from storage.ledger.database import Ledger

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
    "DELETE FROM known_devices WHERE user_id = $id",
    "DELETE FROM device_notices WHERE user_id = $id",
    "DELETE FROM collaborators WHERE user_id = $id",
    "DELETE FROM saved_queries WHERE owner_id = $id",
)
OTHER_ADMINS = "SELECT count(*) FROM users WHERE role = 'admin' AND NOT disabled AND id <> $id"


def leave(con: DuckDBPyConnection, user_id: str, *, actor: str) -> list[str]:
    """Close the account and delete personal data; return the ended sessions.

    `erase` does the rest.

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
    webhooks.forget(con, user_id)
    batches.forget(con, user_id)
    con.execute(SHUT, {"id": user_id})
    audit.record(con, actor=actor, action="user.leave", subject=user_id)
    return ended


LEAVING = "SELECT id FROM users WHERE leaving ORDER BY id"


def who(con: DuckDBPyConnection) -> list[str]:
    """Return the users whose recordings still have to be deleted."""
    return [row[0] for row in con.execute(LEAVING).fetchall()]


JOBS = "SELECT id FROM jobs WHERE owner_id = $id ORDER BY id LIMIT 100"
FREE_JOBS = """
SELECT id FROM jobs WHERE owner_id = $id AND id NOT IN (SELECT id FROM held_jobs) ORDER BY id LIMIT 100
"""
GONE = "DELETE FROM users WHERE id = $id"
GONE_TOO = (
    "DELETE FROM usage WHERE user_id = $id",
    "DELETE FROM api_key_usage WHERE key_id IN (SELECT id FROM api_keys WHERE user_id = $id)",
    "DELETE FROM api_keys WHERE user_id = $id",
    "DELETE FROM job_keys WHERE owner_id = $id",
)


def erase(ledger: Ledger, files: Files, user_id: str) -> int:
    """Delete a leaving user's recordings, then the account; return the number of recordings.

    What a legal hold covers stays, and the closed account with it, until the hold is released.
    """
    actor, count = "system:leaving", 0
    while found := _free_jobs(ledger, user_id):
        for job_id in found:
            _throw_out(ledger, files, job_id, actor=actor)
        count += len(found)
    ledger.run(_forget, user_id, actor=actor)
    return count


def _free_jobs(ledger: Ledger, user_id: str) -> list[str]:
    with ledger.read() as con:
        return [row[0] for row in con.execute(FREE_JOBS, {"id": user_id}).fetchall()]


def _throw_out(ledger: Ledger, files: Files, job_id: str, *, actor: str) -> None:
    with ledger.read() as con:
        finished = job_store.get(con, job_id).state.finished
    if not finished:
        with suppress(JobMoved):  # it has finished meanwhile
            ledger.run(job_store.cancel, job_id, actor=actor)
    intake.throw_out(ledger, files, job_id, actor=actor)


def _forget(con: DuckDBPyConnection, user_id: str, *, actor: str) -> None:
    """Delete the account, unless a recording was added since."""
    if con.execute(JOBS, {"id": user_id}).fetchall() or user_id not in who(con):
        return
    for statement in (*GONE_TOO, GONE):
        con.execute(statement, {"id": user_id})
    audit.record(con, actor=actor, action="user.delete", subject=user_id)
