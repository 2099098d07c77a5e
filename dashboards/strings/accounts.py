"""Texts about accounts: login, personal settings, people, and registration."""

from datetime import timedelta

from dashboards.strings import APP
from dashboards.strings.translated_module import translate_constants
from storage.domain.translation import gettext as _
from storage.domain.translation import ngettext

translate_constants(__name__)

# Several pages
LOG_IN = "Log in"
NAME = "Name"
EMAIL_IF_ANY = "E-mail (optional)"
PASSWORD = "Password"
NEW_PASSWORD = "New password"
ROLE_LABEL = "Role"
SAVE = "Save"
SAVED = "Saved."
BROWSERS = "Browsers"
API_KEYS = "API keys"
REVOKED = "Revoked"
REVOKE = "Revoke"
REVOKE_HELP = "Programs that use this key stop working at once."
REVOKE_SURE = "Revoke permanently"
NEVER_USED = "never used"


def password_help(least: int) -> str:
    return _(
        "At least {least} characters; a few words are strong and easy to remember. Common ones are refused.",
        least=least,
    )


def since(when: str) -> str:
    return _("since {when}", when=when)


def last_seen(when: str) -> str:
    return _("last seen {when}", when=when)


def made(when: str) -> str:
    return _("created {when}", when=when)


def last_used(when: str) -> str:
    return _("last used {when}", when=when)


# Log in
LOG_IN_WHERE = f"to {APP}"
TO_JOIN = "Create an account"
FORGOTTEN = "Forgot your password? An administrator can give you a link to set a new one."
NO_ACCOUNT = "No account? Ask your administrator for an invitation."
TO_RECORDINGS = "Go to your recordings"
TO_LOG_IN = "Go to the login"
LOG_IN_FIRST = "This address is for people who are logged in. Log in, then open it again."
LINK_SPENT = "This link is no longer valid."


def log_in_with(provider: str) -> str:
    return _("Log in with {provider}", provider=provider)


# Create an account
NO_JOINING = "Registration is closed"
NO_JOINING_WHY = "You need an invitation to register."
NO_JOINING_HELP = "Ask an administrator for an account or for an invitation link."
INVITATION = "Invitation"
JOIN = "Create your account"
JOIN_INVITED = "You have been invited."
JOIN_WHERE = f"for {APP}"
JOIN_SUBMIT = "Create account"

# Choose a new password with a link
RESET = "Choose a new password"
RESET_SUBMIT = "Save and log in"


def reset_for(name: str) -> str:
    return _("for {name}", name=name)


# Choose a password at the first login
FIRST_PASSWORD = "Choose your password"
FIRST_PASSWORD_SUBMIT = "Save and continue"


def first_password_why(name: str) -> str:
    return _(
        "Welcome, {name}. The password you logged in with was set by someone else; only you know the new one.",
        name=name,
    )


# Settings
SETTINGS = "Settings"
PROFILE = "Profile"
RECORDINGS = "Recordings"
VOCABULARY = "Vocabulary"
YOUR_DATA = "Your data"

# Settings, profile
NAME_TO_LOG_IN = "Username"
NAME_SHOWN = "Display name"
EMAIL = "E-mail"
MAIL_WHEN_READY = "E-mail me when a recording is ready"
MAIL_WHEN_FAILED = "E-mail me when a recording has failed"
THEME = "Theme"
THEME_SYSTEM = "Same as device"
THEME_LIGHT = "Light"
THEME_DARK = "Dark"
LANGUAGE = "Language"
LANGUAGE_OF_BROWSER = "Same as browser"
MAIL_TO_NOBODY = "Enter your e-mail address to receive mail."


def hours_used(hours: float, quota: float) -> str:
    return _("{hours:.1f} of {quota:g} hours this month", hours=hours, quota=quota)


def room_used(size: str, quota: str) -> str:
    return _("{size} of {quota} stored", size=size, quota=quota)


# Settings, password
OLD_PASSWORD = "Current password"
NEW_PASSWORD_AGAIN = "Repeat new password"
CHANGE_PASSWORD = "Change password"
OLD_PASSWORD_WRONG = "The current password is wrong. Enter it again."
PASSWORD_CHANGED = "Your password has been changed."
END_KEYS_TOO = "Revoke my API keys, too"
END_KEYS_TOO_HELP = "If somebody else may know your password, they may have created or copied a key."
PASSWORDS_DIFFER = "the two entries differ; enter the same password twice"
PASSWORD_IS_OLD = "it is the current one; choose another"

