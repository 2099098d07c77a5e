"""What pages keep for a few seconds since a thousand of them ask the same: how often that helped, and its end."""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, Generic, ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")


class Counted(Generic[P, T]):
    """A cached function that counts how often it was asked, and how often it had to work for it."""

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
        """Forget what is kept; the counts stay."""
        self._kept.clear()


KNOWN: dict[str, Counted[..., Any]] = {}


def counted(name: str, keep: Callable[..., Any]) -> Callable[[Callable[P, T]], Counted[P, T]]:
    """Cache a function by `keep` (one of Streamlit's caches) and show it to administrators under this name."""

    def decorate(work: Callable[P, T]) -> Counted[P, T]:
        KNOWN[name] = made = Counted(name, work, keep)
        return made

    return decorate
