"""Rows as readers see them: times in their zone, lengths, states, sizes, the people behind actors."""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from dashboards import strings
from dashboards.languages import LANGUAGES
from storage.clock import utc_now
from storage.records import Finding, Job, JobState

DEMO_MODEL = "demo"
UNITS = ("B", "kB", "MB", "GB", "TB")


def when(instant: datetime, zone: tzinfo) -> str:
    """Return the time today, "Yesterday 14:05", or the date."""
    there, now = instant.astimezone(zone), utc_now().astimezone(zone)
    days = (now.date() - there.date()).days
    if days == 0:
        return f"{there:%H:%M}"
    if days == 1:
        return f"Yesterday {there:%H:%M}"
    return f"{there.day} {there:%b}" + ("" if there.year == now.year else f" {there.year}")


def day(instant: datetime, zone: tzinfo) -> str:
    """Return the date."""
    there = instant.astimezone(zone)
    return f"{there.day} {there:%b %Y}"


def exactly(instant: datetime, zone: tzinfo) -> str:
    """Return date and time to the second, with the zone's name."""
    there = instant.astimezone(zone)
    return f"{there.day} {there:%b %Y, %H:%M:%S %Z}"


def length(seconds: float | None) -> str:
    """Return 4:07 or 1:02:03; empty where it is not known yet."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def span(seconds: float) -> str:
    """Return how long something took: 3.2 s, 4 min 10 s, 2 h 5 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def roughly(seconds: float) -> str:
    """Return an estimate as rough as it is: 10 s, 3 min, 2 h 5 min."""
    if seconds < 55:
        return f"{max(5, 5 * round(seconds / 5))} s"
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def size(n: float) -> str:
    """Return bytes in decimal units."""
    power = 0
    while n >= 1000 and power < len(UNITS) - 1:
        n, power = n / 1000, power + 1
    return f"{n:.1f} {UNITS[power]}" if power and n < 100 else f"{n:.0f} {UNITS[power]}"


def language(code: str | None) -> str:
    """Return the English name of a language code."""
    return LANGUAGES.get(code or "", code or "")


def sentence(text: str) -> str:
    """Return a message that starts with a capital and ends with a full stop."""
    text = text.strip()
    if not text:
        return ""
    first = text.split(maxsplit=1)[0]
    plain = first.rstrip(":;,")  # a file's name stays as it is
    start = text[0].upper() if plain.isalpha() and plain.islower() else text[0]
    return start + text[1:] + ("" if text[-1] in ".!?…" else ".")


def kind(state: JobState) -> str:
    """Return how a state is coloured: active, completed, failed or quiet."""
    if state in {JobState.COMPLETED, JobState.FAILED}:
        return state.value
    return "quiet" if state in {JobState.QUEUED, JobState.CANCELLED} else "active"


def label(job: Job) -> str:
    """Return the job's state in a word, with its progress while it is being heard."""
    word = strings.STATE[job.state]
    known = job.state is JobState.TRANSCRIBING and job.expected_speech_s is not None
    return f"{word} {100 * job.progress:.0f}%" if known else word


def about(job: Job, owner: str | None = None) -> str:
    """Return the small line under a recording's name."""
    if not job.state.finished and job.detail:
        return " · ".join(part for part in (owner, sentence(job.detail)) if part)
    model = job.model or ("" if job.options.model == "auto" else job.options.model)
    heard_by = "demo model" if model == DEMO_MODEL else model
    tongue = language(job.language or job.options.language)
    return " · ".join(part for part in (owner, tongue, heard_by, size(job.media_bytes)) if part)


def moving(job: Job, left_s: float | None = None) -> dict[str, Any]:
    """Return what of a job's row changes while it is worked on."""
    return {
        "about": about(job),
        "length": length(job.duration_s),
        "state": job.state.value,
        "kind": kind(job.state),
        "label": label(job),
        "active": not job.state.finished and job.state is not JobState.QUEUED,
        "progress": round(job.progress, 3),
        "left": f"{roughly(left_s)} left" if left_s is not None and not job.state.finished else "",
        "error": sentence(job.error) if job.state is JobState.FAILED and job.error else None,
    }


def in_line(place: int | None) -> str:
    """Return a waiting job's place in words; 0 is the next."""
    if place is None:
        return ""
    return "next in line" if place == 0 else f"{place:,} before it"


def job_row(
    job: Job, zone: tzinfo, owner: str | None = None, *, left_s: float | None = None, place: int | None = None
) -> dict[str, Any]:
    """Return what the list component shows of a job."""
    shown = moving(job, left_s)
    return shown | {
        "id": job.id,
        "name": job.name,
        "owner": owner,
        "left": shown["left"] or in_line(place),
        "when": when(job.created_at, zone),
        "when_exact": exactly(job.created_at, zone),
        "created": job.created_at.isoformat(),
    }


def upload_row(job: Job) -> dict[str, Any]:
    """Return what the upload list shows of a job that has come out of an upload."""
    return {
        "kind": kind(job.state),
        "label": label(job),
        "active": not job.state.finished and job.state is not JobState.QUEUED,
        "progress": round(job.progress, 3),
        "detail": length(job.duration_s) if job.state.finished else (sentence(job.detail) or length(job.duration_s)),
        "error": sentence(job.error) if job.state is JobState.FAILED and job.error else None,
    }


def finding(found: Finding) -> dict[str, Any]:
    """Return a doubtful stretch with words for its kind."""
    words = strings.FINDING.get(found.kind) or sentence(found.detail or found.kind.replace("_", " "))
    return {"start_s": found.start_s, "end_s": found.end_s, "words": words}


def actor(name: str, people: Mapping[str, str]) -> str:
    """Return who an audit row is about, by name where the id is a user's."""
    part, _, ident = name.partition(":")
    if part == "user":
        return people.get(ident, "a deleted user")
    if part == "invitation":
        return "an invitation"
    return {"system": "the system", "worker": f"worker {ident}", "key": "an API key", "cli": f"console ({ident})"}.get(
        part, name
    )