# Settings, browsers
BROWSERS_LEAD = "All browsers in which you are logged in. Log out those that you do not recognise or no longer use."
THIS_BROWSER = "This browser"
SEEN_NOW = "now"
END_BROWSER = "Log out"
END_OTHERS = "Log out all others"
END_ALL_AND_THIS = "Log out everywhere, including here"
KNOWN_BROWSERS = "Known browsers"
KNOWN_BROWSERS_LEAD = (
    "You have logged in with these browsers, so you can log in with them even while others try your name. They "
    "log nobody in by themselves. A new password forgets all but the browser that you set it in."
)
FORGET_BROWSERS = "Forget known browsers"


def new_since(when: str) -> str:
    return _("new since {when}", when=when)


# On every page, after a log-in with a new browser
WAS_ME = "It was me"
SECURE_ACCOUNT = "Secure my account"


def new_browser(browser: str, address: str, when: str) -> str:
    return _(
        "Somebody logged in to your account with a new browser: **{browser}**, {address}, {when}. If it was not you, "
        "change your password, which logs out all other browsers.",
        browser=browser,
        address=address,
        when=when,
    )


# Settings, API keys
KEYS_LEAD = "Keys let programs transcribe on your behalf, with any client of OpenAI's audio API."
NEW_KEY = "Here is the new key. Copy it now: it cannot be shown again."
NEW_KEY_NOTED = "I have copied it"
KEY_NAME = "Name of the program"
KEY_NAME_EXAMPLE = "Meeting bot"
MAKE_KEY = "Create a key"
KEY_LIMITS = "Limit what the key may do"
SCOPES = "The key may"
KEY_LASTS = "It expires"
KEY_LASTS_DAYS = {0: "Never", 30: "After 30 days", 90: "After 90 days", 365: "After a year"}
KEY_NETWORKS = "Only from these addresses and networks"
KEY_NETWORKS_EXAMPLE = "any, or 203.0.113.7, 10.0.0.0/8"
EXPIRED = "Expired"
ROTATE = "Rotate"
ROTATE_HELP = "The key gets a new secret, and keeps its name, limits and usage."
ROTATE_SURE = "Create a new secret"
OVERLAP = "The current secret stops working"
OVERLAP_OF = {
    timedelta(0): "At once",
    timedelta(hours=1): "In an hour",
    timedelta(days=1): "In a day",
    timedelta(days=7): "In 7 days",
    timedelta(days=30): "In 30 days",
}


def expires(when: str) -> str:
    return _("expires {when}", when=when)


def only_from(networks: str) -> str:
    return _("only from {networks}", networks=networks)


def hours_a_month(hours: float) -> str:
    return _("{hours:g} hours a month", hours=hours)


def requests_an_hour(requests: int) -> str:
    return _("{requests:,} requests an hour", requests=requests)


def previous_until(when: str) -> str:
    return _("previous secret until {when}", when=when)


def key_use(month: str, requests: int, recordings: int, hours: float) -> str:
    return _(
        "{month}: {requests:,} requests, {recordings:,} recordings, {hours:.1f} hours",
        month=month,
        requests=requests,
        recordings=recordings,
        hours=hours,
    )


# Settings, your data
TAKE_DATA = "Export your data"
TAKE_DATA_HELP = "A ZIP with your account, your recordings' details, notes and transcripts as JSON."
DOWNLOAD_DATA = "Download my data"
LEAVE = "Delete account"
LEAVE_HELP = (
    "Your recordings, transcripts, subtitles, keys and settings are deleted at once and cannot be "
    "restored. The audit log keeps its entries, under your account's id."
)
LEAVE_BY_PASSWORD = "Your password, to confirm"
LEAVE_SUBMIT = "Delete my account"
LEAVE_WRONG_NAME = "That is not this account's name. Nothing was deleted."
LEAVE_WRONG_PASSWORD = "Wrong password. Nothing was deleted."


def leave_by_name(name: str) -> str:
    return _("Type {name} to confirm", name=name)


