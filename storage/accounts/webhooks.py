"""Webhooks: the addresses to which the platform sends events about jobs.

Their secrets are not in the ledger; it has a hash of the present one (`storage/remote/webhook_secrets.py`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from duckdb import DuckDBPyConnection

from storage.accounts.mail_queue import NEWS_FOR, PAUSES_S
from storage.domain.clock import utc_now
from storage.domain.errors import BadRequest, NotFound
from storage.ledger import audit

MOST = 20
"""Webhooks of one user."""
LONGEST_OVERLAP = timedelta(days=30)


class WebhookEvent(StrEnum):
    """What a webhook can be told of."""

    JOB_COMPLETED = "job.completed"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"
    TRANSCRIPT_CHANGED = "transcript.changed"


TEST_EVENT = "webhook.test"


class DisabledBecause(StrEnum):
    """Why the platform disabled a webhook by itself."""

    GONE = "gone"
    FAILING = "failing"
    SECRET_LOST = "secret lost"  # noqa: S105 - the name of a reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An address and the events that it gets, of all users with `everybody`.

    `generation` counts its secrets; the one before works until `previous_until`. `failing_since` is the first failure
    after the last success.
    """

    id: str
    user_id: str
    url: str
    events: tuple[WebhookEvent, ...]
    everybody: bool
    created_at: datetime
    generation: int
    secret_mark: str
    previous_until: datetime | None
    enabled: bool
    disabled_because: DisabledBecause | None
    failing_since: datetime | None

    @property
    def host(self) -> str:
        """The address without its path, which may have a secret in it."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


COLUMNS = """
SELECT id, user_id, url, events, everybody, created_at, generation, secret_mark, previous_until, enabled,
    disabled_because, failing_since
FROM webhooks
"""
BY_ID = COLUMNS + "WHERE id = $id"
PAGE = (
    COLUMNS
    + """
WHERE ($user_id IS NULL OR user_id = $user_id) AND ($before IS NULL OR id < $before)
ORDER BY id DESC LIMIT $limit
"""
)
COUNT = "SELECT count(*) FROM webhooks WHERE user_id = $user_id"
INSERT = """
INSERT INTO webhooks (id, user_id, url, events, everybody, created_at, generation, secret_mark, enabled, notice_tries)
VALUES ($id, $user_id, $url, $events, $everybody, $now, 1, $secret_mark, TRUE, 0)
"""


def in_order(events: Iterable[str]) -> tuple[WebhookEvent, ...]:
    """Return the events, each once, in the order of their list.

    Raises:
        BadRequest: there is none, or one is unknown.
    """
    asked = set(events)
    unknown = sorted(asked - set(WebhookEvent))
    if unknown or not asked:
        problem = f"there is no event {unknown[0][:40]}" if unknown else "choose at least one"
        raise BadRequest("events", f"{problem}; there are {', '.join(WebhookEvent)}")
    return tuple(event for event in WebhookEvent if event in asked)


def create(
    con: DuckDBPyConnection,
    *,
    webhook_id: str,
    user_id: str,
    url: str,
    events: Iterable[str],
    everybody: bool,
    secret_mark: str,
    actor: str,
) -> Webhook:
    """Create a webhook of the user's.

    Raises:
        BadRequest: the user has too many, or an event is unknown.
    """
    if con.execute(COUNT, {"user_id": user_id}).fetchall()[0][0] >= MOST:
        raise BadRequest("url", "{most} webhooks are the most that one user may have; delete one first", {"most": MOST})
    values = {"id": webhook_id, "user_id": user_id, "url": url, "events": " ".join(in_order(events))}
    con.execute(INSERT, values | {"everybody": everybody, "secret_mark": secret_mark, "now": utc_now()})
    made = get(con, webhook_id)
    told = {"user": user_id, "host": made.host, "events": values["events"], "everybody": everybody}
    audit.record(con, actor=actor, action="webhook.create", subject=webhook_id, detail=told)
    return made


def get(con: DuckDBPyConnection, webhook_id: str) -> Webhook:
    """Return the webhook.

    Raises:
        NotFound: there is none with this id.
    """
    row = con.execute(BY_ID, {"id": webhook_id}).fetchone()
    if row is None:
        raise NotFound("webhook", webhook_id)
    return _webhook(row)


def page(
    con: DuckDBPyConnection, *, user_id: str | None = None, before: str | None = None, limit: int = 50
) -> list[Webhook]:
    """Return one user's or all users' webhooks, newest first, after the id `before`."""
    asked = {"user_id": user_id, "before": before, "limit": limit}
    return [_webhook(row) for row in con.execute(PAGE, asked).fetchall()]


CHANGE = """
UPDATE webhooks SET url = $url, events = $events, everybody = $everybody, enabled = $enabled,
    disabled_because = CASE WHEN $enabled THEN NULL ELSE disabled_because END,
    failing_since = CASE WHEN $enabled AND NOT enabled THEN NULL ELSE failing_since END,
    notice_due_at = CASE WHEN $enabled THEN NULL ELSE notice_due_at END
