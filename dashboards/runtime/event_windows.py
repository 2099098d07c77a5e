"""Security events on their way into the audit log, with repeats counted.

A loop of refusals could otherwise fill the ledger: the first event of its kind is a row, all others until the window
ends are one more row with their number. What different addresses and names can make is bounded as well, for each of
them and for each kind, so that one flood hides no other. The row of what was left out names the most frequent of it.
"""

import heapq
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from storage.domain.audit_actions import AuditAction
from storage.ledger.audit_origin import NOWHERE, Origin

MINUTE_S, HOUR_S = 60.0, 3600.0
MOST_A_MINUTE, MOST_OF_ONE = 60, 10
MOST_WINDOWS = 20_000
TALLIED, NAMED = 100, 10
NAMES, ADDRESSES, ACTORS = "names", "addresses", "actors"
Key = tuple[str, ...]
BOUND, KIND = "bound", 3
"""The first part of a bound's key, and the number of parts of a kind's; a source's has more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityEvent:
    """An event that becomes a row of the audit log.

    Events with equal `alike` and action are repeats of each other for `within_s`. Of `bounded` ones, the first
    MOST_A_MINUTE different ones of a `kind` are rows each minute, and the first MOST_OF_ONE of each of their `sources`,
    such as `("addresses", "203.0.113.7")`; the others count as repeats.
    """

    actor: str
    action: AuditAction
    subject: str
    detail: dict[str, Any] = field(default_factory=dict)
    origin: Origin
    alike: tuple[str, ...]
    within_s: float = MINUTE_S
    counted: bool = True
    bounded: bool = False
    kind: str = ""
    sources: tuple[tuple[str, str], ...] = ()


class _Tally:
    """The most frequent sources of many events, in bounded memory.

    A count is at least so many (the algorithm of Misra and Gries).
    """

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, source: tuple[str, str]) -> None:
        if source in self._counts or len(self._counts) < TALLIED:
            self._counts[source] += 1
            return
        self._counts = Counter({each: count - 1 for each, count in self._counts.items() if count > 1})

    def told(self) -> dict[str, dict[str, int]]:
        """Return the most frequent ones of each kind of source, with their numbers."""
        told: dict[str, dict[str, int]] = {}
        for (kind, name), count in self._counts.most_common():
            if len(named := told.setdefault(kind, {})) < NAMED:
                named[name] = count
        return told


@dataclass(slots=True, kw_only=True)
class _Window:
    """Repeats of an event, or of whatever a full `bound` left out.

    `counts` are the bounds that it counts towards.
    """

    last: SecurityEvent
    repeats: int = 0
    counts: tuple[Key, ...] = ()
    bound: Key = ()
    tally: _Tally | None = None

    def repeat(self, event: SecurityEvent) -> None:
        self.last, self.repeats = event, self.repeats + 1
        if self.bound:
            self.tally = self.tally or _Tally()
            for source in event.sources:
                self.tally.add(source)

    def row(self) -> SecurityEvent:
        """Return the row of the repeats."""
        last, told = self.last, self.last.detail | {"times": self.repeats} | (self.tally.told() if self.tally else {})
        of = self.bound[KIND] if len(self.bound) > KIND else ""
        if not self.bound:
            return replace(last, detail=told)
        subject = last.subject if of == NAMES else last.kind or last.subject
        return replace(last, subject=subject, origin=last.origin if of == ADDRESSES else NOWHERE, detail=told)


class EventWindows:
    """Decides which events are rows, and keeps those that wait for the writer."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, most_a_minute: int = MOST_A_MINUTE) -> None:
        self._clock, self._most_a_minute = clock, most_a_minute
        self._windows: dict[Key, _Window] = {}
        self._ends: list[tuple[float, Key]] = []
        self._bounded: Counter[Key] = Counter()
        self._waiting: list[SecurityEvent] = []
        self._lock = threading.Lock()

    def begins(self, event: SecurityEvent) -> bool:
        """Note an event, and return whether it is a row of its own."""
        with self._lock:
            now = self._clock()
            self._close(now)
            key: Key = (event.action.value, *event.alike)
            bounds = _bounds(event)
            full = () if key in self._windows else next(filter(self._is_full, bounds), ())
            if full and full not in self._windows and self._is_full(bounds[-1]):
                full = bounds[-1]
            key = full or key
            window = self._windows.get(key)
            if window is not None:
                window.repeat(event)
                return False
            self._windows[key] = _Window(last=event, counts=bounds, bound=full)
            heapq.heappush(self._ends, (now + event.within_s, key))
            self._bounded.update(bounds)
            if len(self._windows) > MOST_WINDOWS:
                self._end_first()
            return True

    def _is_full(self, bound: Key) -> bool:
        return self._bounded[bound] >= (self._most_a_minute if len(bound) == KIND else MOST_OF_ONE)

    def wait(self, event: SecurityEvent) -> None:
        """Note an event that is written soon, unless it is a repeat."""
        if self.begins(event):
            with self._lock:
                self._waiting.append(event)

    def take(self, *, everything: bool = False) -> list[SecurityEvent]:
        """Return what is to be written: waiting events, and the repeats of windows that ended."""
        with self._lock:
            self._close(float("inf") if everything else self._clock())
            taken, self._waiting = self._waiting, []
            return taken

    def put_back(self, events: list[SecurityEvent]) -> None:
        """Keep events that could not be written, the oldest ones at most."""
        with self._lock:
            self._waiting = [*events, *self._waiting][:MOST_WINDOWS]

    def _close(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            self._end_first()

    def _end_first(self) -> None:
        window = self._windows.pop(heapq.heappop(self._ends)[1])
        self._bounded.subtract(window.counts)
        for bound in window.counts:
            if not self._bounded[bound]:
                del self._bounded[bound]
        if window.repeats and window.last.counted:
            self._waiting.append(window.row())


def _bounds(event: SecurityEvent) -> tuple[Key, ...]:
    """Return what bounds an event: each of its sources, and last its kind."""
    if not event.bounded:
        return ()
    kind = (BOUND, event.action.value, event.kind)
    return (*((*kind, *source) for source in event.sources), kind)
