"""Which backups are kept: one a day, a week and a month."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

DAY, WEEK, MONTH = "%Y-%m-%d", "%G-%V", "%Y-%m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How many days, ISO weeks and months have a backup."""

    daily: int = 7
    weekly: int = 4
    monthly: int = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """A backup by its id and time; `failed` if its last drill found it unusable."""

    id: str
    made_at: datetime
    failed: bool = False


def to_remove(backups: Iterable[Dated], kept: Kept) -> list[str]:
    """Return the ids of the backups that are no longer kept.

    Of each day, week and month (UTC) the newest usable one is kept. One that failed its drill stands for no day; it
    stays until it is older than all daily ones, for somebody to look at. The newest usable one is always kept.
    """
    newest_first = sorted(backups, key=lambda one: (one.made_at, one.id), reverse=True)
    usable = [one for one in newest_first if not one.failed]
    if not usable:
        return []
    daily = _first_of_each(usable, DAY, kept.daily)
    staying = {usable[0].id, *daily, *_first_of_each(usable, WEEK, kept.weekly)}
    staying |= {*_first_of_each(usable, MONTH, kept.monthly)}
    oldest_daily = min((one.made_at for one in usable if one.id in daily), default=usable[0].made_at)
    staying |= {one.id for one in newest_first if one.failed and one.made_at >= oldest_daily}
    return [one.id for one in reversed(newest_first) if one.id not in staying]


def _first_of_each(newest_first: Sequence[Dated], period: str, count: int) -> list[str]:
    found: dict[str, str] = {}
    for one in newest_first:
        found.setdefault(one.made_at.strftime(period), one.id)
    return list(found.values())[:count]
