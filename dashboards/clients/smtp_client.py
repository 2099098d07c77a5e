"""Sends mail by SMTP: about finished recordings to those who want it, and links that administrators make."""

import asyncio
import logging
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

import duckdb

from dashboards import context
from storage import mails
from storage.clock import utc_now
from storage.errors import MailNotSent, TranscriberError
from storage.mails import Mail
from storage.records import JobState
from storage.settings import MailSettings

logger = logging.getLogger(__name__)

ANSWER_WITHIN_S = 20.0
LOOK_EVERY_S = 2.0


def send(settings: MailSettings, *, to: str, subject: str, text: str) -> None:
    """Send one mail; it blocks for as long as the server takes.

    Raises:
        MailNotSent: the server cannot be reached, or refuses it.
    """
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = settings.smtp_from, to, subject
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=settings.smtp_from.rpartition("@")[2])
    message.set_content(text)
    host, port = settings.smtp_host or "", settings.smtp_port
    try:
        if settings.smtp_security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                host, port, timeout=ANSWER_WITHIN_S, context=ssl.create_default_context()
            )
        else:
            server = smtplib.SMTP(host, port, timeout=ANSWER_WITHIN_S)
        with server:
            if settings.smtp_security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if settings.smtp_user:
                password = settings.smtp_password.get_secret_value() if settings.smtp_password else ""
                server.login(settings.smtp_user, password)
            server.send_message(message)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise MailNotSent(host, f"{type(error).__name__}: {error}"[:200]) from error


def address_of_app() -> str:
    """Return the address for links in mails."""
    web = context.settings().web
    return (web.public_url or web.base_url).rstrip("/")


async def deliver() -> None:
    """Send the mails about finished jobs, those of earlier processes too; for ever."""
    settings = context.settings().mail
    await context.write(mails.tidy, now=utc_now())
    while settings.smtp_host:
        try:
            await _send_due(settings)
        except (TranscriberError, duckdb.Error) as error:
            logger.warning("mails could not be looked after, and are later: %s", error)
        await asyncio.sleep(LOOK_EVERY_S)


async def _send_due(settings: MailSettings) -> None:
    while found := await context.read(mails.due, now=utc_now()):
        for mail in found:
            sent = await _send_one(settings, mail)
            await context.write(mails.tried, mail, sent=sent, now=utc_now())
        await context.write(mails.tidy, now=utc_now())


async def _send_one(settings: MailSettings, mail: Mail) -> bool:
    if not mail.email or mail.overtaken:
        return True  # there is nothing to tell any more
    ready = mail.state is JobState.COMPLETED
    subject = f"{mail.name} is ready" if ready else f"{mail.name} could not be transcribed"
    said = "The transcript of your recording is ready." if ready else mail.error or "It has failed."
    text = f"{said}\n\n{address_of_app()}/job?id={mail.job_id}\n\nYou can turn these mails off in your settings.\n"
    try:
        await asyncio.to_thread(send, settings, to=mail.email, subject=_one_line(subject), text=text)
    except MailNotSent as error:
        logger.warning("mail about job %s, try %d: %s", mail.job_id, mail.tries + 1, error)
        return False
    return True


def _one_line(text: str) -> str:
    return " ".join(text.split())
