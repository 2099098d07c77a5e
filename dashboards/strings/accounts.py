"""The words around accounts: getting in, one's own settings, the people, and who may register."""

from dashboards.strings import APP

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
REVOKE_SURE = "Revoke for good"
NEVER_USED = "never used"


def password_help(least: int) -> str:
    return f"At least {least} characters; a few words in a row are strong and easy to keep in mind."


def since(when: str) -> str:
    return f"since {when}"


def last_seen(when: str) -> str:
    return f"last seen {when}"


def made(when: str) -> str:
    return f"made {when}"


def last_used(when: str) -> str:
    return f"last used {when}"


# Log in
LOG_IN_WHERE = f"to {APP}"
TO_JOIN = "Create an account"
FORGOTTEN = "Forgotten password? An administrator can give you a link to a new one."
NO_ACCOUNT = "No account? Ask your administrator for an invitation."
TO_RECORDINGS = "Go to your recordings"
TO_LOG_IN = "Go to the login"
LINK_SPENT = "This link does not work any more."


def log_in_with(provider: str) -> str:
    return f"Log in with {provider}"


# Create an account
NO_JOINING = "Accounts are given out here"
NO_JOINING_WHY = "Nobody can register without an invitation at the moment."
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
    return f"for {name}"


# Choose a password at the first login
FIRST_PASSWORD = "Choose your password"
FIRST_PASSWORD_SUBMIT = "Save and go on"


def first_password_why(name: str) -> str:
    return f"Welcome, {name}. The password you logged in with was set by someone else; only you know the new one."


# Settings
SETTINGS = "Settings"
PROFILE = "Profile"
RECORDINGS = "Recordings"
VOCABULARY = "Vocabulary"
YOUR_DATA = "Your data"

# Settings, profile
NAME_TO_LOG_IN = "Name for logging in"
NAME_SHOWN = "Name that others see"
EMAIL = "E-mail"
MAIL_WHEN_READY = "Write to me when a recording is ready"
MAIL_WHEN_FAILED = "Write to me when a recording has failed"
THEME = "Colours"
THEME_SYSTEM = "As the device"
THEME_LIGHT = "Light"
THEME_DARK = "Dark"
MAIL_TO_NOBODY = "To get mail, fill in the address that it should go to."


def hours_used(hours: float, quota: float) -> str:
    return f"{hours:.1f} of {quota:g} hours this month"


def room_used(size: str, quota: str) -> str:
    return f"{size} of {quota} stored"


# Settings, password
OLD_PASSWORD = "Current password"
NEW_PASSWORD_AGAIN = "New password, once more"
CHANGE_PASSWORD = "Change password"
OLD_PASSWORD_WRONG = "The current password is not right. Type it again."
PASSWORD_CHANGED = "Your password has been changed."
PASSWORDS_DIFFER = "the two entries differ; type it twice the same"
PASSWORD_IS_OLD = "it is the current one; choose another"

# Settings, browsers
BROWSERS_LEAD = "Every browser in which you are logged in. Log out those that you do not know or use any more."
ANY_BROWSER = "Browser"
THIS_BROWSER = "This one"
SEEN_NOW = "now"
END_BROWSER = "Log out"
END_OTHERS = "Log out all others"
END_ALL_AND_THIS = "Log out everywhere, here too"


def browser_on(browser: str, system: str) -> str:
    return f"{browser} on {system}"


# Settings, API keys
KEYS_LEAD = "Keys let programs transcribe in your name, with any client that speaks OpenAI's audio API."
NEW_KEY = "Here is the new key. Copy it now: it cannot be shown again."
NEW_KEY_NOTED = "I have copied it"
KEY_NAME = "Name of the program"
KEY_NAME_EXAMPLE = "Meeting bot"
MAKE_KEY = "Create a key"

# Settings, your data
TAKE_DATA = "Take it with you"
TAKE_DATA_HELP = "A ZIP with your account, your recordings' details, notes and transcripts as JSON."
DOWNLOAD_DATA = "Download my data"
LEAVE = "Delete the account"
LEAVE_HELP = (
    "Your recordings, transcripts, subtitles, keys and settings are deleted at once, and nobody can bring them "
    "back. The audit log keeps what was done, under your account's number."
)
LEAVE_BY_PASSWORD = "Your password, to confirm"
LEAVE_SUBMIT = "Delete my account"
LEAVE_WRONG_NAME = "That is not the name of this account. Nothing was deleted."
LEAVE_WRONG_PASSWORD = "That is not your password. Nothing was deleted."


