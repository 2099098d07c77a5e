"""Request times by route since the start, in memory, the last few hundred of each."""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.types import Scope

KEPT = 512
MOST_ROUTES = 300
ELSEWHERE = "other paths"
PAGE_FILES = "the page's own files"
READINESS = "GET /readyz"
"""Its 503 is an answer: something that it names is not ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One route: requests and server errors, and the last `KEPT` times in milliseconds."""

    route: str
    requests: int
    errors: int
    p50_ms: float
    p95_ms: float
    slowest_ms: float


@dataclass(slots=True)
class _Route:
    requests: int = 0
    errors: int = 0
    took_ms: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))


class Timings:
    """The times of all routes; recorded on the event loop, read from page threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._routes: dict[str, _Route] = {}

    def note(self, route: str, status: int, took_s: float) -> None:
        """Record one request."""
        with self._lock:
            if route not in self._routes and len(self._routes) >= MOST_ROUTES:
                route = ELSEWHERE
            known = self._routes.setdefault(route, _Route())
            known.requests += 1
            known.errors += status >= 500 and route != READINESS
            known.took_ms.append(1000 * took_s)

    def all(self) -> list[Timing]:
        """Return every route, slowest by p95 first."""
        with self._lock:
            taken = [(name, one.requests, one.errors, sorted(one.took_ms)) for name, one in self._routes.items()]
        timings = [
            Timing(
                route=name,
                requests=requests,
                errors=errors,
                p50_ms=quantile(took, 0.5),
                p95_ms=quantile(took, 0.95),
                slowest_ms=took[-1],
            )
            for name, requests, errors, took in taken
        ]
        return sorted(timings, key=lambda one: one.p95_ms, reverse=True)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the quantile of sorted values (nearest rank)."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def named(method: str, template: str) -> str:
    """Return what a route with this pattern is called here."""
    return template if template in {ELSEWHERE, PAGE_FILES} else f"{method} {template}"


def template_of(scope: Scope) -> str:
    """Return the pattern of the request's route."""
    route = scope.get("route")
    path: str | None = getattr(route, "path", None)
    if path is None:
        return ELSEWHERE
    if getattr(route, "name", "") == "static-assets":
        return PAGE_FILES
    inside = scope.get("root_path", "").rstrip("/")
    return path if path.startswith(inside) else inside + path
