"""The words of administrators' pages on the platform: from the overview to the audit log and the configuration."""

from storage.records import Lane

# Several of these pages
IN_WORK = "In work"
SLOTS_BUSY = "Slots busy"
MACHINES = "Machines"
WORKERS = "Workers"
DELETED_USER = "a deleted user"


def out_of(part: int | str, whole: int | str) -> str:
    return f"{part} of {whole}"


# Overview
IN_WORK_HELP = "Recordings that workers have in hand."
WAITING_HELP = "Recordings that wait for their turn."
SLOTS_BUSY_HELP = "Over all workers that were heard in the last 20 seconds."
PEOPLE = "People"
PEOPLE_HELP = "Accounts not disabled."
FINISHED_TODAY = "Finished in 24 h"
FINISHED_TODAY_HELP = "Recordings whose transcripts became ready."
FAILED_TODAY = "Failed in 24 h"
HEARD_TODAY = "Heard in 24 h"
HEARD_TODAY_HELP = "Length of the recordings that became ready."
SPEED = "Speed"
SPEED_HELP = "Seconds of recording in a second of work, on average."
KEPT = "Recordings kept"
KEPT_HELP = "The same file in two jobs counts once."
STORED = "Stored"
STORED_HELP = "Bytes of the recordings."
FREE = "Free for uploads"
FREE_HELP = "On the disk of the data folder."
SEARCHABLE = "Searchable"


def searchable_help(indexed: int, behind: int) -> str:
    return f"{indexed:,} transcripts in the index, {behind:,} still to come."


COURSE = "Recordings finished, last 24 hours"
NOTHING_FINISHED = "Nothing was finished in the last 24 hours."
HOUR = "Hour"
FAILED_LAST = "Failed last"
NOTHING_FAILED = "Nothing has failed."

# All recordings

# Machines
WORKING = "working"
IDLE = "idle"
WORKER_DOES = {"cpu": "Reads, cuts and exports", "gpu": "Listens"}


def pool(name: str) -> str:
    return f"pool {name}"


def worker(does: str, host: str, device: str, pid: int, heard_s: float) -> str:
    return f"{does} on {host}, {device}, process {pid} · heard from {heard_s:.0f} s ago"


def slots_busy(busy: int, slots: int) -> str:
    return f"{busy} of {slots} slots busy"


def model(name: str) -> str:
    return f"Model **{name}**"


DOWNLOADING = "downloading"
NOT_LOADED = "could not be loaded"

# Queues
BACKLOG = "Backlog"
BACKLOG_ABOUT = "What waits lies in the ledger; Prefect is given a few recordings at a time, the upper lanes first."
LANE: dict[Lane, str] = {
    Lane.INTERACTIVE: "Now",
    Lane.BATCH: "When the machine is free",
    Lane.BACKFILL: "Last of all",
}


def oldest(age: str) -> str:
    return f"oldest: {age}"


def lane_help(lane: Lane, in_hand: int) -> str:
    return f"Lane “{lane}”. {in_hand:,} more are in hand."


POOLS = "Work pools"
LOOK_AGAIN = "Look again"
NO_POOLS = "The Prefect server knows no work pools yet. They are made when the first worker starts."
POOL_READY = "workers are there"
POOL_PAUSED = "paused"
POOL_ALONE = "no worker"
POOL_DOES = {"cpu": "reading, cutting and exporting", "gpu": "listening"}
GO_ON = "Go on"
PAUSE = "Pause"
PAUSE_HELP = "Workers take no more of it; what they have in hand is finished."


def queue(name: str, priority: int, limit: int | None, *, paused: bool) -> str:
    at_once = f", at most {limit} at once" if limit is not None else ""
    return f"{name} (priority {priority}{at_once}{', **paused**' if paused else ''})"


# Uploads in progress


def abandoned_after(hours: float) -> str:
    return f"Uploads that nobody has gone on with for {hours:g} hours are thrown away by themselves."


NO_UPLOADS = "No upload is on its way."
OPEN_UPLOADS = "Uploads and parts"
TO_COME = "Still to come"
TO_COME_HELP = "This much of the disk is promised to them."
PART = "Part of a larger file"
UNNAMED = "recording"


def upload(come: str, owner: str, touched: str) -> str:
    return f"{come} · {owner} · last bytes {touched}"


THROW_AWAY = "Throw away"
THROW_AWAY_ABOUT = "What has come of it is deleted. Its owner has to send the file from the start."
THROW_AWAY_SURE = "Throw away for good"

# System
LEDGER = "Ledger"
STORAGE = "Storage"
PREFECT = "Prefect server"
SEARCH_INDEX = "Search index"
AWAY = "away"
ANSWERS = "answers"
FOLDER = "a folder"
NO_WORKER_HEARD = "no worker was heard in the last 20 seconds; start one with `transcriber worker`"


def ledger(size: str, log: str) -> str:
    return f"{size}, log {log}"


def pools(n: int) -> str:
    return f"{n} work pools"


