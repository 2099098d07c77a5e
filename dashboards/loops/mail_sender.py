"""Background loop that sends the queued mails.

They are about finished recordings, new browsers and disabled webhooks.
"""

import asyncio
import logging

import duckdb

from dashboards.clients import smtp_client
from dashboards.loops import mail_texts
from dashboards.runtime import context, db
from dashboards.runtime.limits import Limits
from storage.accounts import device_notices, mail_queue, preferences, webhooks
from storage.accounts.device_notices import NoticeMail
from storage.accounts.mail_queue import Mail
from storage.accounts.webhooks import DisabledNotice
from storage.domain import translation
from storage.domain.browser_names import address_of, browser_of
from storage.domain.clock import utc_now
from storage.domain.errors import MailNotSent, TranscriberError
from storage.domain.job_messages import text_of
from storage.domain.records import JobState
from storage.domain.settings import MailSettings

logger = logging.getLogger(__name__)


def address_of_app() -> str:
    """Return the app's address for links in mails."""
    web = context.settings().web
    return (web.public_url or web.base_url).rstrip("/")


async def deliver() -> None:
    """Send queued mails forever, including those of earlier processes."""
    settings, limits = context.settings().mail, context.current().limits
    await _tidy()
    while settings.smtp_host:
        try:
            await _send_due(settings, limits)
        except (TranscriberError, duckdb.Error) as error:
            logger.warning("mails could not be looked after, and are later: %s", error)
        await asyncio.sleep(limits.mail_look_every_s)


async def _send_due(settings: MailSettings, limits: Limits) -> None:
    while found := await db.read(mail_queue.due, now=utc_now()):
        for mail in found:
            sent = await _send_one(settings, mail)
            await db.write(mail_queue.tried, mail, sent=sent, now=utc_now(), pauses_s=limits.mail_pauses_s)
        await _tidy()
    while waiting := await db.read(device_notices.due, now=utc_now()):
        for notice in waiting:
            sent = await _send_notice(settings, notice)
            await db.write(device_notices.tried, notice, sent=sent, now=utc_now(), pauses_s=limits.mail_pauses_s)
        await _tidy()
    while disabled := await db.read(webhooks.notices_due, now=utc_now()):
        for one in disabled:
            sent = await _send_disabled(settings, one)
            await db.write(webhooks.notice_tried, one, sent=sent, now=utc_now(), pauses_s=limits.mail_pauses_s)


async def _tidy() -> None:
    await db.write(mail_queue.tidy, now=utc_now())
    await db.write(device_notices.tidy, now=utc_now())


async def _send_one(settings: MailSettings, mail: Mail) -> bool:
    if not mail.email or mail.overtaken:
        return True  # there is nothing to report any more
    ready = mail.state is JobState.COMPLETED
    with translation.speaking(await _language_of(mail.user_id)):
        link = f"{address_of_app()}/job?id={mail.job_id}"
        subject, text = mail_texts.recording_ended(mail.name, ready=ready, error=text_of(mail.error), link=link)
    about = f"job {mail.job_id}, try {mail.tries + 1}"
    return await _sent(settings, to=mail.email, subject=subject, text=text, about=about)


async def _send_notice(settings: MailSettings, notice: NoticeMail) -> bool:
    if not notice.email:
        return True
    device = notice.device
    with translation.speaking(await _language_of(notice.user_id)):
        subject, text = mail_texts.new_browser(
            notice.name,
            at=device.created_at,
            address=address_of(device.client),
            browser=browser_of(device.client),
            by_password=notice.by_password,
            settings=f"{address_of_app()}/settings?part=",
        )
    about = f"device {device.id}, try {notice.tries + 1}"
    return await _sent(settings, to=notice.email, subject=subject, text=text, about=about)


async def _send_disabled(settings: MailSettings, notice: DisabledNotice) -> bool:
    hook = notice.webhook
    if not notice.email or hook.disabled_because is None:
        return True
    with translation.speaking(await _language_of(hook.user_id)):
        link = f"{address_of_app()}/settings?part=Webhooks"
        subject, text = mail_texts.webhook_disabled(hook.host, hook.disabled_because, link=link)
    about = f"webhook {hook.id}, try {notice.tries + 1}"
    return await _sent(settings, to=notice.email, subject=subject, text=text, about=about)


async def _language_of(user_id: str) -> str:
    """Return the language that somebody chose for pages; a browser's is not known here."""
    return (await db.read(preferences.of, user_id)).pages_language or translation.ENGLISH


async def _sent(settings: MailSettings, *, to: str, subject: str, text: str, about: str) -> bool:
    try:
        await asyncio.to_thread(smtp_client.send, settings, to=to, subject=_one_line(subject), text=text)
    except MailNotSent as error:
        logger.warning("mail about %s: %s", about, error)
        return False
    return True


def _one_line(text: str) -> str:
    return " ".join(text.split())
