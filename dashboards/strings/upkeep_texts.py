"""Texts about backups and upkeep, on the administrators' page System."""

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
    when = f"Every day at {at} UTC" if at else "Only by `transcriber admin backup`"
    return f"{when}, to {url}. Each is restored on trial and compared."


def backup_failed(when: str, why: str) -> str:
    return f"Failed {when}: {why}"


def trial_passed(when: str) -> str:
    return f"passed {when}"


def trial_failed(problems: str) -> str:
    return f"failed: {problems}"


# A disk that is nearly full
def disk_low(free: str, spare: str) -> str:
    return (
        f"The disk is nearly full: {free} are free, and {spare} are kept for what is in progress. New recordings are "
        "not accepted until there is room again; everything else works."
    )


# The canary
CANARY = "Canary"


def canary(took_s: float | None) -> str:
    return "has not flown yet" if took_s is None else f"transcribed in {took_s:.1f} s"