WHERE id = $id
"""


def change(
    con: DuckDBPyConnection,
    webhook_id: str,
    *,
    url: str | None = None,
    events: Iterable[str] | None = None,
    everybody: bool | None = None,
    enabled: bool | None = None,
    actor: str,
) -> Webhook:
    """Change what is given; an equal change writes nothing.

    Raises:
        NotFound: there is no such webhook.
        BadRequest: an event is unknown.
    """
    before = get(con, webhook_id)
    values = {
        "url": before.url if url is None else url,
        "events": " ".join(before.events if events is None else in_order(events)),
        "everybody": before.everybody if everybody is None else everybody,
        "enabled": before.enabled if enabled is None else enabled,
    }
    con.execute(CHANGE, values | {"id": webhook_id})
    after = get(con, webhook_id)
    if after != before:
        told = {"host": after.host, "address_changed": after.url != before.url}
        told |= {name: values[name] for name in ("events", "everybody", "enabled")}
        audit.record(con, actor=actor, action="webhook.change", subject=webhook_id, detail=told)
    return after


ROTATE = """
UPDATE webhooks SET generation = generation + 1, secret_mark = $secret_mark, previous_until = $until WHERE id = $id
"""


def rotate(con: DuckDBPyConnection, webhook_id: str, *, secret_mark: str, overlap: timedelta, actor: str) -> Webhook:
    """Record the next secret; messages are signed with the present one, too, for `overlap` longer.

    Raises:
        NotFound: there is no such webhook.
        BadRequest: the overlap is out of range.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise BadRequest("overlap_hours", "choose from 0 to {days} days", {"days": LONGEST_OVERLAP.days})
    get(con, webhook_id)
    until = utc_now() + overlap
    con.execute(ROTATE, {"id": webhook_id, "secret_mark": secret_mark, "until": until})
    audit.record(
        con, actor=actor, action="webhook.rotate", subject=webhook_id, detail={"previous_until": until.isoformat()}
    )
    return get(con, webhook_id)


DELETE = (
    "DELETE FROM webhook_attempts WHERE delivery_id IN (SELECT id FROM webhook_deliveries WHERE webhook_id = $id)",
    "DELETE FROM webhook_deliveries WHERE webhook_id = $id",
    "DELETE FROM webhooks WHERE id = $id",
)


def delete(con: DuckDBPyConnection, webhook_id: str, *, actor: str) -> None:
    """Delete the webhook with its deliveries.

    Raises:
        NotFound: there is no such webhook.
    """
    gone = get(con, webhook_id)
    for statement in DELETE:
        con.execute(statement, {"id": webhook_id})
    detail = {"user": gone.user_id, "host": gone.host}
    audit.record(con, actor=actor, action="webhook.delete", subject=webhook_id, detail=detail)


OF_USER = "SELECT id FROM webhooks WHERE user_id = $user_id"


def forget(con: DuckDBPyConnection, user_id: str) -> None:
    """Delete a leaving user's webhooks, as part of closing the account."""
    for (webhook_id,) in con.execute(OF_USER, {"user_id": user_id}).fetchall():
        for statement in DELETE:
            con.execute(statement, {"id": webhook_id})


DISABLE = """
UPDATE webhooks SET enabled = FALSE, disabled_because = $because, notice_tries = 0, notice_due_at = $now
WHERE id = $id AND enabled RETURNING id
"""


def disable(con: DuckDBPyConnection, webhook_id: str, because: DisabledBecause, *, now: datetime, actor: str) -> None:
    """Disable a webhook that gets nothing through, and queue the notice to its owner."""
    if con.execute(DISABLE, {"id": webhook_id, "because": because, "now": now}).fetchall():
        audit.record(con, actor=actor, action="webhook.disable", subject=webhook_id, detail={"because": because})


NOTICES = """
SELECT webhooks.id, notice_tries, users.email FROM webhooks JOIN users ON users.id = user_id
WHERE notice_due_at <= $now AND notice_due_at > $since AND NOT users.disabled LIMIT 20
"""
NOTICE_TRIED = "UPDATE webhooks SET notice_tries = notice_tries + 1, notice_due_at = $due_at WHERE id = $id"


@dataclass(frozen=True, slots=True, kw_only=True)
class DisabledNotice:
    """A mail due to the owner of a webhook that the platform disabled."""

    webhook: Webhook
    tries: int
    email: str | None


def notices_due(con: DuckDBPyConnection, *, now: datetime) -> list[DisabledNotice]:
    """Return the mails to send now."""
    rows = con.execute(NOTICES, {"now": now, "since": now - NEWS_FOR}).fetchall()
    return [DisabledNotice(webhook=get(con, ident), tries=tries, email=email) for ident, tries, email in rows]


def notice_tried(
    con: DuckDBPyConnection, notice: DisabledNotice, *, sent: bool, now: datetime, pauses_s: Sequence[float] = PAUSES_S
) -> None:
    """Record an attempt, and schedule the next one if it failed."""
    again = not sent and notice.tries < len(pauses_s)
    due_at = now + timedelta(seconds=pauses_s[notice.tries]) if again else None
    con.execute(NOTICE_TRIED, {"id": notice.webhook.id, "due_at": due_at})


def _webhook(row: tuple[Any, ...]) -> Webhook:
    (ident, user_id, url, events, everybody, created_at, generation, mark, until, enabled, because, since) = row
    return Webhook(
        id=ident,
        user_id=user_id,
        url=url,
        events=in_order(events.split()),
        everybody=everybody,
        created_at=created_at.astimezone(UTC),
        generation=generation,
        secret_mark=mark,
        previous_until=until.astimezone(UTC) if until else None,
        enabled=enabled,
        disabled_because=DisabledBecause(because) if because else None,
        failing_since=since.astimezone(UTC) if since else None,
    )
