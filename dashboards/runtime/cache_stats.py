"""Streamlit caches with hit counters."""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, Generic, ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")


class Counted(Generic[P, T]):
    """A cached function that counts calls and cache misses."""

    def __init__(self, name: str, work: Callable[P, T], keep: Callable[..., Any]) -> None:
        self.name, self.asked, self.worked = name, 0, 0
        self._lock = threading.Lock()

        @wraps(work)
        def working(*args: P.args, **kwargs: P.kwargs) -> T:
            with self._lock:
                self.worked += 1
            return work(*args, **kwargs)

        self._kept = keep(working)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._lock:
            self.asked += 1
        return cast(T, self._kept(*args, **kwargs))

    @property
    def hits(self) -> int:
        return max(0, self.asked - self.worked)

    def clear(self) -> None:
        """Clear the cache; the counters stay."""
        self._kept.clear()


KNOWN: dict[str, Counted[..., Any]] = {}


def counted(name: str, keep: Callable[..., Any]) -> Callable[[Callable[P, T]], Counted[P, T]]:
    """Cache a function with one of Streamlit's caches, shown to administrators by name."""

    def decorate(work: Callable[P, T]) -> Counted[P, T]:
        KNOWN[name] = made = Counted(name, work, keep)
        return made

    return decorate
