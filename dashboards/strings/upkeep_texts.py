"""Texts about backups, upkeep and retention, on administrators' pages."""

from dashboards.strings.translated_module import translate_constants
from storage.domain.translation import gettext as _
from storage.domain.translation import ngettext
from storage.jobs.kept_parts import KeptPart
from storage.maintenance.retention import RuleKind

translate_constants(__name__)

# Backups
BACKUPS = "Backups"
FOLDER = "the storage folder"
NO_BACKUPS = "There is no backup yet."
BACKUPS_UNSEEN = "The list of backups is read a few minutes after the start."
BACKUP_NEWEST = "Newest backup"
DRILL_PASSED = "Last successful trial restore"
NEVER = "never"
BACKUP_TIME = "Created"
BACKUP_SIZE = "Size"
BACKUP_JOBS = "Recordings"
BACKUP_ENCRYPTED = "Encrypted"
BACKUP_TRIAL = "Trial restore"
YES = "yes"
NO = "no"
NOT_TRIED = "not yet"
BACKUP_RUNNING = {"backup": "A backup is being made.", "drill": "A backup is being restored on trial."}


def backups_about(url: str, at: str) -> str:
    if at:
        return _("Every day at {at} UTC, to {url}. Each is restored on trial and compared.", at=at, url=url)
    return _("Only by `transcriber admin backup`, to {url}. Each is restored on trial and compared.", url=url)


def backup_failed(when: str, why: str) -> str:
    return _("Failed {when}: {why}", when=when, why=why)


def trial_passed(when: str) -> str:
    return _("passed {when}", when=when)


def trial_failed(problems: str) -> str:
    return _("failed: {problems}", problems=problems)


# A disk that is nearly full
def disk_low(free: str, spare: str) -> str:
    return _(
        "The disk is nearly full: {free} are free, and {spare} are kept for what is in progress. New recordings are "
        "not accepted until there is room again; everything else works.",
        free=free,
        spare=spare,
    )


# The canary
CANARY = "Canary"


def canary(took_s: float | None) -> str:
    if took_s is None:
        return _("has not run yet")
    return _("transcribed in {took_s:.1f} s", took_s=took_s)


# Retention
RETENTION_ABOUT = (
    "Without a rule, everything is kept until its owner deletes it. For each part the nearest rule decides: one for "
    "the recording, else for its tags, else for the person, else for everybody. Days count from the end of the "
    "transcription."
)
RULES = "Rules"
NO_RULES = "There are no rules: everything is kept."
RULE_KIND = {
    RuleKind.JOB: "One recording",
    RuleKind.TAG: "A tag",
    RuleKind.PERSON: "A person",
    RuleKind.EVERYBODY: "Everybody",
}
RULE_FOR = "For"
RULE_NAME = "Name"
RULE_NAME_HELP = "The username, the tag, or the recording's ID from its page's address."
KEPT_PART = {
    KeptPart.RECORDING: "The whole recording",
    KeptPart.SOURCE: "The uploaded file",
    KeptPart.SPANS: "Pieces of audio and their results",
    KeptPart.EXPORTS: "Subtitle files and documents",
}
RULE_PART = "What is deleted"
RULE_PART_HELP = (
    "A whole recording can be restored for a while. Without the uploaded file, the text stays, but nothing can be "
    "played or transcribed again. Subtitle files are made again when somebody wants one."
)
RULE_DAYS = "Days to keep"
RULE_FOREVER = "Keep forever"
ADD_RULE = "Add rule"
RULE_ADDED = "Rule added"
REMOVE_RULE = "Remove"
RULE_REMOVED = "Rule removed"
HOLDS = "Legal holds"
HOLDS_ABOUT = "What a hold covers is deleted by nobody, neither by its owner nor by a rule, until the hold is released."
NO_HOLDS = "There are no legal holds."
HOLD_REASON = "Reason, which users read"
PLACE_HOLD = "Place hold"
HOLD_PLACED = "Hold placed"
RELEASE_HOLD = "Release"
HOLD_RELEASED = "Hold released"
DUE = "Due now"
NOTHING_DUE = "Nothing is due."
DELETE_DUE = "Delete now"
DUE_NAME = "Recording"
DUE_FINISHED = "Transcribed"
DUE_RULE = "By the rule for"


def rule_subject(kind: RuleKind, name: str) -> str:
    return _("{kind} ({name})", kind=_(RULE_KIND[kind]), name=name)


def rule_keeps(days: float | None) -> str:
    if days is None:
        return _("kept forever")
    return ngettext("kept for 1 day", "kept for {n:g} days", days)  # type: ignore[arg-type]


def hold_by(who: str, when: str) -> str:
    return _("placed by {who}, {when}", who=who, when=when)


def due_about(count: int, shown: int) -> str:
    told = ngettext("1 deletion is due within the hour.", "{n:,} deletions are due within the hour.", count)
    return told if shown >= count else told + " " + _("The first {shown:,} are shown.", shown=shown)


def due_deleted(count: int) -> str:
    return _("{count:,} deleted", count=count)
