"""Texts of the administrators' pages, from the overview to the configuration."""

from collections.abc import Sequence

from storage.domain.audit_actions import AuditKind
from storage.domain.records import Lane

# Several of these pages
IN_WORK = "In progress"
SLOTS_BUSY = "Slots busy"
MACHINES = "Machines"
WORKERS = "Workers"
DELETED_USER = "a deleted user"


def out_of(part: int | str, whole: int | str) -> str:
    return f"{part} of {whole}"


# Overview
IN_WORK_HELP = "Recordings that workers are processing."
WAITING_HELP = "Recordings in the queue."
SLOTS_BUSY_HELP = "Over all workers with a recent heartbeat."
PEOPLE = "People"
PEOPLE_HELP = "Active accounts."
FINISHED_TODAY = "Finished in 24 h"
FINISHED_TODAY_HELP = "Completed recordings."
FAILED_TODAY = "Failed in 24 h"
HEARD_TODAY = "Transcribed in 24 h"
HEARD_TODAY_HELP = "Total length of the completed recordings."
SPEED = "Speed"
SPEED_HELP = "Seconds of audio per second of work, on average."
KEPT = "Recordings stored"
KEPT_HELP = "A file that was uploaded twice counts once."
STORED = "Stored"
STORED_HELP = "Size of the recordings."
FREE = "Free for uploads"
FREE_HELP = "On the disk of the data folder."
SEARCHABLE = "Searchable"


def searchable_help(indexed: int, behind: int) -> str:
    return f"{indexed:,} transcripts in the index, {behind:,} not yet."


COURSE = "Recordings finished, last 24 hours"
NOTHING_FINISHED = "Nothing was completed in the last 24 hours."
HOUR = "Hour"
FAILED_LAST = "Recent failures"
NOTHING_FAILED = "Nothing has failed."

# All recordings

# Machines
WORKING = "working"
IDLE = "idle"
DRAINING = "finishing, then leaving"
WORKER_DOES = {"cpu": "Decodes, cuts and exports", "gpu": "Transcribes"}


def pool(name: str) -> str:
    return f"pool {name}"


def worker(does: str, host: str, device: str, pid: int, heard_s: float) -> str:
    return f"{does} on {host}, {device}, process {pid} · last heartbeat {heard_s:.0f} s ago"


def slots_busy(busy: int, slots: int) -> str:
    return f"{busy} of {slots} slots busy"


def worker_speed(spans_per_minute: float, speech_per_s: float) -> str:
    return f"{spans_per_minute:g} spans per minute, {speech_per_s:g} s of speech per second, over the last minutes"


def memory_free(size: str) -> str:
    return f"{size} of the device's memory free"


def model(name: str) -> str:
    return f"Model **{name}**"


def uses(name: str) -> str:
    return f"Uses model **{name}**"


def also_installed(names: Sequence[str]) -> str:
    return f"Also installed: {', '.join(names)}"


TOKENS = "Worker tokens"
TOKENS_ABOUT = (
    "Give each machine of workers a token of its own, as `TRANSCRIBER_WORKER_TOKEN`. What it does is recorded under "
    "the token's name. The workers of `transcriber up` share the token in the data folder."
)
NEW_TOKEN = "Create a token"
TOKEN_NAME = "Name, such as the machine's"
MAKE_TOKEN = "Create token"
FRESH_TOKEN = "Here is the token. Copy it now: it cannot be shown again."
REVOKE_TOKEN = "Revoke"
REVOKE_TOKEN_HELP = "Workers with this token can report nothing from now on; their recordings go to other workers."
REVOKE_TOKEN_SURE = "Revoke permanently"
NEVER_USED = "never used"


def token(prefix: str, made: str, used: str | None) -> str:
    return f"`{prefix}…` · created {made} · {f'last used {used}' if used else NEVER_USED}"


DOWNLOADING = "downloading"
NOT_LOADED = "could not be loaded"

# Queues
BACKLOG = "Backlog"
BACKLOG_ABOUT = "Waiting recordings are in the ledger; Prefect receives a few at a time, in the order of the lanes."
LANE: dict[Lane, str] = {
    Lane.INTERACTIVE: "Now",
    Lane.BATCH: "When the machine is free",
    Lane.BACKFILL: "Last",
}


def oldest(age: str) -> str:
    return f"oldest: {age}"


def lane_help(lane: Lane, in_hand: int) -> str:
    return f"Lane “{lane}”. {in_hand:,} more are in progress."


POOLS = "Work pools"
LOOK_AGAIN = "Refresh"
OPEN_PREFECT = "Open Prefect"
OPEN_PREFECT_HELP = "Flow runs, schedules and logs, in the Prefect UI. Opens in a new tab, signed in."
NO_POOLS = "The Prefect server has no work pools yet. They are created when the first worker starts."
POOL_READY = "workers online"
POOL_PAUSED = "paused"
POOL_ALONE = "no worker"
POOL_DOES = {"cpu": "decoding, cutting and exporting", "gpu": "transcribing"}
GO_ON = "Resume"
PAUSE = "Pause"
PAUSE_HELP = "Workers start no new runs; runs in progress are finished."


def queue(name: str, priority: int, limit: int | None, *, paused: bool) -> str:
    at_once = f", at most {limit} at once" if limit is not None else ""
    return f"{name} (priority {priority}{at_once}{', **paused**' if paused else ''})"


MAINTENANCE = "Maintenance"
MAINTENANCE_ABOUT = (
    "Pause the platform before you update or restart it. No recording is handed out, what is running is finished, and "
    "uploads are accepted and wait. All pages show your reason."
)
MAINTENANCE_REASON = "Reason, for everybody"
MAINTENANCE_PAUSE = "Pause the platform"
MAINTENANCE_RESUME = "Resume the platform"
MAINTENANCE_QUIET = "Quiet: no recording is running. You can stop everything now."


