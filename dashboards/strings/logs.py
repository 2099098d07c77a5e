"""Texts of the audit log, the security events and the configuration."""

from dashboards.strings.translated_module import translate_constants
from storage.domain.audit_actions import AuditKind
from storage.domain.translation import gettext as _

translate_constants(__name__)

# Audit log
VERIFY = "Verify audit log"
VERIFYING = "Checking every row…"


def sound(rows: int, heads: int) -> str:
    return _(
        "All {rows:,} rows are intact. They match {heads:,} checkpoints on storage, and the accounts, keys and links.",
        rows=rows,
        heads=heads,
    )


def more_problems(n: int) -> str:
    return _("And {n:,} more; `transcriber admin verify-audit` lists them.", n=n)


def broken(row: int) -> str:
    return _(
        "Row {row:,} was changed, removed or added outside the app. The rows before it are intact. Compare the "
        "ledger with a backup (`transcriber admin backup`, `transcriber admin verify-audit`).",
        row=row,
    )


WHO = "Who"
WHO_HELP = "A username, or system, worker, cli."
ANYBODY = "Anybody"
WHAT = "What"
ON = "On"
ON_HELP = "A username, or an ID such as a job's."
ANYTHING = "Anything"
WHEN = "When"
DATE_FORMAT = "YYYY/MM/DD"
NOTHING_FITS = "No entry matches. Clear the fields and choose “Anything” to see all."
TO = "To"
DETAILS = "Details"
EXPORT = {"csv": "Export as CSV", "jsonl": "Export as JSON Lines"}
NEWEST = "Newest"
OLDER = "Older"
FROM = "From"
FROM_HELP = "An IP address."
AGENT = "Program"
KEY = "Key"

# Security events
SECURITY_LEAD = (
    "Log-ins, refusals, downloads, links, and changes of accounts, keys and settings. Identical events within a minute "
    "share one row. The audit log has these rows, too, with all that happened to recordings."
)
KIND = "Kind"
PERIODS = ("24 hours", "7 days", "30 days")
KINDS: dict[AuditKind, str] = {
    AuditKind.SIGN_IN: "Log-ins and log-outs",
    AuditKind.REFUSAL: "Refusals",
    AuditKind.READING: "Others' recordings read by administrators",
    AuditKind.DOWNLOAD: "Downloads and exports",
    AuditKind.SHARING: "Share links",
    AuditKind.ACCOUNT: "Accounts",
    AuditKind.KEY: "Keys and tokens",
    AuditKind.PLATFORM: "Settings and platform",
    AuditKind.RECORDING: "Recordings",
}
FAILED_LOGINS = "Failed log-ins"
LOCK_OUTS = "Lock-outs"
REFUSALS = "Refusals"
IN_A_DAY = "In the last 24 hours."
NO_SECURITY_EVENTS = "Nothing has happened in the last 30 days."
COUNTS = "Count"

# Configuration
CONFIGURATION_ABOUT = (
    "Set by environment variables or a file `.env` in the web process's working folder, and read at its start. "
    "Secrets are not shown. Workers on other machines have their own settings."
)
SETTING = "Setting"
VALUE = "Value"
HIDDEN = "•••••• (set)"
SET_BY = "Source"
SET = "Set"
DEFAULT = "Default"
MEANING = "Description"
