"""The pause of the whole platform for maintenance, which the ledger keeps across restarts.

While it lasts, the dispatcher hands out no recording. Uploads are accepted, and what was handed out before is finished.
"""

from dataclasses import dataclass
from datetime import datetime

from duckdb import DuckDBPyConnection

from storage.domain.clock import utc_now
from storage.domain.errors import BadRequest
from storage.domain.job_messages import MaintenancePause, encode
from storage.domain.records import from_json, to_json
from storage.ledger import audit

MAX_REASON_CHARS = 300
SUBJECT = "platform"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformPause:
    """Why no recording is handed out, since when, and who paused."""

    reason: str
    since: datetime
    actor: str


FIND = "SELECT value FROM settings WHERE key = 'platform_pause'"


def find(con: DuckDBPyConnection) -> PlatformPause | None:
    """Return the pause; None while the platform works."""
    row = con.execute(FIND).fetchone()
    return from_json(PlatformPause, row[0]) if row else None


KEEP = """
INSERT INTO settings (key, value, changed_at) VALUES ('platform_pause', $value, $now)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at
"""


def pause(con: DuckDBPyConnection, reason: str, *, actor: str) -> PlatformPause:
    """Pause the platform; on a paused one, change the reason.

    Raises:
        BadRequest: the reason is empty, too long, or not one line.
    """
    reason = reason.strip()
    if not 1 <= len(reason) <= MAX_REASON_CHARS or not reason.isprintable():
        raise BadRequest(
            "reason",
            "say in 1 to {max_reason_chars} characters, on one line, why; everybody reads it",
            {"max_reason_chars": MAX_REASON_CHARS},
        )
    before = find(con)
    if before is not None and before.reason == reason:
        return before
    now = utc_now()
    made = PlatformPause(reason=reason, since=before.since if before else now, actor=actor)
    con.execute(KEEP, {"value": to_json(made).decode(), "now": now})
    audit.record(con, actor=actor, action="platform.pause", subject=SUBJECT, detail={"reason": reason})
    return made


REMOVE = "DELETE FROM settings WHERE key = 'platform_pause'"
FORGET = """
UPDATE jobs SET detail = '', updated_at = $now, version = version + 1
WHERE state = 'queued' AND flow_run_id IS NULL AND detail = $detail
"""


def resume(con: DuckDBPyConnection, *, actor: str) -> None:
    """End the pause, of which waiting jobs no longer speak."""
    before = find(con)
    if before is None:
        return
    con.execute(REMOVE)
    con.execute(FORGET, {"detail": encode(MaintenancePause(reason=before.reason)), "now": utc_now()})
    detail = {"reason": before.reason, "paused_at": before.since.isoformat()}
    audit.record(con, actor=actor, action="platform.resume", subject=SUBJECT, detail=detail)


RUNNING = """
SELECT count(*) FROM jobs
WHERE state NOT IN ('completed', 'failed', 'cancelled') AND deleted_at IS NULL
    AND NOT (state = 'queued' AND flow_run_id IS NULL)
"""


def running(con: DuckDBPyConnection) -> int:
    """Return how many recordings are handed out and unfinished."""
    row = con.execute(RUNNING).fetchone()
    return int(row[0]) if row else 0
