"""Links that show one recording to whoever has them, until they expire or are revoked.

The ledger keeps the token's hash alone; a password, where one is set, is asked for on top.
"""

import hashlib
import hmac
import secrets
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from duckdb import DuckDBPyConnection

from storage import audit, job_rows, tries
from storage.clock import new_id, utc_now
from storage.errors import BadRequest, JobMoved, NotFound, ShareOver
from storage.records import JobState

MAX_DAYS = 366
MIN_PASSWORD_CHARS, MAX_PASSWORD_CHARS = 6, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One link; `password_hash` is None where the link alone lets in."""

    id: str
    job_id: str
    password_hash: str | None = field(repr=False)
    made_by: str
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    opened: int
    last_opened_at: datetime | None

    def over(self, now: datetime) -> bool:
        return self.revoked_at is not None or self.expires_at <= now


INSERT = """
INSERT INTO shares (id, job_id, token_sha256, password_hash, made_by, made_at, expires_at)
VALUES ($id, $job_id, $token_sha256, $password_hash, $made_by, $made_at, $expires_at)
"""


def create(
    con: DuckDBPyConnection, job_id: str, *, lasts: timedelta, password: str | None = None, actor: str
) -> tuple[str, Share]:
    """Make a link to a finished recording; return its token, which is known this once, and the row.

    Raises:
        BadRequest: it would last too long or not at all, or the password is too short.
        JobMoved: the job is not completed, or is deleted.
    """
    if not timedelta(0) < lasts <= timedelta(days=MAX_DAYS):
        raise BadRequest("days", f"a link lasts at most {MAX_DAYS} days")
    if password is not None and not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
        raise BadRequest("password", f"use {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters")
    job = job_rows.get(con, job_id)
    if job.deleted_at or job.state is not JobState.COMPLETED:
        raise JobMoved(job_id, "deleted" if job.deleted_at else job.state, "shared")
    token, share_id, now = secrets.token_urlsafe(32), new_id(), utc_now()
    values = {
        "id": share_id,
        "job_id": job_id,
        "token_sha256": _sha256(token),
        "password_hash": PasswordHasher().hash(password) if password else None,
        "made_by": actor,
        "made_at": now,
        "expires_at": now + lasts,
    }
    con.execute(INSERT, values)
    detail = {"share": share_id, "expires_at": (now + lasts).isoformat(), "password": password is not None}
    audit.record(con, actor=actor, action="share.create", subject=job_id, detail=detail)
    return token, _one(con, job_id, share_id)


LIST = """
SELECT id, job_id, password_hash, made_by, made_at, expires_at, revoked_at, opened, last_opened_at FROM shares
WHERE job_id = $job_id ORDER BY id DESC
"""
BY_LINK = """
SELECT id, job_id, password_hash, made_by, made_at, expires_at, revoked_at, opened, last_opened_at FROM shares
WHERE token_sha256 = $token_sha256
"""


def list_of(con: DuckDBPyConnection, job_id: str) -> list[Share]:
    """Return the links that were ever made to a recording, the newest first."""
    return [_share(row) for row in con.execute(LIST, {"job_id": job_id}).fetchall()]


def lookup(con: DuckDBPyConnection, token: str, *, now: datetime) -> Share:
    """Return the link of this token.

    Raises:
        NotFound: there is none.
        ShareOver: it has expired, it was revoked, or its recording is deleted.
    """
    row = con.execute(BY_LINK, {"token_sha256": _sha256(token)}).fetchone()
    if row is None:
        raise NotFound("shared recording", "under this link")
    share = _share(row)
    if share.over(now) or job_rows.get(con, share.job_id).deleted_at:
        raise ShareOver
    return share


REVOKE = "UPDATE shares SET revoked_at = $now WHERE id = $id AND revoked_at IS NULL"


def revoke(con: DuckDBPyConnection, job_id: str, share_id: str, *, actor: str) -> Share:
    """End a link at once; one that is revoked stays so.

    Raises:
        NotFound: the recording has no such link.
    """
    share = _one(con, job_id, share_id)
    if share.revoked_at is None:
        con.execute(REVOKE, {"id": share_id, "now": utc_now()})
        audit.record(con, actor=actor, action="share.revoke", subject=job_id, detail={"share": share_id})
    return _one(con, job_id, share_id)


COUNT = "UPDATE shares SET opened = opened + 1, last_opened_at = $now WHERE id = $id"


def opened(con: DuckDBPyConnection, share_id: str) -> None:
    """Count that the link's page was opened; no change of state, so no audit row."""
    con.execute(COUNT, {"id": share_id, "now": utc_now()})


def unlock(con: DuckDBPyConnection, share: Share, password: str, *, client: str) -> bool:
    """Tell whether this is the link's password; tries are counted, and none is free.

    Raises:
        TooManyTries: too many within five minutes for this link or from this client.
    """
    with closing(con.cursor()) as own:
        tries.count(own, f"\tshare {share.id}", client)
        try:
            right = share.password_hash is None or PasswordHasher().verify(share.password_hash, password[:1000])
        except (VerificationError, InvalidHashError):
            return False
        tries.forget(own, f"\tshare {share.id}", client)
    return right


def grant(token: str, share: Share) -> str:
    """Return what a browser that has given the password shows from then on; it is void with the link."""
    return hmac.new((share.password_hash or "").encode(), token.encode(), hashlib.sha256).hexdigest()


def _one(con: DuckDBPyConnection, job_id: str, share_id: str) -> Share:
    for share in list_of(con, job_id):
        if share.id == share_id:
            return share
    raise NotFound("link", share_id)


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _share(row: tuple[Any, ...]) -> Share:
    *same, made_at, expires_at, revoked_at, count, last_opened_at = row
    share_id, job_id, password_hash, made_by = same

    def utc(instant: datetime | None) -> datetime | None:
        return instant.astimezone(UTC) if instant else None

    return Share(
        id=share_id,
        job_id=job_id,
        password_hash=password_hash,
        made_by=made_by,
        made_at=made_at.astimezone(UTC),
        expires_at=expires_at.astimezone(UTC),
        revoked_at=utc(revoked_at),
        opened=count,
        last_opened_at=utc(last_opened_at),
    )