def workers(n: int, hosts: int) -> str:
    return f"{n} on " + ("one machine" if hosts == 1 else f"{hosts} machines")


def search_index(indexed: int, behind: int) -> str:
    return f"{indexed:,} in it, {behind:,} to come"


def process(pid: int, host: str, up: str) -> str:
    return f"Web process {pid} on {host}, up for {up}"


def versions(own: str, python: str) -> str:
    return f"version {own} · Python {python}"


def hardware(cores: int | None, memory: str) -> str:
    return f"{cores} cores, {memory} memory"


LOAD = "Load of the web process's machine"
TIME = "Time"
QUARTER = "Last 15 minutes"
LAST_HOUR = "Last hour"
SIX_HOURS = "Last 6 hours"
NO_SAMPLES = "Samples are taken every 10 seconds since this process began. There will be a curve in a moment."
MACHINE_CHART = "Processor, memory and disk in use (%)"
PROCESSOR = "Processor"
MEMORY = "Memory"
DISK = "Disk"
JOBS_CHART = "Recordings"
PROCESS_CHART = "Memory of the web process (MB)"
PROCESS = "Web process"
PAGES_CHART = "Open pages"
PAGES = "Pages"

# Performance
REQUESTS_BY_ROUTE = "Requests by route"
NO_REQUESTS = "No request has been answered yet."


def requests_about(kept: int) -> str:
    return f"Times of the last {kept} requests of each route; counts since the process began."


ROUTE = "Route"
REQUESTS = "Requests"
SERVER_ERRORS = "Server errors"
P50 = "p50"
P95 = "p95"
SLOWEST = "Slowest"
SLOW_QUERIES = "Slow queries"
FORGET = "Forget them"


def no_slow_queries(slow_ms: float) -> str:
    return f"No query has taken more than {slow_ms:.0f} ms."


ONCE = "once"


def times(n: int, mean_ms: float) -> str:
    return f"{n}×, {mean_ms:.0f} ms on average"


def last(when: str) -> str:
    return f"last {when}"


CACHES = "Caches"
CLEAR = "Clear them"
CLEARED = "The caches are empty."
CACHE = "Cache"
ASKED = "Asked"
HITS = "Hits"
SHARE = "Share"
NO_CACHES = "No page that keeps anything has been opened yet."

# Audit log
VERIFY = "Verify the chain"
VERIFYING = "Checking every row…"


def sound(rows: int) -> str:
    return f"All {rows:,} rows are as they were written."


def broken(row: int) -> str:
    return (
        f"Row {row:,} was changed, removed or added from outside. Rows before it are sound. "
        "Compare the ledger with a backup (`transcriber admin backup`, `transcriber admin verify-audit`)."
    )


WHO = "Who"
WHO_HELP = "A person's name, or system, worker, cli."
ANYBODY = "Anybody"
WHAT = "What"
ON = "On"
ON_HELP = "A person's name, or an id such as a job's."
ANYTHING = "Anything"
WHEN = "When"
NOTHING_FITS = "Nothing in the log fits. Empty the fields and choose “Anything” to see all of it."
TO = "To"
DETAILS = "Details"
EXPORT = {"csv": "Export as CSV", "jsonl": "Export as JSON Lines"}
NEWEST = "Newest"
OLDER = "Older"
ACTION = {
    "job.accept": "recording taken in",
    "job.submit": "handed to the workers",
    "job.state": "moved on",
    "job.started": "work began",
    "job.complete": "transcript ready",
    "job.fail": "failed",
    "job.cancel": "cancelled",
    "job.retry": "started again",
    "job.requeue": "put back in line",
    "job.delete": "deleted",
    "session.start": "logged in",
    "session.end": "logged out",
    "session.end_all": "logged out everywhere",
    "user.create": "person added",
    "user.password": "password set",
    "user.role": "role changed",
    "user.disable": "disabled",
    "user.enable": "let in again",
    "user.preferences": "settings changed",
    "user.profile": "profile changed",
    "user.quota": "limits changed",
    "user.reset_link": "password link made",
    "user.link": "provider's account linked",
    "user.export": "took their data",
    "user.leave": "gave up the account",
    "user.delete": "account deleted",
    "session.renew": "stayed logged in",
    "invitation.create": "invitation made",
    "invitation.use": "invitation used",
    "invitation.revoke": "invitation withdrawn",
    "settings.change": "access settings changed",
    "audit.export": "log exported",
    "key.create": "key made",
    "key.revoke": "key revoked",
    "pool.pause": "work pool paused",
    "pool.resume": "work pool going on",
    "upload.delete": "upload thrown away",
}


def action(name: str) -> str:
    return f"{name}: {ACTION[name]}" if name in ACTION else name


# Configuration
CONFIGURATION_ABOUT = (
    "Set by environment variables or a file `.env` where the web process starts, and read then. "
    "Secrets are not shown. Workers on other machines have settings of their own."
)
SETTING = "Setting"
VALUE = "Value"
HIDDEN = "•••••• (set)"
SET = "Set"
SET_HELP = "Set by somebody; else the default."
MEANING = "What it is"
