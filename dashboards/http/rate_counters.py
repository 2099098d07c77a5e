"""Counts the requests of callers in sliding windows, in bounded memory.

The algorithm is the sliding window counter of the library `limits`: two counters for each caller. Its own memory
storage has no bound, and searches all callers for expired ones in a thread after each request.
"""

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage

from storage.domain.rate_classes import RateClass, RateLimit

MOST_COUNTERS, MOST_BLOCKED = 20_000, 10_000


class RecentCounters(MemoryStorage):
    """The most recently used counters, in one thread; older ones are forgotten.

    Who can send from so many addresses gains nothing by that: each of them has a limit of its own.
    """

    def __init__(self, most: int = MOST_COUNTERS) -> None:
        super().__init__()
        self.most = most
        self._recent: OrderedDict[str, None] = OrderedDict()

    def take(self, key: str, limit: int, expiry: int) -> tuple[bool, int, float]:
        """Count unless the limit is reached.

        Return whether it was counted, how much is left, and in how many seconds more is: the same as `hit` and
        `get_window_stats` of the library's limiter, in one look and one thread.
        """
        now = time.time()
        previous_key, current_key = self.sliding_window_keys(key, expiry, now)
        previous, left_s, current, until_s = self._of_windows(previous_key, current_key, expiry, now)
        before = previous * left_s / expiry
        counted = floor(before + current) < limit
        if counted:
            current = self._add(current_key, now, 2 * expiry)
        resets = [*([left_s % (expiry / previous)] if previous else ()), *([until_s % expiry] if current else ())]
        return counted, max(0, limit - floor(before + current)), min(resets, default=0.0)

    def _of_windows(self, previous: str, current: str, expiry: int, now: float) -> tuple[int, float, int, float]:
        left_s = (1 - (now / expiry) % 1) * expiry
        before = self._count(previous, now)
        return before, left_s if before else 0.0, self._count(current, now), left_s + expiry

    def _count(self, key: str, now: float) -> int:
        if (until := self.expirations.get(key)) is None:
            return 0
        return self.storage.get(key, 0) if until > now else self.get(key)  # which forgets it

    def _add(self, key: str, now: float, expiry: float) -> int:
        """Count, and forget the counter that was used least recently if there are too many."""
        count = self._count(key, now) + 1
        self.storage[key] = count
        self.expirations.setdefault(key, now + expiry)
        self._recent[key] = None
        self._recent.move_to_end(key)
        if len(self._recent) > self.most:
            self.clear(self._recent.popitem(last=False)[0])
        return count

    def decr(self, key: str, amount: int = 1) -> int:
        """Count backwards; not below zero."""
        count = max(0, self.get(key) - amount)
        if key in self.storage:
            self.storage[key] = count
        return count


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A caller's place within a limit; `reset_s` is when more requests are allowed. Refused if `wait_s` is given."""

    kind: str
    limit: RateLimit
    remaining: int
    reset_s: int
    wait_s: int | None = None


def is_over(standings: Sequence[Standing]) -> bool:
    """Return whether one of the limits refuses the request."""
    return any(one.wait_s is not None for one in standings)


def headers_of(standings: Sequence[Standing]) -> list[tuple[bytes, bytes]]:
    """Return the fields of draft-ietf-httpapi-ratelimit-headers."""
    policies = (f'"{one.kind}";q={one.limit.amount};w={one.limit.window_s}' for one in standings)
    left = (f'"{one.kind}";r={one.remaining};t={one.reset_s}' for one in standings)
    return [(b"ratelimit-policy", ", ".join(policies).encode()), (b"ratelimit", ", ".join(left).encode())]


@lru_cache(maxsize=4096)
def _key(limit: RateLimit, kind: str, who: str) -> str:
    """Return the name of a caller's counter of a limit."""
    return RateLimitItemPerSecond(limit.amount, limit.window_s, kind).key_for(who)


class RateCounters:
    """Counts by class and caller. Known callers and addresses are apart, so that no flood displaces the known."""

    def __init__(
        self, limits: Mapping[RateClass, RateLimit | None], *, block_s: int, most: int = MOST_COUNTERS
    ) -> None:
        self.limits = {kind: limit for kind, limit in limits.items() if limit}
        self.block_s = block_s
        self.storages = (RecentCounters(most), RecentCounters(most))  # of addresses, and of known callers
        self._blocked: OrderedDict[tuple[str, str], float] = OrderedDict()

    def take(self, kind: RateClass, who: str, *, known: bool) -> Standing:
        """Count a request. A caller over the limit is blocked for a while, and not counted meanwhile."""
        return self.take_within(self.limits[kind], kind.value, who, known=known)

    def take_within(self, limit: RateLimit, kind: str, who: str, *, known: bool) -> Standing:
        """Count a request towards a limit of the caller's own."""
        now = time.time()
        if self._blocked and (until := self._blocked.get((kind, who), 0.0)) > now:
            wait_s = ceil(until - now)
            return Standing(kind=kind, limit=limit, remaining=0, reset_s=wait_s, wait_s=wait_s)
        key = _key(limit, kind, who)
        passed, remaining, left_s = self.storages[known].take(key, limit.amount, limit.window_s)
        reset_s = ceil(left_s)
        if passed:
            return Standing(kind=kind, limit=limit, remaining=remaining, reset_s=reset_s)
        wait_s = max(self.block_s, reset_s + 1)
        self._block((kind, who), now + wait_s)
        return Standing(kind=kind, limit=limit, remaining=0, reset_s=wait_s, wait_s=wait_s)

    def give_back(self, kind: RateClass, who: str, *, known: bool) -> None:
        """Uncount a request that turned out to be none of those that are limited."""
        limit, storage = self.limits[kind], self.storages[known]
        current = storage.sliding_window_keys(_key(limit, kind.value, who), limit.window_s, time.time())[1]
        storage.decr(current)

    def _block(self, key: tuple[str, str], until: float) -> None:
        self._blocked[key] = until
        self._blocked.move_to_end(key)
        if len(self._blocked) > MOST_BLOCKED:
            self._blocked.popitem(last=False)
