"""Background loop that sends the deliveries of webhooks.

One webhook gets them in turn, and several webhooks at once.
"""

import asyncio
import logging
import time
from datetime import UTC, datetime

import duckdb

from dashboards.clients import outgoing_http
from dashboards.runtime import context, db
from dashboards.runtime.limits import Limits
from storage.accounts import webhook_deliveries, webhooks
from storage.accounts.webhook_deliveries import Attempt, Delivery
from storage.accounts.webhooks import Webhook
from storage.domain.clock import utc_now
from storage.domain.errors import NotFound, TranscriberError
from storage.remote import webhook_secrets

logger = logging.getLogger(__name__)

AT_ONCE = 16
"""Webhooks that are sent to at a time."""
TIDY_EVERY_S = 3600.0
ASK_AGAIN = frozenset({429, 503})
SENT_WITH = {"Content-Type": "application/json", "User-Agent": "whisper-transcriber"}


async def send_events() -> None:
    """Send what is due forever, including what earlier processes left."""
    limits, sending = context.current().limits, set[str]()
    tidy_at = 0.0
    async with asyncio.TaskGroup() as group:
        while True:
            try:
                if time.monotonic() >= tidy_at:
                    await db.write(webhook_deliveries.tidy, now=utc_now())
                    tidy_at = time.monotonic() + TIDY_EVERY_S
                for webhook_id in await db.read(webhook_deliveries.due_webhooks, now=utc_now()):
                    if webhook_id not in sending and len(sending) < AT_ONCE:
                        sending.add(webhook_id)
                        group.create_task(_send_all(webhook_id, limits, sending))
            except (TranscriberError, duckdb.Error) as error:
                logger.warning("webhooks could not be looked after, and are later: %s", error)
            await asyncio.sleep(limits.webhook_look_every_s)


async def _send_all(webhook_id: str, limits: Limits, sending: set[str]) -> None:
    """Send what is due to one webhook, until a delivery fails."""
    try:
        while delivery := await db.write(webhook_deliveries.take, webhook_id, now=utc_now()):
            if not await _send_one(delivery, limits):
                return
    except NotFound:
        return  # it was deleted meanwhile
    except Exception:
        logger.exception("webhook %s could not be looked after, and is later", webhook_id)
    finally:
        sending.discard(webhook_id)


async def _send_one(delivery: Delivery, limits: Limits) -> bool:
    hook = await db.read(webhooks.get, delivery.webhook_id)
    headers = _headers(hook, delivery)
    if headers is None:
        await db.write(webhook_deliveries.secret_lost, delivery)
        return False
    began_s, sent_at = time.monotonic(), utc_now()
    status, error, asked_pause_s = await _post(hook, delivery, headers, within_s=limits.webhook_answer_s)
    duration_ms = round(1000 * (time.monotonic() - began_s))
    attempt = Attempt(sent_at=sent_at, duration_ms=duration_ms, status=status, error=error)
    pauses_s = limits.webhook_pauses_s
    await db.write(webhook_deliveries.tried, delivery, attempt, asked_pause_s=asked_pause_s, pauses_s=pauses_s)
    if not attempt.succeeded:
        logger.info("webhook %s, try %d: %s", hook.id, delivery.tries, error or status)
    return attempt.succeeded


def _headers(hook: Webhook, delivery: Delivery) -> dict[str, str] | None:
    """Return the signed headers; None if the owner has another secret."""
    settings, now = context.settings(), utc_now()
    secrets = [webhook_secrets.secret_of(settings, hook.id, hook.generation)]
    if webhook_secrets.mark_of(secrets[0]) != hook.secret_mark:
        return None
    if hook.previous_until and hook.previous_until > now:
        secrets.append(webhook_secrets.secret_of(settings, hook.id, hook.generation - 1))
    return SENT_WITH | webhook_secrets.headers_for(secrets, delivery.id, delivery.body.encode(), now=now)


async def _post(
    hook: Webhook, delivery: Delivery, headers: dict[str, str], *, within_s: float
) -> tuple[int | None, str | None, float]:
    """Send a delivery; return the status or problem, and the pause asked for.

    What the answer says beside that is not read. 307 and 308 are followed; other redirects would change the method.
    """
    try:
        async with (
            asyncio.timeout(within_s),
            outgoing_http.request(
                context.settings().outgoing.targets,
                "POST",
                hook.url,
                headers=headers,
                content=delivery.body.encode(),
                follow=outgoing_http.KEPT_METHOD,
            ) as answer,
        ):
            pause_s = _retry_after_s(answer.headers.get("retry-after", "")) if answer.status in ASK_AGAIN else 0.0
            return answer.status, None, pause_s
    except TimeoutError:
        return None, f"no answer within {within_s:g} s", 0.0
    except TranscriberError as error:
        return None, str(error), 0.0


def _retry_after_s(text: str) -> float:
    """Read `Retry-After`: seconds, or a date (RFC 9110)."""
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        until = datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    except ValueError:
        return 0.0
    return max(0.0, (until - utc_now()).total_seconds())
