"""Slow statements by their text, with counts and times; values are bound, so none appears."""

import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from duckdb import DuckDBPyConnection

from storage.domain.clock import utc_now

SLOW_S: Final = 0.1
KEPT: Final = 100
TEXT_CHARS: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowQuery:
    """A statement that was slow `times` times since the process started."""

    text: str
    times: int
    total_s: float
    longest_s: float
    last_at: datetime


class SlowQueries:
    """The slow statements of this process; the least recent one is dropped when full."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, SlowQuery] = {}

    def note(self, text: str, took_s: float) -> None:
        """Count a statement if it was slow."""
        if took_s < SLOW_S:
            return
        text = text.strip()[:TEXT_CHARS]
        with self._lock:
            known = self._found.pop(text, None)
            self._found[text] = SlowQuery(
                text=text,
                times=1 + (known.times if known else 0),
                total_s=took_s + (known.total_s if known else 0.0),
                longest_s=max(took_s, known.longest_s if known else 0.0),
                last_at=utc_now(),
            )
            if len(self._found) > KEPT:
                del self._found[next(iter(self._found))]

    def found(self) -> list[SlowQuery]:
        """Return the slow statements, slowest first."""
        with self._lock:
            return sorted(self._found.values(), key=lambda one: one.longest_s, reverse=True)

    def forget(self) -> None:
        with self._lock:
            self._found.clear()


SEEN: Final = SlowQueries()


class Watched:
    """A cursor that times its statements, and otherwise behaves like the wrapped one."""

    __slots__ = ("_con",)

    def __init__(self, con: DuckDBPyConnection) -> None:
        self._con = con

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> DuckDBPyConnection:
        began = time.perf_counter()
        try:
            return self._con.execute(query, *args, **kwargs)
        finally:
            SEEN.note(str(query), time.perf_counter() - began)

    def executemany(self, query: Any, *args: Any, **kwargs: Any) -> DuckDBPyConnection:
        began = time.perf_counter()
        try:
            return self._con.executemany(query, *args, **kwargs)
        finally:
            SEEN.note(str(query), time.perf_counter() - began)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._con, name)
