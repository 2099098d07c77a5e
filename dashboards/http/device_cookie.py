"""The cookie by which a browser is known: it outlives sessions and logs nobody in."""

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, cookie_parser
from starlette.responses import Response

from dashboards.http.forwarding import over_https
from dashboards.runtime.site_paths import site_path
from storage.accounts.known_devices import KEPT_DAYS

DEVICE_COOKIE = "transcriber_device"


def device_of(connection: HTTPConnection) -> str | None:
    """Return the cookie, even beside malformed ones that break `http.cookies`."""
    return cookie_parser(Headers(scope=connection.scope).get("cookie", "")).get(DEVICE_COOKIE)


def set_device(connection: HTTPConnection, answer: Response, value: str) -> None:
    """Put the cookie into a response, with the attributes of the session's."""
    seconds, secure = KEPT_DAYS * 86_400, over_https(connection)
    answer.set_cookie(
        DEVICE_COOKIE, value, max_age=seconds, path=site_path("/auth"), httponly=True, samesite="lax", secure=secure
    )
