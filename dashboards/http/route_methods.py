"""Which methods a path has over all of its routes, for 405 and `Allow`."""

from collections.abc import Collection, Iterator, Sequence
from http import HTTPStatus

from starlette.datastructures import URLPath
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Mount, NoMatchFound
from starlette.types import Receive, Scope, Send

from storage.domain.errors import NotFound

EVERYTHING_ELSE = "/{rest:path}"
SHELL = "static-assets"
"""Streamlit's mount of the empty page, which answers every path that nothing else does."""
STREAMLITS = frozenset({"_stcore", "static"})
"""Parts of a path below which Streamlit itself answers: its API, at any depth, and its files."""


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


def other_method(allowed: set[str], scope: Scope) -> Response:
    """Answer OPTIONS with the methods of the request's path; refuse everything else.

    Raises:
        NotFound: the path has none.
        HTTPException: the path has other methods.
    """
    if not allowed:
        raise NotFound("endpoint", scope["path"])
    headers = {"Allow": allow_of(allowed)}
    if scope["method"] == "OPTIONS":
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
    raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, f"this address allows {headers['Allow']}", headers)


def allow_of(allowed: set[str]) -> str:
    """Return what `Allow` says about a path that has these methods."""
    return ", ".join(sorted(allowed | {"OPTIONS"}))


def every_route(routes: Sequence[BaseRoute]) -> Iterator[BaseRoute]:
    """Yield all routes, including those of included routers, which FastAPI does not copy."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from every_route(included.routes)
        elif not isinstance(route, Mount):
            yield route


class NoPage(BaseRoute):
    """The last of our routes, before Streamlit answers with the empty page.

    Its answer is 404 or 405. It takes what is at a first part of our routes' paths, and every path of two parts or
    more, if no route does: the empty page asks for its files beside it, and would stay empty there.
    """

    def __init__(self, routes: Sequence[BaseRoute], *, pages: Collection[str]) -> None:
        firsts = {getattr(route, "path", "").strip("/").partition("/")[0] for route in routes}
        self.prefixes = frozenset(firsts - {""} - set(pages))

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match what would be answered with the page."""
        if scope["type"] != "http" or not self._is_ours(scope["path"]) or _somebody_answers(scope, self):
            return Match.NONE, {}
        return Match.FULL, {}

    def _is_ours(self, path: str) -> bool:
        parts = path.strip("/").split("/")
        return parts[0] in self.prefixes or (len(parts) > 1 and not STREAMLITS & set(parts))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer OPTIONS with the path's methods; refuse everything else.

        Raises as `other_method` does.
        """
        await other_method(methods_at(scope["app"].routes, scope), scope)(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: object) -> URLPath:
        raise NoMatchFound(name, path_params)


def _somebody_answers(scope: Scope, but: BaseRoute) -> bool:
    """Return whether a route other than the page's takes the request."""
    others = (route for route in scope["app"].routes if route is not but and getattr(route, "name", "") != SHELL)
    return any(route.matches(scope)[0] is Match.FULL for route in others)
