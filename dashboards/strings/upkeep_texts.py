"""Texts about backups and upkeep, on the administrators' page System."""

from dashboards.strings.translated_module import translate_constants
from storage.domain.translation import gettext as _

translate_constants(__name__)

# Backups
BACKUPS = "Backups"
FOLDER = "the storage folder"
NO_BACKUPS = "There is no backup yet."
BACKUPS_UNSEEN = "The list of backups is read a few minutes after the start."
BACKUP_NEWEST = "Newest backup"
DRILL_PASSED = "Last trial restore that passed"
NEVER = "never"
BACKUP_TIME = "Made"
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
