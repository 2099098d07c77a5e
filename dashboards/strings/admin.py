"""Texts of the administrators' pages, from the overview to the configuration."""

from collections.abc import Sequence

from dashboards.strings.translated_module import translate_constants
from storage.domain.records import Lane
from storage.domain.translation import gettext as _
from storage.domain.translation import ngettext

translate_constants(__name__)

# Several of these pages
IN_WORK = "In progress"
SLOTS_BUSY = "Slots busy"
MACHINES = "Machines"
WORKERS = "Workers"
DELETED_USER = "a deleted user"


def out_of(part: int | str, whole: int | str) -> str:
    return _("{part} of {whole}", part=part, whole=whole)


# Overview
IN_WORK_HELP = "Recordings that workers are processing."
WAITING_HELP = "Recordings in the queue."
SLOTS_BUSY_HELP = "Of all workers with a recent heartbeat."
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
FREE_HELP = "On the disk with the data folder."
SEARCHABLE = "Searchable"


def searchable_help(indexed: int, behind: int) -> str:
    return _("{indexed:,} transcripts in the index, {behind:,} not yet.", indexed=indexed, behind=behind)


COURSE = "Recordings finished, last 24 hours"
NOTHING_FINISHED = "Nothing was completed in the last 24 hours."
HOUR = "Hour"
FAILED_LAST = "Recent failures"
NOTHING_FAILED = "Nothing has failed."

# All recordings

# Machines
WORKING = "working"
IDLE = "idle"
DRAINING = "finishing, then stopping"
WORKER_DOES = {"cpu": "Decodes, cuts and exports", "gpu": "Transcribes"}


def pool(name: str) -> str:
    return _("pool {name}", name=name)


def worker(does: str, host: str, device: str, pid: int, heard_s: float) -> str:
    return _(
        "{does} on {host}, {device}, process {pid} · last heartbeat {heard_s:.0f} s ago",
        does=does,
        host=host,
        device=device,
        pid=pid,
        heard_s=heard_s,
    )


def slots_busy(busy: int, slots: int) -> str:
    return _("{busy} of {slots} slots busy", busy=busy, slots=slots)


def worker_speed(spans_per_minute: float, speech_per_s: float) -> str:
    return _(
        "{spans_per_minute:g} spans per minute, {speech_per_s:g} s of speech per second, over the last minutes",
        spans_per_minute=spans_per_minute,
        speech_per_s=speech_per_s,
    )


def memory_free(size: str) -> str:
    return _("{size} of the device's memory free", size=size)


def model(name: str) -> str:
    return _("Model **{name}**", name=name)


def uses(name: str) -> str:
    return _("Uses model **{name}**", name=name)


def also_installed(names: Sequence[str]) -> str:
    return _("Also installed: {names}", names=", ".join(names))


