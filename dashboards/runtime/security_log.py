"""What the audit log records besides changes: failed log-ins, refusals, downloads, an administrator's reading.

Failed log-ins, lock-outs, refusals and downloads of files are written before they are answered. Playing a recording and
reading are written within a second, so that they wait for no writer. If the ledger cannot be written, the log says so,
and the answer is given all the same.
"""

import asyncio
import logging
import re
from collections.abc import Sequence

import duckdb
from duckdb import DuckDBPyConnection

from dashboards.runtime import context, db
from dashboards.runtime.event_windows import ACTORS, ADDRESSES, HOUR_S, NAMES, SecurityEvent
from storage.domain.audit_actions import AuditAction
from storage.domain.errors import LedgerClosed, TranscriberError
from storage.domain.network.trusted_proxies import network_of
from storage.domain.records import Job, User
from storage.ledger import audit, audit_origin
from storage.ledger.audit_origin import Origin, printable

logger = logging.getLogger(__name__)

NOBODY, EVERYBODY = "nobody", "everybody"
WRITE_EVERY_S = 1.0
DOWNLOAD_WITHIN_S = 600.0
MAX_NAME_CHARS = 64
MAX_PATH_CHARS = 200
SECRET_IN_PATH = re.compile(r"(/shared/(?!assets/)|/asr-)[^/]+")


def without_secret(path: str) -> str:
    """Return a path for logs: share links and `/asr-SECRET` without what opens them."""
    return SECRET_IN_PATH.sub(r"\1…", path) if "/shared/" in path or "/asr-" in path else path


async def login_failed(name: str | None, *, by: str, code: str | None = None, origin: Origin | None = None) -> None:
    """Record a failed log-in: the name as it was given, never the password."""
    await _tell(_sign_in(AuditAction.LOGIN_FAILED, name, by, origin, code))


async def login_locked(name: str | None, *, by: str, origin: Origin | None = None) -> None:
    """Record that a log-in was refused after too many tries."""
    context.current().metrics.login_blocked(by)
    await _tell(_sign_in(AuditAction.LOGIN_LOCKED, name, by, origin))


def _sign_in(
    action: AuditAction, name: str | None, by: str, origin: Origin | None, code: str | None = None
) -> SecurityEvent:
    origin = origin or audit_origin.current()
    given = printable(name, MAX_NAME_CHARS) or ""
    sources = ((ADDRESSES, network_of(origin.address or "")), (NAMES, given))
    return SecurityEvent(
        actor=NOBODY,
        action=action,
        subject=given or by,
        detail={"by": by} | ({"code": code} if code else {}),
        origin=origin,
        alike=(by, origin.address or "", given),
        bounded=True,
        kind=by,
        sources=tuple(source for source in sources if source[1]),
    )


async def refused(actor: str, *, subject: str, code: str, method: str, origin: Origin | None = None) -> None:
    """Record that a known caller was refused."""
    await _tell(_refusal(actor, subject, code, method, origin))


def page_refused(actor: str, *, subject: str, code: str) -> None:
    """Record that a page refused its reader."""
    context.current().security.wait(_refusal(actor, subject, code, "page", None))


def _refusal(actor: str, subject: str, code: str, method: str, origin: Origin | None) -> SecurityEvent:
    return SecurityEvent(
        actor=actor,
        action=AuditAction.REFUSED,
        subject=printable(without_secret(subject), MAX_PATH_CHARS) or "",
        detail={"code": code, "method": method},
        origin=origin or audit_origin.current(),
        alike=(actor,),
        bounded=True,
        sources=((ACTORS, actor),),
    )


def others_read(user: User, job: Job) -> None:
    """Record an administrator's or a colleague's reading of somebody else's recording, once an hour."""
    if job.owner_id != user.id:
        _later(user.actor, AuditAction.OTHERS_READ, job, {"owner": job.owner_id})


def others_searched(user: User) -> None:
    """Record an administrator's search in everybody's transcripts, once an hour, without its words."""
    event = SecurityEvent(
        actor=user.actor,
        action=AuditAction.OTHERS_SEARCHED,
        subject=EVERYBODY,
        origin=audit_origin.current(),
        alike=(user.actor,),
        within_s=HOUR_S,
        counted=False,
    )
    context.current().security.wait(event)


def media_sent(user: User, job: Job) -> None:
    """Record that a recording is played or downloaded, once an hour.

    Players ask for many ranges.
    """
    _later(user.actor, AuditAction.MEDIA_SENT, job, {"name": job.name})


def _later(actor: str, action: AuditAction, job: Job, detail: dict[str, str]) -> None:
    event = SecurityEvent(
        actor=actor,
        action=action,
        subject=job.id,
        detail=detail,
        origin=audit_origin.current(),
        alike=(actor, job.id),
        within_s=HOUR_S,
        counted=False,
    )
    context.current().security.wait(event)


async def export_sent(user: User, job: Job, fmt: str) -> None:
    """Record that a transcript is sent as a file."""
    event = SecurityEvent(
        actor=user.actor,
        action=AuditAction.EXPORT_SENT,
        subject=job.id,
        detail={"format": fmt, "name": job.name},
        origin=audit_origin.current(),
        alike=(user.actor, job.id, fmt),
        within_s=DOWNLOAD_WITHIN_S,
    )
    await _tell(event)


async def archive_sent(user: User, jobs: Sequence[Job], formats: Sequence[str]) -> None:
    """Record that the files of several transcripts are sent."""
    ids = sorted(job.id for job in jobs)
    event = SecurityEvent(
        actor=user.actor,
        action=AuditAction.ARCHIVE_SENT,
        subject=ids[0],
        detail={"jobs": ids, "formats": list(formats)},
        origin=audit_origin.current(),
        alike=(user.actor, *ids, *formats),
    )
    await _tell(event)
    for job in jobs:
        others_read(user, job)


async def _tell(event: SecurityEvent) -> None:
    """Write an event before going on, unless it repeats one that is written."""
    if not context.current().security.begins(event):
        return
    try:
        await db.write(_record, [event])
    except (TranscriberError, duckdb.Error) as error:
        logger.warning("%s by %s could not be recorded: %s", event.action, event.actor, error)


def _record(con: DuckDBPyConnection, events: Sequence[SecurityEvent]) -> None:
    for event in events:
        audit.record(
            con,
            actor=event.actor,
            action=event.action,
            subject=event.subject,
            detail=event.detail,
            origin=event.origin,
        )


async def write_waiting(*, everything: bool = False) -> None:
    """Write what waits, and the repeats of windows that ended; with `everything`, of all windows."""
    security = context.current().security
    events = security.take(everything=everything)
    if not events:
        return
    try:
        await db.write(_record, events)
    except LedgerClosed:
        raise
    except (TranscriberError, duckdb.Error) as error:
        logger.warning("%d security events are recorded later: %s", len(events), error)
        security.put_back(events)


async def keep_writing(*, every_s: float = WRITE_EVERY_S) -> None:
    """Write what waits, every second."""
    while True:
        await asyncio.sleep(every_s)
        try:
            await write_waiting()
        except LedgerClosed:
            return
