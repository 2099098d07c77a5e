"""Texts of mails."""

from dashboards.strings.translated_module import translate_constants
from storage.accounts.webhooks import DisabledBecause
from storage.domain.translation import gettext as _

translate_constants(__name__)

# A recording has ended
READY = "The transcript of your recording is ready."
FAILED = "It has failed."
TURN_OFF = "You can turn these mails off in your settings."


def is_ready(name: str) -> str:
    return _("{name} is ready", name=name)


def has_failed(name: str) -> str:
    return _("{name} could not be transcribed", name=name)


# A new browser
WAS_IT_YOU = "If it was you, there is nothing to do. If it was not,"
CHANGE_PASSWORD = "change your password now, which logs out all other browsers:"
LOCKED_OUT = "If you can no longer log in, ask an administrator for a new password."
LOG_OUT_OTHERS = "log out all other browsers, and tell whoever runs your log-in:"


def new_browser_for(name: str) -> str:
    return _("New browser for {name}", name=name)


def somebody(name: str) -> str:
    return _("Somebody logged in as {name} with a browser in which you had not logged in before.", name=name)


def new_browser(when: str, address: str, browser: str) -> str:
    return _("Time: {when}\nAddress: {address}\nBrowser: {browser}", when=when, address=address, browser=browser)


# A webhook was disabled
ENABLE_AGAIN = "To enable it again:"
DISABLED = {
    DisabledBecause.GONE: "its server said that it is gone for good (status 410).",
    DisabledBecause.FAILING: "nothing could be delivered for a day.",
    DisabledBecause.SECRET_LOST: "its secret is lost. Create the next one first.",
}


def webhook_disabled(host: str) -> str:
    return _("Your webhook at {host} is disabled", host=host)


def not_sent(host: str, why: str) -> str:
    return _("Messages to your webhook at {host} are not sent any more: {why}", host=host, why=why)