def maintenance(reason: str) -> str:
    return (
        f"Paused for maintenance: {reason}\n\nYou can go on uploading. New recordings are kept, and "
        "transcribed when the pause ends; those that are running are finished."
    )


def maintenance_running(count: int) -> str:
    return f"{count:,} {'recording is' if count == 1 else 'recordings are'} running, then it is quiet."


# Unfinished uploads


def abandoned_after(hours: float) -> str:
    return f"Uploads that are idle for {hours:g} hours are deleted automatically."


NO_UPLOADS = "There are no unfinished uploads."
OPEN_UPLOADS = "Uploads and parts"
TO_COME = "Remaining"
LENGTH_UNKNOWN = "an unknown length"
TO_COME_HELP = "Disk space reserved for them."
PART = "Part of a larger file"
UNNAMED = "recording"
RECEIVED = "Received"
RECEIVED_ABOUT = (
    "These files are here completely. Each becomes a recording once it is checked and stored; where storage cannot be "
    "reached, it waits until it can."
)


def upload(come: str, owner: str, touched: str) -> str:
    return f"{come} · {owner} · last data {touched}"


THROW_AWAY = "Delete"
THROW_AWAY_ABOUT = "The uploaded part is deleted. Its owner has to upload the file from the start."
THROW_AWAY_SURE = "Delete permanently"

# System
LEDGER = "Ledger"
STORAGE = "Storage"
PREFECT = "Prefect server"
SEARCH_INDEX = "Search index"
AWAY = "Unreachable"
ANSWERS = "OK"
FOLDER = "a folder"


def ledger(size: str, log: str) -> str:
    return f"{size}, log {log}"


def pools(n: int) -> str:
    return f"{n} work pools"


def workers(n: int, hosts: int) -> str:
    return f"{n} on " + ("one machine" if hosts == 1 else f"{hosts} machines")


def search_index(indexed: int, behind: int) -> str:
    return f"{indexed:,} indexed, {behind:,} pending"


def process(pid: int, host: str, up: str) -> str:
    return f"Web process {pid} on {host}, up for {up}"


def versions(own: str, python: str) -> str:
    return f"version {own} · Python {python}"


def hardware(cores: int | None, memory: str) -> str:
    return f"{cores} cores, {memory} memory"


LOAD = "Load on the web server"
TIME = "Time"
QUARTER = "Last 15 minutes"
LAST_HOUR = "Last hour"
SIX_HOURS = "Last 6 hours"
NO_SAMPLES = "A sample is taken every 10 seconds. The chart appears in a moment."
MACHINE_CHART = "Processor, memory and disk in use (%)"
PROCESSOR = "Processor"
MEMORY = "Memory"
DISK = "Disk"
JOBS_CHART = "Recordings"
PROCESS_CHART = "Web process memory (MB)"
PROCESS = "Web process"
PAGES_CHART = "Open pages"
PAGES = "Pages"


# Performance
REQUESTS_BY_ROUTE = "Requests by route"
NO_REQUESTS = "No request has been answered yet."


def requests_about(kept: int) -> str:
    return f"Times of the last {kept} requests of each route; counts since the process started."


ROUTE = "Route"
REQUESTS = "Requests"
SERVER_ERRORS = "Server errors"
P50 = "p50"
P95 = "p95"
SLOWEST = "Slowest"
SLOW_QUERIES = "Slow queries"
FORGET = "Clear list"


def no_slow_queries(slow_ms: float) -> str:
    return f"No query has taken more than {slow_ms:.0f} ms."


ONCE = "once"


def times(n: int, mean_ms: float) -> str:
    return f"{n}×, {mean_ms:.0f} ms on average"


def last(when: str) -> str:
    return f"last {when}"


CACHES = "Caches"
API_ANSWERS = "Answers of the API"
CLEAR = "Clear caches"
CLEARED = "The caches were cleared."
CACHE = "Cache"
ASKED = "Lookups"
HITS = "Hits"
SHARE = "Hit rate"

# Audit log
VERIFY = "Verify audit log"
VERIFYING = "Checking every row…"


def sound(rows: int, heads: int) -> str:
    return f"All {rows:,} rows are intact. They fit {heads:,} heads on storage, and the accounts, keys and links."


def more_problems(n: int) -> str:
    return f"And {n:,} more; `transcriber admin verify-audit` lists them."


def broken(row: int) -> str:
    return (
        f"Row {row:,} was changed, removed or added outside the app. The rows before it are intact. "
        "Compare the ledger with a backup (`transcriber admin backup`, `transcriber admin verify-audit`)."
    )


WHO = "Who"
WHO_HELP = "A user name, or system, worker, cli."
ANYBODY = "Anybody"
WHAT = "What"
ON = "On"
ON_HELP = "A user name, or an id such as a job's."
ANYTHING = "Anything"
WHEN = "When"
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
    "Log-ins, refusals, downloads, links, and changes of accounts, keys and settings. Equal events within a minute are "
    "counted in one row. The audit log has these rows, too, with all that happened to recordings."
)
KIND = "Kind"
PERIODS = ("24 hours", "7 days", "30 days")
KINDS: dict[AuditKind, str] = {
    AuditKind.SIGN_IN: "Log-ins and log-outs",
    AuditKind.REFUSAL: "Refusals",
    AuditKind.READING: "Administrators' reading of others' recordings",
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
COUNTS = "How often"

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
