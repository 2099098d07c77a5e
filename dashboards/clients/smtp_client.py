"""SMTP client: sends one mail."""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from storage.domain.errors import MailNotSent
from storage.domain.settings import MailSettings

ANSWER_WITHIN_S = 20.0


def send(settings: MailSettings, *, to: str, subject: str, text: str, within_s: float = ANSWER_WITHIN_S) -> None:
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
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=within_s, context=ssl.create_default_context())
        else:
            server = smtplib.SMTP(host, port, timeout=within_s)
        with server:
            if settings.smtp_security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if settings.smtp_user:
                password = settings.smtp_password.get_secret_value() if settings.smtp_password else ""
                server.login(settings.smtp_user, password)
            server.send_message(message)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise MailNotSent(host, f"{type(error).__name__}: {error}"[:200]) from error
