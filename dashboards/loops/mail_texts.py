"""The texts of mails: a subject and a body each."""

from datetime import datetime

from storage.accounts.webhooks import DisabledBecause
from storage.domain.translation import date, marked
from storage.domain.translation import gettext as _

WHY_DISABLED = {
    DisabledBecause.GONE: marked("its server said that it is gone for good (status 410)."),
    DisabledBecause.FAILING: marked("nothing could be delivered for a day."),
    DisabledBecause.SECRET_LOST: marked("its secret is lost. Create the next one first."),
}


def recording_ended(name: str, *, ready: bool, error: str, link: str) -> tuple[str, str]:
    """Return the mail about a recording that is ready or has failed."""
    subject = _("{name} is ready", name=name) if ready else _("{name} could not be transcribed", name=name)
    said = _("The transcript of your recording is ready.") if ready else error or _("It has failed.")
    return subject, f"{said}\n\n{link}\n\n{_('You can turn these mails off in your settings.')}\n"


def new_browser(
    name: str, *, at: datetime, address: str, browser: str, by_password: bool, settings: str
) -> tuple[str, str]:
    """Return the mail about a log-in with a new browser.

    `settings` is the start of links to them.
    """
    somebody = _("Somebody logged in as {name} with a browser in which you had not logged in before.", name=name)
    when = f"{date(at)}, {at:%H:%M} UTC"
    facts = _("Time: {when}\nAddress: {address}\nBrowser: {browser}", when=when, address=address, browser=browser)
    if by_password:
        remedy = _("change your password now, which logs out all other browsers:")
        last = _("If you can no longer log in, ask an administrator for a new password.")
        link = f"{settings}Password\n\n{last}"
    else:
        remedy = _("log out all other browsers, and tell whoever runs your log-in:")
        link = f"{settings}Browsers"
    was_it_you = _("If it was you, there is nothing to do. If it was not,")
    text = f"{somebody}\n\n{facts}\n\n{was_it_you} {remedy}\n\n{link}\n"
    return _("New browser for {name}", name=name), text


def webhook_disabled(host: str, because: DisabledBecause, *, link: str) -> tuple[str, str]:
    """Return the mail about a webhook that gets no messages any more."""
    why = _(WHY_DISABLED[because])
    said = _("Messages to your webhook at {host} are not sent any more: {why}", host=host, why=why)
    text = f"{said}\n\n{_('To enable it again:')}\n\n{link}\n"
    return _("Your webhook at {host} is disabled", host=host), text
