"""Accounts that an owner lets read or edit a recording.

The right ends with the account of either: it does not hold while the owner's is disabled, or the recording deleted.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime

from duckdb import DuckDBPyConnection

from storage.accounts import users
from storage.domain.clock import utc_now
from storage.domain.errors import BadRequest, NoSuchPerson, NotFound
from storage.domain.job_actions import JobAction
from storage.domain.records import Job
from storage.jobs import job_rows
from storage.ledger import audit

MAX_COLLABORATORS = 50
MOST_SHARED = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Collaborator:
    """An account with a right to somebody else's recording."""

    user_id: str
    name: str
    may_edit: bool
    made_at: datetime


LIST = """
SELECT user_id, users.name, may_edit, made_at FROM collaborators JOIN users ON users.id = user_id
WHERE job_id = $job_id ORDER BY users.name_key
"""
HELD = """
SELECT may_edit FROM collaborators JOIN jobs ON jobs.id = job_id JOIN users AS owner ON owner.id = jobs.owner_id
WHERE job_id = $job_id AND user_id = $user_id AND jobs.deleted_at IS NULL AND NOT owner.disabled
"""
SHARED_WITH = """
SELECT job_id FROM collaborators JOIN jobs ON jobs.id = job_id JOIN users AS owner ON owner.id = jobs.owner_id
WHERE user_id = $user_id AND jobs.deleted_at IS NULL AND NOT owner.disabled ORDER BY job_id DESC LIMIT $limit
"""
ALL = """
SELECT job_id, user_id FROM collaborators JOIN jobs ON jobs.id = job_id JOIN users AS owner ON owner.id = jobs.owner_id
WHERE jobs.deleted_at IS NULL AND NOT owner.disabled
"""


def list_of(con: DuckDBPyConnection, job_id: str) -> list[Collaborator]:
    """Return the accounts that have a right to a recording, by name."""
    rows = con.execute(LIST, {"job_id": job_id}).fetchall()
    return [
        Collaborator(user_id=user_id, name=name, may_edit=may_edit, made_at=made_at.astimezone(UTC))
        for user_id, name, may_edit, made_at in rows
    ]


def may_edit(con: DuckDBPyConnection, job_id: str, user_id: str) -> bool | None:
    """Return whether an account may edit somebody else's recording.

    None means that it may not even read it.
    """
    rows = con.execute(HELD, {"job_id": job_id, "user_id": user_id}).fetchall()
    return bool(rows[0][0]) if rows else None


def shared_with(con: DuckDBPyConnection, user_id: str, *, limit: int = MOST_SHARED) -> tuple[str, ...]:
    """Return the recordings that others share with an account, the newest ones."""
    return tuple(row[0] for row in con.execute(SHARED_WITH, {"user_id": user_id, "limit": limit}).fetchall())


def everyone(con: DuckDBPyConnection) -> dict[str, tuple[str, ...]]:
    """Return all shared recordings with the accounts that have a right to them."""
    found: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    for job_id, user_id in con.execute(ALL).fetchall():
        found[job_id] += (user_id,)
    return dict(found)


PUT = """
INSERT INTO collaborators (job_id, user_id, may_edit, made_by, made_at)
VALUES ($job_id, $user_id, $may_edit, $made_by, $made_at)
ON CONFLICT (job_id, user_id) DO UPDATE SET may_edit = excluded.may_edit
"""


def put(con: DuckDBPyConnection, job_id: str, name: str, *, may_edit: bool, actor: str) -> Collaborator:
    """Let the account of this name read a recording, or edit it as well.

    The same right changes nothing.

    Raises:
        NotFound: there is no such job or account.
        BadRequest: it is the owner's account, it is disabled, or there are too many.
        JobMoved: the recording is deleted.
    """
    job = job_rows.get(con, job_id)
    JobAction.GRANT.require(job)
    user_id, there = _account(con, job, name), {one.user_id: one for one in list_of(con, job_id)}
    if user_id in there and there[user_id].may_edit is may_edit:
        return there[user_id]
    if user_id not in there and len(there) >= MAX_COLLABORATORS:
        raise BadRequest(
            "name",
            "a recording is shared with at most {max_collaborators} people; end one first",
            {"max_collaborators": MAX_COLLABORATORS},
        )
    values = {"job_id": job_id, "user_id": user_id, "may_edit": may_edit, "made_by": actor, "made_at": utc_now()}
    con.execute(PUT, values)
    detail = {"user": user_id, "may_edit": may_edit}
    audit.record(con, actor=actor, action="collaborator.set", subject=job_id, detail=detail)
    return _one(con, job_id, name)


REMOVE = "DELETE FROM collaborators WHERE job_id = $job_id AND user_id = $user_id"


def remove(con: DuckDBPyConnection, job_id: str, name: str, *, actor: str) -> Collaborator:
    """End the right of the account of this name to a recording.

    Raises:
        NotFound: it has none.
    """
    one = _one(con, job_id, name)
    con.execute(REMOVE, {"job_id": job_id, "user_id": one.user_id})
    audit.record(con, actor=actor, action="collaborator.remove", subject=job_id, detail={"user": one.user_id})
    return one


def _account(con: DuckDBPyConnection, job: Job, name: str) -> str:
    user = users.by_name(con, name)
    if user is None:
        raise NoSuchPerson(name)
    if user.id == job.owner_id:
        raise BadRequest("name", "the recording belongs to this account; name another one")
    if user.disabled:
        raise BadRequest("name", "this account is disabled; ask an administrator")
    return user.id


def _one(con: DuckDBPyConnection, job_id: str, name: str) -> Collaborator:
    user = users.by_name(con, name)
    for one in list_of(con, job_id):
        if user is not None and one.user_id == user.id:
            return one
    raise NotFound("collaborator", name)
