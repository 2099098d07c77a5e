"""Legal holds: what nobody and no rule may delete until it is released."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from duckdb import DuckDBPyConnection

from storage.domain.clock import utc_now
from storage.domain.errors import BadRequest, JobHeld, NotFound
from storage.ledger import audit

MAX_REASON_CHARS = 300


class HoldKind(StrEnum):
    """What a hold covers: one recording, all of a person, all with a tag."""

    JOB = "job"
    PERSON = "person"
    TAG = "tag"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalHold:
    """A hold; `subject` is the id of a job or a person, or a tag."""

    kind: HoldKind
    subject: str
    reason: str
    made_by: str
    made_at: datetime


ALL = "SELECT kind, subject, reason, made_by, made_at FROM holds ORDER BY made_at, subject"


def all_of(con: DuckDBPyConnection) -> list[LegalHold]:
    """Return all holds, oldest first."""
    names = ("kind", "subject", "reason", "made_by", "made_at")
    rows = [dict(zip(names, row, strict=True)) for row in con.execute(ALL).fetchall()]
    return [LegalHold(**row | {"kind": HoldKind(row["kind"])}) for row in rows]


PUT = """
INSERT INTO holds (kind, subject, reason, made_by, made_at) VALUES ($kind, $subject, $reason, $actor, $now)
ON CONFLICT (kind, subject) DO UPDATE SET reason = excluded.reason
"""


def put(con: DuckDBPyConnection, kind: HoldKind, subject: str, *, reason: str, actor: str) -> None:
    """Hold what this is; doing so again changes the reason.

    Raises:
        BadRequest: the reason is empty or too long.
    """
    reason = reason.strip()
    if not 1 <= len(reason) <= MAX_REASON_CHARS or not reason.isprintable():
        raise BadRequest("reason", "say in 1 to {most} characters, on one line, why", {"most": MAX_REASON_CHARS})
    con.execute(PUT, {"kind": kind, "subject": subject, "reason": reason, "actor": actor, "now": utc_now()})
    audit.record(con, actor=actor, action="hold.put", subject=subject, detail={"kind": kind, "reason": reason})


RELEASE = "DELETE FROM holds WHERE kind = $kind AND subject = $subject RETURNING reason"


def release(con: DuckDBPyConnection, kind: HoldKind, subject: str, *, actor: str) -> None:
    """End a hold.

    Raises:
        NotFound: there is none.
    """
    if not con.execute(RELEASE, {"kind": kind, "subject": subject}).fetchall():
        raise NotFound(f"hold on this {kind}:", subject)
    audit.record(con, actor=actor, action="hold.release", subject=subject, detail={"kind": kind})


WHY = "SELECT reason FROM held_jobs WHERE id = $id LIMIT 1"


def require_free(con: DuckDBPyConnection, job_id: str) -> None:
    """Refuse if a hold covers a job.

    Raises:
        JobHeld: one does.
    """
    if (row := con.execute(WHY, {"id": job_id}).fetchone()) is not None:
        raise JobHeld(job_id, str(row[0]))