# People
PEOPLE = "People"
INVITE = "Invite"
SEARCH = "Search"
SEARCH_EXAMPLE = "Name or e-mail"
NOBODY_FITS = "Nobody matches. Search for another part of the name or address."
FIRST_PAGE = "First"
NEXT_PAGE = "More"
DISABLED = "Disabled"
NO_OWN_PASSWORD = "Has not chosen a password yet"
YOU = "you"
MANAGE = "Manage"

# People, one of them
OFF = "disabled"
SET_ROLE = "Change role"
LIMITS = "Limits"
HOURS_A_MONTH = "Hours per month"
REQUESTS_AN_HOUR = "Requests per hour"
GIGABYTES = "Gigabytes stored"
NO_LIMIT = "unlimited"
SET_LIMITS = "Save limits"
WAY_IN = "Password"
WAY_IN_OF_ONESELF = "You can change your own password under Settings."
PASSWORD_LINK_HELP = "A link to choose a new password. It works once, within a day."
MAKE_PASSWORD_LINK = "Create a password link"
IS_DISABLED = "The account is disabled."
ENABLE = "Enable account"
DISABLE_HELP = "Disabling logs the user out everywhere and stops their keys. Recordings are kept."
DISABLE = "Disable account"
NO_BROWSERS = "Not logged in anywhere."
END_ALL = "Log out everywhere"


def used_so_far(hours: float, size: str) -> str:
    return _("{hours:.1f} hours transcribed or in progress this month; {size} stored.", hours=hours, size=size)


# People, invitations
LINK_LASTS = "The link is valid for"
MAKE_INVITATION = "Create an invitation link"
INVITATION_SUBJECT = f"Your invitation to {APP}"
WITHOUT_LINK = "Without a link: create an account with a first password"
NAME_HELP = "The name that the user logs in with."
ADD = "Add"
FIRST_PASSWORD_ONCE = "The user must choose a new password at the first login."
OLD_PASSWORD_STAYS = "The old password works until then."
PASSWORD_SUBJECT = f"Your password for {APP}"
HAND_OVER = "Copy it now: it cannot be shown again."
HANDED_OVER = "Done"
SENT = "Sent."
WAITING = "Pending invitations"
NOBODY_WAITS = "There are no pending invitations. Use the form above to create a link for one person."
WHOEVER = "Anyone with the link"
WITHDRAW = "Withdraw"


def days(number: int) -> str:
    return ngettext("1 day", "{n} days", number)


def invitation_as(role: str) -> str:
    return _("Invitation as {role}", role=role)


def first_password_for(name: str) -> str:
    return _("First password for {name}", name=name)


def password_link_for(name: str) -> str:
    return _("Password link for {name}", name=name)


def once_until(when: str) -> str:
    return _("It works once, until {when}.", when=when)


def send_to(address: str) -> str:
    return _("Send it to {address}", address=address)


def invited_by(name: str, when: str, until: str) -> str:
    return _("Created by {name} {when} · valid until {until}", name=name, when=when, until=until)


# People, everybody's API keys
ONLY_VALID_KEYS = "Only valid keys"
NO_KEYS = "There are no keys. Users create them in their settings, under API keys."
DELETED_USER = "a deleted user"
NEWEST_KEYS = "Newest"
OLDER_KEYS = "Older"

# Access
ACCESS = "Sign-in"
WHO_MAY_JOIN = "Who may register"
WHO_MAY_JOIN_HELP = ("With the role below", "With a single-use link", "Only administrators can add people")
ROLE_OF_NEW = "Role of users who register"
FROM_SETTINGS = "From the installation's settings"
PROVIDER = "OpenID provider"
NO_PROVIDER = "none (TRANSCRIBER_OIDC_ISSUER)"
MAIL_SERVER = "Mail server"
NO_MAIL_SERVER = "none (TRANSCRIBER_SMTP_HOST)"
LOGIN_ENDS = "Sessions"


def login_lasts(idle_minutes: int, max_days: int) -> str:
    idle = _("{n} h", n=idle_minutes // 60) if idle_minutes % 60 == 0 else _("{n} min", n=idle_minutes)
    return _("{idle} idle, {max_days} days at most", idle=idle, max_days=max_days)
