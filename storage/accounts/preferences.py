"""A user's preferences: defaults for jobs and captions, theme, and e-mail notifications."""

from dataclasses import dataclass, field
from enum import StrEnum

from duckdb import DuckDBPyConnection

from storage.domain.clock import utc_now
from storage.domain.records import CueLimits, ExportFormat, Lane, from_json, to_json
from storage.ledger import audit


class Theme(StrEnum):
    """The theme of pages; `system` follows the device."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """Defaults for the user's new jobs, look of pages, and notifications.

    Empty `formats` means all of them; without `pages_language`, pages speak the browser's.
    """

    model: str = "auto"
    language: str | None = None
    task: str = "transcribe"
    formats: tuple[ExportFormat, ...] = ()
    lane: Lane = Lane.INTERACTIVE
    cues: CueLimits = field(default_factory=CueLimits)
    theme: Theme = Theme.SYSTEM
    pages_language: str | None = None
    mail_when_ready: bool = False
    mail_when_failed: bool = False


FIND = "SELECT value FROM preferences WHERE user_id = $user_id"


def of(con: DuckDBPyConnection, user_id: str) -> Preferences:
    """Return the user's preferences, or the defaults."""
    row = con.execute(FIND, {"user_id": user_id}).fetchone()
    return from_json(Preferences, row[0]) if row else Preferences()


KEEP = """
INSERT INTO preferences (user_id, value, changed_at) VALUES ($user_id, $value, $now)
ON CONFLICT (user_id) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at
"""


def set_(con: DuckDBPyConnection, user_id: str, preferences: Preferences, *, actor: str) -> None:
    """Store the user's preferences; equal ones change nothing."""
    if of(con, user_id) == preferences:
        return
    con.execute(KEEP, {"user_id": user_id, "value": to_json(preferences).decode(), "now": utc_now()})
    audit.record(con, actor=actor, action="user.preferences", subject=user_id)
