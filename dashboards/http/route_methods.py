"""Which methods a path has over all of its routes, for 405 and `Allow`."""

from collections.abc import Iterator, Sequence

from starlette.routing import BaseRoute, Match, Mount
from starlette.types import Scope

EVERYTHING_ELSE = "/{rest:path}"


def methods_at(routes: Sequence[BaseRoute], scope: Scope) -> set[str]:
    """Return the methods of the request's path; HEAD wherever there is GET.

    Routes for everything else, which answer 404 or with the app's page, do not count.
    """
    found: set[str] = set()
    for route in every_route(routes):
        path = getattr(route, "path", EVERYTHING_ELSE)
        takes_all = path.startswith("/{") or path.endswith(EVERYTHING_ELSE)
        if not takes_all and route.matches(scope)[0] is not Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return found | ({"HEAD"} if "GET" in found else set())


def every_route(routes: Sequence[BaseRoute]) -> Iterator[BaseRoute]:
    """Yield all routes, including those of included routers, which FastAPI does not copy."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from every_route(included.routes)
        elif not isinstance(route, Mount):
            yield route