TOKENS = "Worker tokens"
TOKENS_ABOUT = (
    "Give each worker machine its own token, as `TRANSCRIBER_WORKER_TOKEN`. What it does is recorded under "
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
    return _(
        "`{prefix}…` · created {made} · {used}",
        prefix=prefix,
        made=made,
        used=_("last used {when}", when=used) if used else _(NEVER_USED),
    )


DOWNLOADING = "downloading"
NOT_LOADED = "could not be loaded"

# Queues
BACKLOG = "Backlog"
NOTHING_WAITS = "nothing waits"
BACKLOG_ABOUT = (
    "Waiting recordings are kept in the ledger. Prefect receives a few at a time, in the order of the lanes."
)
LANE: dict[Lane, str] = {
    Lane.INTERACTIVE: "Now",
    Lane.BATCH: "When the machine is free",
    Lane.BACKFILL: "Last",
}


def oldest(age: str) -> str:
    return _("oldest: {age}", age=age)


def lane_help(lane: Lane, in_hand: int) -> str:
    return _("Lane “{lane}”. {in_hand:,} more are in progress.", lane=lane, in_hand=in_hand)


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
    at_once = _(", at most {limit} at once", limit=limit) if limit is not None else ""
    state = _(", **paused**") if paused else ""
    return _("{name} (priority {priority}{at_once}{state})", name=name, priority=priority, at_once=at_once, state=state)


MAINTENANCE = "Maintenance"
MAINTENANCE_ABOUT = (
    "Pause the platform before you update or restart it. No recording is handed out, what is running is finished, and "
    "uploads are accepted and wait. All pages show your reason."
)
MAINTENANCE_REASON = "Reason, for everybody"
MAINTENANCE_PAUSE = "Pause the platform"
MAINTENANCE_RESUME = "Resume the platform"
MAINTENANCE_QUIET = "No recording is running. You can stop everything now."


def maintenance(reason: str) -> str:
    return _(
        "Paused for maintenance: {reason}\n\nYou can continue to upload. New recordings are kept, and transcribed when "
        "the pause ends; those that are running are finished.",
        reason=reason,
    )


def maintenance_running(count: int) -> str:
    return ngettext("{n:,} recording is still running.", "{n:,} recordings are still running.", count)


# Unfinished uploads


def abandoned_after(hours: float) -> str:
    return _("Uploads that are idle for {hours:g} hours are deleted automatically.", hours=hours)


NO_UPLOADS = "There are no unfinished uploads."
OPEN_UPLOADS = "Uploads and parts"
TO_COME = "Remaining"
LENGTH_UNKNOWN = "an unknown length"
TO_COME_HELP = "Disk space reserved for them."
PART = "Part of a larger file"
UNNAMED = "recording"
RECEIVED = "Received"
RECEIVED_ABOUT = (
    "These files have arrived completely. Each becomes a recording once it is checked and stored. If storage cannot be "
    "reached, they wait until it can."
)


def upload(come: str, owner: str, touched: str) -> str:
    return _("{come} · {owner} · last data {touched}", come=come, owner=owner, touched=touched)


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
    return _("{size}, log {log}", size=size, log=log)


def pools(n: int) -> str:
    return _("{n} work pools", n=n)


def workers(n: int, hosts: int) -> str:
    return ngettext("{workers} on one machine", "{workers} on {n} machines", hosts, workers=n)


def search_index(indexed: int, behind: int) -> str:
    return _("{indexed:,} indexed, {behind:,} pending", indexed=indexed, behind=behind)


def process(pid: int, host: str, up: str) -> str:
    return _("Web process {pid} on {host}, up for {up}", pid=pid, host=host, up=up)


def versions(own: str, python: str) -> str:
    return _("version {own} · Python {python}", own=own, python=python)


def hardware(cores: int | None, memory: str) -> str:
    return _("{cores} cores, {memory} memory", cores=cores, memory=memory)


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
    return _("Times of the last {kept} requests of each route; counts since the process started.", kept=kept)


ROUTE = "Route"
PAGE_FILES = "the page's own files"
OTHER_PATHS = "other paths"
REQUESTS = "Requests"
SERVER_ERRORS = "Server errors"
P50 = "p50"
P95 = "p95"
SLOWEST = "Slowest"
SLOW_QUERIES = "Slow queries"
FORGET = "Clear list"


def no_slow_queries(slow_ms: float) -> str:
    return _("No query has taken more than {slow_ms:.0f} ms.", slow_ms=slow_ms)


ONCE = "once"


def times(n: int, mean_ms: float) -> str:
    return _("{n}×, {mean_ms:.0f} ms on average", n=n, mean_ms=mean_ms)


def last(when: str) -> str:
    return _("last {when}", when=when)


CACHES = "Caches"
API_ANSWERS = "API answers"
CLEAR = "Clear caches"
CLEARED = "The caches were cleared."
CACHE = "Cache"
ASKED = "Lookups"
HITS = "Hits"
SHARE = "Hit rate"
