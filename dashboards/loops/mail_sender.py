"""Background loop that sends the queued mails.

They are about finished recordings, new browsers and disabled webhooks.
"""

import asyncio
import logging

import duckdb

from dashboards.clients import smtp_client
from dashboards.runtime import context, db
from dashboards.runtime.limits import Limits
from storage.accounts import device_notices, mail_queue, webhooks
from storage.accounts.device_notices import NoticeMail
from storage.accounts.mail_queue import Mail
from storage.accounts.webhooks import DisabledBecause, DisabledNotice
from storage.domain.browser_names import address_of, browser_of
from storage.domain.clock import utc_now
from storage.domain.errors import MailNotSent, TranscriberError
from storage.domain.job_messages import text_of
from storage.domain.records import JobState
from storage.domain.settings import MailSettings

logger = logging.getLogger(__name__)

DISABLED = {
    DisabledBecause.GONE: "its server said that it is gone for good (status 410).",
    DisabledBecause.FAILING: "nothing could be delivered for a day.",
    DisabledBecause.SECRET_LOST: "its secret is lost. Create the next one first.",
}


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
    subject = f"{mail.name} is ready" if ready else f"{mail.name} could not be transcribed"
    said = "The transcript of your recording is ready." if ready else text_of(mail.error) or "It has failed."
    text = f"{said}\n\n{address_of_app()}/job?id={mail.job_id}\n\nYou can turn these mails off in your settings.\n"
    about = f"job {mail.job_id}, try {mail.tries + 1}"
    return await _sent(settings, to=mail.email, subject=subject, text=text, about=about)


async def _send_notice(settings: MailSettings, notice: NoticeMail) -> bool:
    if not notice.email:
        return True
    device, page = notice.device, f"{address_of_app()}/settings?part="
    remedy = (
        f"change your password now, which logs out all other browsers:\n\n{page}Password\n\n"
        "If you can no longer log in, ask an administrator for a new password."
        if notice.by_password
        else f"log out all other browsers, and tell whoever runs your log-in:\n\n{page}Browsers"
    )
    text = (
        f"Somebody logged in as {notice.name} with a browser in which you had not logged in before.\n\n"
        f"Time: {device.created_at:%d %b %Y, %H:%M} UTC\n"
        f"Address: {address_of(device.client)}\n"
        f"Browser: {browser_of(device.client)}\n\n"
        f"If it was you, there is nothing to do. If it was not, {remedy}\n"
    )
    about = f"device {device.id}, try {notice.tries + 1}"
    return await _sent(settings, to=notice.email, subject=f"New browser for {notice.name}", text=text, about=about)


async def _send_disabled(settings: MailSettings, notice: DisabledNotice) -> bool:
    hook = notice.webhook
    if not notice.email or hook.disabled_because is None:
        return True
    text = (
        f"Messages to your webhook at {hook.host} are not sent any more: {DISABLED[hook.disabled_because]}\n\n"
        f"To enable it again:\n\n{address_of_app()}/settings?part=Webhooks\n"
    )
    about = f"webhook {hook.id}, try {notice.tries + 1}"
    return await _sent(
        settings, to=notice.email, subject=f"Your webhook at {hook.host} is disabled", text=text, about=about
    )


async def _sent(settings: MailSettings, *, to: str, subject: str, text: str, about: str) -> bool:
    try:
        await asyncio.to_thread(smtp_client.send, settings, to=to, subject=_one_line(subject), text=text)
    except MailNotSent as error:
        logger.warning("mail about %s: %s", about, error)
        return False
    return True


def _one_line(text: str) -> str:
    return " ".join(text.split())
