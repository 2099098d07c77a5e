"""Notices of log-ins with new browsers: a mail each, and a line on pages.

Pages show a notice in browsers that were there before the new one, so that whoever logged in does not remove it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from duckdb import DuckDBPyConnection

from storage.accounts.mail_queue import KEPT_FOR, NEWS_FOR, PAUSES_S
from storage.domain.records import User
from storage.ledger import audit

MOST_A_DAY = 10
"""Notices of one user; who logs in more often than that does not fill a mailbox."""

LOGGED_IN_BEFORE = """
SELECT EXISTS (SELECT 1 FROM known_devices WHERE user_id = $user_id AND id <> $device_id)
    OR EXISTS (SELECT 1 FROM audit WHERE actor = $actor AND action = 'session.start' AND subject <> $session_id)
"""
OF_A_DAY = "SELECT count(*) FROM device_notices WHERE user_id = $user_id AND created_at > $since"
ADD = """
INSERT INTO device_notices (device_id, user_id, client, created_at, tries, due_at)
VALUES ($device_id, $user_id, $client, $now, 0, $now)
"""
UNSEEN = """
SELECT device_id, client, created_at FROM device_notices AS notice
WHERE user_id = $user_id AND dismissed_at IS NULL AND created_at > $since AND (
    EXISTS (SELECT 1 FROM sessions WHERE id = $session_id AND created_at < notice.created_at)
    OR EXISTS (SELECT 1 FROM known_devices WHERE session_id = $session_id AND created_at < notice.created_at))
ORDER BY created_at DESC, device_id
"""
DISMISS = "UPDATE device_notices SET dismissed_at = $now WHERE list_contains($ids, device_id)"
DUE = """
SELECT device_id, client, device_notices.created_at, tries, users.name, users.email,
    users.password_hash NOT IN ('lost', 'elsewhere'), users.id
FROM device_notices JOIN users ON users.id = user_id
WHERE due_at <= $now AND device_notices.created_at > $since ORDER BY device_notices.created_at LIMIT $limit
"""
TRIED = "UPDATE device_notices SET tries = tries + 1, due_at = $due_at WHERE device_id = $device_id"
DROP = "DELETE FROM device_notices WHERE created_at < $before"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDevice:
    """A browser that was not known before, by address and user agent."""

    id: str
    client: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeMail:
    """A mail due to a user; `by_password` if they log in with one."""

    device: NewDevice
    tries: int
    name: str
    email: str | None
    by_password: bool
    user_id: str


def give(con: DuckDBPyConnection, user: User, *, device_id: str, session_id: str, client: str, now: datetime) -> None:
    """Queue the notice of a new browser, unless it is the account's first log-in."""
    who = {"user_id": user.id, "device_id": device_id, "actor": user.actor, "session_id": session_id}
    if not con.execute(LOGGED_IN_BEFORE, who).fetchall()[0][0]:
        return
    of_a_day = con.execute(OF_A_DAY, {"user_id": user.id, "since": now - timedelta(days=1)}).fetchall()[0][0]
    if of_a_day < MOST_A_DAY:
        con.execute(ADD, {"device_id": device_id, "user_id": user.id, "client": client, "now": now})


def unseen(con: DuckDBPyConnection, user_id: str, session_id: str, *, now: datetime) -> list[NewDevice]:
    """Return the browsers that are newer than this session's, newest first, until they are dismissed."""
    asked = {"user_id": user_id, "session_id": session_id, "since": now - KEPT_FOR}
    return [_device(*row) for row in con.execute(UNSEEN, asked).fetchall()]


def dismiss(
    con: DuckDBPyConnection,
    user_id: str,
    session_id: str,
    *,
    only: Collection[str] | None = None,
    now: datetime,
    actor: str,
) -> None:
    """Remove the notices that this session's pages show, all or `only` some.

    Their mails are sent all the same.
    """
    shown = [one.id for one in unseen(con, user_id, session_id, now=now) if only is None or one.id in only]
    if shown:
        con.execute(DISMISS, {"ids": shown, "now": now})
        audit.record(con, actor=actor, action="device.dismiss", subject=user_id, detail={"devices": shown})


def due(con: DuckDBPyConnection, *, now: datetime, limit: int = 20) -> list[NoticeMail]:
    """Return the mails to send now."""
    rows = con.execute(DUE, {"now": now, "since": now - NEWS_FOR, "limit": limit}).fetchall()
    return [
        NoticeMail(
            device=_device(ident, client, created_at),
            tries=tries,
            name=name,
            email=email,
            by_password=by_password,
            user_id=user_id,
        )
        for ident, client, created_at, tries, name, email, by_password, user_id in rows
    ]


def tried(
    con: DuckDBPyConnection, mail: NoticeMail, *, sent: bool, now: datetime, pauses_s: Sequence[float] = PAUSES_S
) -> None:
    """Record an attempt, and schedule the next one if it failed."""
    again = not sent and mail.tries < len(pauses_s)
    due_at = now + timedelta(seconds=pauses_s[mail.tries]) if again else None
    con.execute(TRIED, {"device_id": mail.device.id, "due_at": due_at})


def tidy(con: DuckDBPyConnection, *, now: datetime) -> None:
    """Delete old notices."""
    con.execute(DROP, {"before": now - KEPT_FOR})


def _device(ident: str, client: str, created_at: datetime) -> NewDevice:
    return NewDevice(id=ident, client=client, created_at=created_at.astimezone(UTC))