def leave_by_name(name: str) -> str:
    return f"Type {name} to confirm"


# People
PEOPLE = "People"
INVITE = "Invite"
SEARCH = "Search"
SEARCH_EXAMPLE = "Name or e-mail"
NOBODY_FITS = "Nobody fits. Look for another part of the name or the address."
FIRST_PAGE = "First"
NEXT_PAGE = "More"
DISABLED = "Disabled"
NO_OWN_PASSWORD = "Has not chosen a password yet"
YOU = "you"
MANAGE = "Manage"

# People, one of them
OFF = "disabled"
SET_ROLE = "Change the role"
LIMITS = "Limits"
HOURS_A_MONTH = "Hours a month"
GIGABYTES = "Gigabytes stored"
NO_LIMIT = "no limit"
SET_LIMITS = "Save the limits"
WAY_IN = "Way in"
WAY_IN_OF_ONESELF = "Your own password is changed under Settings."
PASSWORD_LINK_HELP = "A link with which the person chooses a new password. It works once, for a day."
MAKE_PASSWORD_LINK = "Make a password link"
IS_DISABLED = "The account is disabled."
ENABLE = "Let in again"
DISABLE_HELP = "Disabling logs the person out everywhere and stops their keys. Recordings stay."
DISABLE = "Disable"
NO_BROWSERS = "Not logged in anywhere."
END_ALL = "Log out everywhere"


def used_so_far(hours: float, size: str) -> str:
    return f"This month {hours:.1f} hours were heard or are under way; {size} are stored."


# People, invitations
LINK_LASTS = "The link works for"
MAKE_INVITATION = "Make an invitation link"
INVITATION_SUBJECT = f"Your invitation to {APP}"
WITHOUT_LINK = "Without a link: an account with a first password"
NAME_HELP = "What the person types to log in."
ADD = "Add"
FIRST_PASSWORD_ONCE = "At the first login a password of one's own has to be chosen."
OLD_PASSWORD_STAYS = "The old password works until then."
PASSWORD_SUBJECT = f"Your password for {APP}"
HAND_OVER = "Hand it over now: it cannot be shown again."
HANDED_OVER = "Done"
SENT = "Sent."
WAITING = "Waiting invitations"
NOBODY_WAITS = "No invitation is waiting. The form above makes a link for one person."
WHOEVER = "Whoever has the link"
WITHDRAW = "Withdraw"


def days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"


def invitation_as(role: str) -> str:
    return f"Invitation as {role}"


def first_password_for(name: str) -> str:
    return f"First password for {name}"


def password_link_for(name: str) -> str:
    return f"Password link for {name}"


def once_until(when: str) -> str:
    return f"It works once, until {when}."


def send_to(address: str) -> str:
    return f"Send it to {address}"


def invited_by(name: str, when: str, until: str) -> str:
    return f"Made by {name} {when} · works until {until}"


# People, everybody's API keys
ONLY_VALID_KEYS = "Only keys that work"
NO_KEYS = "There are no keys. People make them in their settings, under API keys."
DELETED_USER = "a deleted user"
NEWEST_KEYS = "Newest"
OLDER_KEYS = "Older"

# Access
ACCESS = "Access"
WHO_MAY_JOIN = "Who may make an account"
WHO_MAY_JOIN_HELP = ("With the role below", "By a link that works once", "Only administrators add people")
ROLE_OF_NEW = "Role of people who register themselves"
FROM_SETTINGS = "From the installation's settings"
PROVIDER = "OpenID provider"
NO_PROVIDER = "none (TRANSCRIBER_OIDC_ISSUER)"
MAIL_SERVER = "Mail server"
NO_MAIL_SERVER = "none (TRANSCRIBER_SMTP_HOST)"
LOGIN_ENDS = "A login ends after"


def login_lasts(idle_minutes: int, max_days: int) -> str:
    return f"{idle_minutes} minutes unused, {max_days} days in any case"
