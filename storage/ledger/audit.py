"""Who did what: rows in a hash chain, written in the transaction of the change that they tell of.

Each row's hash covers the row and the hash before it, and a one-row table holds the count and the last hash:
a row that is changed, removed, added or moved by other hands, the last one too, is found by `verify`. Someone
who rewrites the whole file is found only by comparing `head` with a note of it kept elsewhere.
"""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from duckdb import DuckDBPyConnection

from storage.clock import utc_now
from storage.records import AuditRow

Row = tuple[Any, ...]

HEAD = "SELECT count, hash FROM audit_head"
APPEND = """
INSERT INTO audit (seq, happened_at, actor, action, subject, detail, hash)
VALUES ($seq, $happened_at, $actor, $action, $subject, $detail, $hash)
"""
MOVE_HEAD = "UPDATE audit_head SET count = $seq, hash = $hash"
PAGE = """
SELECT seq, happened_at, actor, action, subject, detail, hash FROM audit
WHERE ($before IS NULL OR seq < $before)
  AND ($actor IS NULL OR actor = $actor OR starts_with(actor, $actor || ':'))
  AND ($action IS NULL OR action = $action) AND ($subject IS NULL OR subject = $subject)
  AND ($since IS NULL OR happened_at >= $since) AND ($until IS NULL OR happened_at < $until)
ORDER BY seq DESC LIMIT $limit
"""
ACTIONS = "SELECT DISTINCT action FROM audit ORDER BY action"
STRETCH = """
SELECT seq, happened_at, actor, action, subject, detail, hash FROM audit
WHERE seq > $after AND seq <= $upto ORDER BY seq
"""
EXTENT = "SELECT count(*), min(seq) FROM audit"
CHUNK = 20_000


def record(
    con: DuckDBPyConnection, *, actor: str, action: str, subject: str, detail: dict[str, Any] | None = None
) -> int:
    """Append one row to the chain and return its `seq`; belongs inside `Ledger.write`."""
    count, before = head(con)
    text = json.dumps(detail or {}, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    row = (count + 1, utc_now(), actor, action, subject, text)
    digest = _digest(before, row)
    names = ("seq", "happened_at", "actor", "action", "subject", "detail")
    con.execute(APPEND, dict(zip(names, row, strict=True)) | {"hash": digest})
    con.execute(MOVE_HEAD, {"seq": count + 1, "hash": digest})
    return count + 1


def head(con: DuckDBPyConnection) -> tuple[int, str]:
    """Return how many rows the chain has, and its last hash."""
    row = con.execute(HEAD).fetchone()
    return (int(row[0]), str(row[1])) if row else (0, "")


def page(
    con: DuckDBPyConnection,
    *,
    before_seq: int | None = None,
    limit: int = 100,
    actor: str | None = None,
    action: str | None = None,
    subject: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[AuditRow]:
    """Return rows below `before_seq`, newest first; `actor` may be a kind alone, such as "worker"."""
    found = {"before": before_seq, "limit": limit, "actor": actor, "action": action, "subject": subject}
    rows = con.execute(PAGE, found | {"since": since, "until": until}).fetchall()
    return [_audit_row(row) for row in rows]


def actions(con: DuckDBPyConnection) -> list[str]:
    """Return every action that has been recorded."""
    return [row[0] for row in con.execute(ACTIONS).fetchall()]


def verify(con: DuckDBPyConnection) -> int | None:
    """Walk the whole chain and return the first `seq` that is wrong or missing, or None."""
    count, last = head(con)
    rows_there, first = con.execute(EXTENT).fetchall()[0]
    if rows_there and first != 1:
        return min(int(first), 1)
    seq, digest = 0, ""
    while rows := con.execute(STRETCH, {"after": seq, "upto": seq + CHUNK}).fetchall():
        for row in rows:
            if row[0] != seq + 1 or row[6] != _digest(digest, row[:6]):
                return seq + 1
            seq, digest = seq + 1, row[6]
    if seq != count or rows_there != count:
        return min(seq, count) + 1
    return None if digest == last else seq


def _digest(before: str, row: Row) -> str:
    seq, happened_at, actor, action, subject, detail = row
    instant = happened_at.astimezone(UTC).isoformat(timespec="microseconds")
    payload = json.dumps([before, seq, instant, actor, action, subject, detail], ensure_ascii=False)
    return hashlib.sha256(payload.encode()).hexdigest()


def _audit_row(row: Row) -> AuditRow:
    seq, happened_at, actor, action, subject, detail, digest = row
    instant: datetime = happened_at.astimezone(UTC)
    return AuditRow(
        seq=seq,
        happened_at=instant,
        actor=actor,
        action=action,
        subject=subject,
        detail=json.loads(detail),
        hash=digest,
    )
