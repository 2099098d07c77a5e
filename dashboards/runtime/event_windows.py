"""Security events on their way into the audit log, with repeats counted.

A loop of refusals could otherwise fill the ledger: the first event of its kind is a row, all others until the window
ends are one more row with their number.
"""

import heapq
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from storage.domain.audit_actions import AuditAction
from storage.ledger.audit_origin import Origin

MINUTE_S, HOUR_S = 60.0, 3600.0
MOST_A_MINUTE = 60
MOST_WINDOWS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityEvent:
    """An event that becomes a row of the audit log.

    Events with equal `alike` and action are repeats of each other for `within_s`. Of `bounded` ones, the first
    MOST_A_MINUTE different ones of a minute are rows; the others count as repeats.
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


@dataclass(slots=True, kw_only=True)
class _Window:
    last: SecurityEvent
    repeats: int = 0


class EventWindows:
    """Decides which events are rows, and keeps those that wait for the writer."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, most_a_minute: int = MOST_A_MINUTE) -> None:
        self._clock, self._most_a_minute = clock, most_a_minute
        self._windows: dict[tuple[str, ...], _Window] = {}
        self._ends: list[tuple[float, tuple[str, ...]]] = []
        self._bounded: Counter[AuditAction] = Counter()
        self._waiting: list[SecurityEvent] = []
        self._lock = threading.Lock()

    def begins(self, event: SecurityEvent) -> bool:
        """Note an event, and return whether it is a row of its own."""
        with self._lock:
            now = self._clock()
            self._close(now)
            key = (event.action.value, *event.alike)
            if event.bounded and key not in self._windows and self._bounded[event.action] >= self._most_a_minute:
                key = (event.action.value,)
            window = self._windows.get(key)
            if window is not None:
                window.last, window.repeats = event, window.repeats + 1
                return False
            self._windows[key] = _Window(last=event)
            heapq.heappush(self._ends, (now + event.within_s, key))
            self._bounded[event.action] += event.bounded
            if len(self._windows) > MOST_WINDOWS:
                self._end_first()
            return True

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
        self._bounded[window.last.action] -= window.last.bounded
        if window.repeats and window.last.counted:
            told = window.last.detail | {"times": window.repeats}
            self._waiting.append(replace(window.last, detail=told))
