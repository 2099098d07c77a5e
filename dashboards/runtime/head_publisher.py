"""Sends the head of the audit chain to each receiver once a day."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from datetime import date

import httpx

from dashboards.clients import audit_receivers
from dashboards.runtime import context, db
from storage.domain.errors import TranscriberError
from storage.maintenance import audit_heads
from storage.maintenance.audit_heads import AuditHead

logger = logging.getLogger(__name__)

Send = Callable[[AuditHead], Awaitable[object]]


class HeadPublisher:
    """Knows which receivers have this day's head; a restart sends it again, except to storage."""

    def __init__(self) -> None:
        self._sent: dict[str, date] = {}

    async def publish(self) -> list[str]:
        """Send the head to all receivers that lack this day's; return their names.

        A receiver that fails is tried again the next time, and keeps no other from getting it.
        """
        head = await db.read(audit_heads.current)
        today, took = head.at.date(), []
        for name, send in _receivers():
            if self._sent.get(name) == today:
                continue
            try:
                await send(head)
            except (OSError, httpx.HTTPError, TranscriberError) as error:
                logger.warning("the head of the audit chain did not reach %s: %s", name, type(error).__name__)
            else:
                self._sent[name] = today
                took.append(name)
        return took


def _receivers() -> Iterator[tuple[str, Send]]:
    settings = context.settings().audit
    if settings.audit_head_on_storage:
        yield "storage", _to_storage
    if settings.audit_head_syslog:
        yield "syslog", _to_syslog
    if settings.audit_head_webhook:
        yield "the webhook", _to_webhook


async def _to_storage(head: AuditHead) -> None:
    await db.in_thread(audit_heads.keep, context.files(), head)


async def _to_syslog(head: AuditHead) -> None:
    await db.in_thread(audit_receivers.to_syslog, context.settings().audit.audit_head_syslog or "", head.to_line())


async def _to_webhook(head: AuditHead) -> None:
    if url := context.settings().audit.audit_head_webhook:
        await audit_receivers.to_webhook(url, head.to_line())
