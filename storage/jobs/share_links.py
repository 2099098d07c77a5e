"""Share links, which show one recording without an account until they expire.

The ledger stores only the token's hash. A password can be required in addition.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from duckdb import DuckDBPyConnection

from storage.accounts import login_attempts
from storage.accounts.secret_tokens import sha256_of
from storage.domain.clock import new_id, utc_now
from storage.domain.errors import BadRequest, NotFound, ShareOver
from storage.domain.job_actions import JobAction
from storage.jobs import job_rows
from storage.ledger import audit
from storage.ledger.database import Ledger

MAX_DAYS = 366
PAGE = "page"
MIN_PASSWORD_CHARS, MAX_PASSWORD_CHARS = 6, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share link; `password_hash` is None if the link alone is enough."""

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
    """Create a link to a finished recording; return its token and the row.

    Raises:
        BadRequest: the duration is invalid, or the password is too short.
        JobMoved: the job is not completed, or is deleted.
    """
    if not timedelta(0) < lasts <= timedelta(days=MAX_DAYS):
        raise BadRequest("days", "a link lasts at most {max_days} days", {"max_days": MAX_DAYS})
    if password is not None and not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
        raise BadRequest(
            "password",
            "use {min_password_chars} to {max_password_chars} characters",
            {"min_password_chars": MIN_PASSWORD_CHARS, "max_password_chars": MAX_PASSWORD_CHARS},
        )
    job = job_rows.get(con, job_id)
    JobAction.SHARE.require(job)
    token, share_id, now = secrets.token_urlsafe(32), new_id(), utc_now()
    values = {
        "id": share_id,
        "job_id": job_id,
        "token_sha256": sha256_of(token),
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
ALIVE = """
SELECT 1 FROM shares JOIN jobs ON jobs.id = shares.job_id JOIN users AS owner ON owner.id = jobs.owner_id
LEFT JOIN users AS maker ON 'user:' || maker.id = shares.made_by
WHERE shares.id = $id AND jobs.deleted_at IS NULL AND NOT owner.disabled
AND (NOT maker.disabled OR NOT starts_with(shares.made_by, 'user:'))
"""


def list_of(con: DuckDBPyConnection, job_id: str) -> list[Share]:
    """Return all links ever created for a recording, newest first."""
    return [_share(row) for row in con.execute(LIST, {"job_id": job_id}).fetchall()]


def lookup(con: DuckDBPyConnection, token: str, *, now: datetime) -> Share:
    """Return the link of this token.

    Raises:
        NotFound: there is none.
        ShareOver: it has expired, was revoked, its recording is deleted, or the owner's or maker's account is closed.
    """
    row = con.execute(BY_LINK, {"token_sha256": sha256_of(token)}).fetchone()
    if row is None:
        raise NotFound("shared recording", "under this link")
    share = _share(row)
    if share.over(now) or not con.execute(ALIVE, {"id": share.id}).fetchone():
        raise ShareOver
    return share


REVOKE = "UPDATE shares SET revoked_at = $now WHERE id = $id AND revoked_at IS NULL"


def revoke(con: DuckDBPyConnection, job_id: str, share_id: str, *, actor: str) -> Share:
    """Revoke a link at once; a revoked link is not changed.

    Raises:
        NotFound: the recording has no such link.
    """
    share = _one(con, job_id, share_id)
    if share.revoked_at is None:
        con.execute(REVOKE, {"id": share_id, "now": utc_now()})
        audit.record(con, actor=actor, action="share.revoke", subject=job_id, detail={"share": share_id})
    return _one(con, job_id, share_id)


COUNT = "UPDATE shares SET opened = opened + $more, last_opened_at = $now WHERE id = $id"


def opened(con: DuckDBPyConnection, share: Share, *, part: str, client: str) -> None:
    """Record that somebody opened a part of the link. Openings of its page are counted."""
    con.execute(COUNT, {"id": share.id, "now": utc_now(), "more": int(part == PAGE)})
    detail = {"share": share.id, "part": part, "client": client}
    audit.record(con, actor=f"share:{share.id}", action="share.open", subject=share.job_id, detail=detail)


EVERYBODYS = """
SELECT shares.id, shares.job_id, password_hash, made_by, made_at, expires_at, revoked_at, opened, last_opened_at,
       jobs.name, jobs.owner_id
FROM shares JOIN jobs ON jobs.id = shares.job_id
WHERE revoked_at IS NULL AND expires_at > $now AND jobs.deleted_at IS NULL AND ($before IS NULL OR shares.id < $before)
ORDER BY shares.id DESC LIMIT $limit
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedRecording:
    """A working link, with its recording's name and owner."""

    share: Share
    name: str
    owner_id: str


def page(con: DuckDBPyConnection, *, before: str | None = None, limit: int = 50) -> list[SharedRecording]:
    """Return everybody's working links, newest first, for administrators."""
    rows = con.execute(EVERYBODYS, {"now": utc_now(), "before": before, "limit": limit}).fetchall()
    return [SharedRecording(share=_share(row[:-2]), name=row[-2], owner_id=row[-1]) for row in rows]


def unlock(ledger: Ledger, share: Share, password: str, *, client: str) -> bool:
    """Return whether this is the link's password; every attempt counts towards the limit.

    Raises:
        TooManyTries: too many within five minutes for this link or from this client.
    """
    key = f"\tshare {share.id}"
    ledger.note(login_attempts.count, key, client)
    try:
        right = share.password_hash is None or PasswordHasher().verify(share.password_hash, password[:1000])
    except (VerificationError, InvalidHashError):
        return False
    ledger.note(login_attempts.forget, key, client)
    return right


def grant(token: str, share: Share) -> str:
    """Return the cookie value after a correct password; it is void once the link ends."""
    return hmac.new((share.password_hash or "").encode(), token.encode(), hashlib.sha256).hexdigest()


def _one(con: DuckDBPyConnection, job_id: str, share_id: str) -> Share:
    for share in list_of(con, job_id):
        if share.id == share_id:
            return share
    raise NotFound("link", share_id)


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
