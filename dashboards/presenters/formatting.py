"""Format values for readers: times, durations, sizes, languages, actors."""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from dashboards import strings
from storage.domain import durations, translation
from storage.domain.clock import utc_now
from storage.domain.languages import UNDETERMINED, all_named, named
from storage.domain.records import Finding
from storage.domain.translation import date
from storage.domain.translation import gettext as _

if TYPE_CHECKING:
    from dashboards.components import contracts

span, roughly = durations.span, durations.roughly
UNITS = ("B", "kB", "MB", "GB", "TB")


def when(instant: datetime, zone: tzinfo) -> str:
    """Return the time today, "Yesterday 14:05", or the date."""
    there, now = instant.astimezone(zone), utc_now().astimezone(zone)
    days = (now.date() - there.date()).days
    if days == 0:
        return f"{there:%H:%M}"
    if days == 1:
        return _("Yesterday {time}", time=f"{there:%H:%M}")
    return date(there, "MMMd" if there.year == now.year else "yMMMd")


def day(instant: datetime, zone: tzinfo) -> str:
    """Return the date."""
    return date(instant.astimezone(zone))


def exactly(instant: datetime, zone: tzinfo) -> str:
    """Return date and time to the second, with the zone's name."""
    there = instant.astimezone(zone)
    return f"{date(there)}, {there:%H:%M:%S %Z}"


def until(instant: datetime, zone: tzinfo) -> str:
    """Return date and time to the minute."""
    there = instant.astimezone(zone)
    return f"{date(there)}, {there:%H:%M}"


def length(seconds: float | None) -> str:
    """Return 4:07 or 1:02:03; empty if unknown."""
    return "" if seconds is None else durations.clock(seconds)


def size(n: float) -> str:
    """Return bytes in decimal units."""
    power = 0
    while n >= 1000 and power < len(UNITS) - 1:
        n, power = n / 1000, power + 1
    return f"{translation.number(n, '.1f' if power and n < 100 else '.0f')} {UNITS[power]}"


def language(code: str | None) -> str:
    """Return the name of a language code."""
    return strings.UNKNOWN_LANGUAGE if code == UNDETERMINED else named(code or "")


def languages() -> dict[str, str]:
    """Return the names of all languages by code, in alphabetical order."""
    return all_named(translation.language())


def sentence(text: str) -> str:
    """Return a message that starts with a capital and ends with a full stop."""
    text = text.strip()
    if not text:
        return ""
    first = text.split(maxsplit=1)[0]
    plain = first.rstrip(":;,")  # a file's name is not changed
    start = text[0].upper() if plain.isalpha() and plain.islower() else text[0]
    return start + text[1:] + ("" if text[-1] in ".!?…" else ".")


def finding(found: Finding) -> "contracts.FindingRow":
    """Return a finding with the text for its kind."""
    words = strings.FINDING.get(found.kind) or sentence(found.detail or found.kind.replace("_", " "))
    return {"start_s": found.start_s, "end_s": found.end_s, "words": words}


def actor(name: str, people: Mapping[str, str]) -> str:
    """Return the actor of an audit row, by name if it is a user."""
    part, ident = name.partition(":")[::2]
    if part == "user":
        return people.get(ident, _("a deleted user"))
    if part == "invitation":
        return _("an invitation")
    return {
        "system": _("the system"),
        "nobody": _("nobody"),
        "worker": _("worker {name}", name=ident),
        "key": _("an API key"),
        "cli": _("console ({name})", name=ident),
    }.get(part, name)


def hours(seconds: float) -> str:
    """Return a total length: 12.5 h, or 40 min below an hour."""
    return roughly(seconds) if 0 < seconds < 3600 else _("{n:,.1f} h", n=seconds / 3600)
