"""Convert errors to HTTP responses.

They are problem details at `/api`, and elsewhere have the shape that OpenAI's clients know. Who has to wait
or to log in, or asks for what is not there, with a browser's form or address bar gets a page.
"""

import html
import logging
from http import HTTPStatus

from pydantic import ValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from dashboards import strings
from dashboards.http.identity import NOBODY, language_of
from dashboards.http.problem_details import is_ours, problem
from dashboards.http.route_methods import allow_of, methods_at
from dashboards.runtime import context, security_log
from dashboards.runtime.site_paths import site_path
from dashboards.runtime.websocket_registry import CLOSED
from dashboards.strings import accounts as account_texts
from dashboards.strings import recordings as recording_texts
from storage.domain import translation
from storage.domain.errors import (
    BadRequest,
    CrossSite,
    ExportPending,
    KeyNotFromHere,
    NotAllowed,
    NotFound,
    NotSignedIn,
    NotYours,
    RateLimited,
    ScopeMissing,
    TooManyTries,
    TranscriberError,
    UploadTooLarge,
)

logger = logging.getLogger(__name__)

REFUSALS = (CrossSite, KeyNotFromHere, NotAllowed, NotYours, ScopeMissing)
"""The refusals of known callers that the audit log records."""
FOR_PROGRAMS = ("/api/", "/v1/", "/uploads", "/internal/")
"""Paths whose errors are never pages."""
SHARED = "/shared/"
DENIAL = "websocket.http.response"
PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<link rel="icon" href="{site}/assets/mark.svg">
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; font: 16px/1.5 system-ui, sans-serif;
  background: #fff; color: #1b2422; }}
main {{ max-width: 26rem; padding: 2rem; text-align: center; }}
h1 {{ font-size: 1.4rem; margin: 1.25rem 0 .5rem; }}
p {{ margin: 0 0 1.5rem; color: #4d5955; }}
a {{ color: #0f6b5c; }}
@media (prefers-color-scheme: dark) {{
  body {{ background: #101514; color: #e6ecea; }} p {{ color: #a3b0ab; }} a {{ color: #46b39d; }}
}}
</style>
</head>
<body>
<main>
<img src="{site}/assets/mark.svg" alt="" width="56" height="56">
<h1>{title}</h1>
<p role="alert">{words}</p>
<a href="{back}">{again}</a>
</main>
</body>
</html>
"""


def error_answer(
    status: int,
    *,
    code: str,
    message: str,
    param: str | None = None,
    headers: dict[str, str] | None = None,
    scope: Scope | None = None,
) -> JSONResponse:
    """Return `{"error": {code, message, type, param}}`, or below `/api` problem details."""
    if context.is_up():
        context.current().metrics.error(code)
    kind = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    if scope is not None and scope["path"].startswith("/uploads"):
        headers = {"Tus-Resumable": "1.0.0"} | (headers or {})
    error = {"code": code, "message": message, "type": kind, "param": param}
    if scope is not None and is_ours(scope):
        return problem(scope, status, error=error, headers=headers)
    return JSONResponse({"error": error}, status_code=status, headers=headers)


def answer_for(error: TranscriberError, scope: Scope | None = None) -> JSONResponse:
    """Convert one of our errors to its response."""
    headers: dict[str, str] = {}
    if isinstance(error, NotSignedIn):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, ScopeMissing):
        headers["WWW-Authenticate"] = f'Bearer error="insufficient_scope", scope="{error.needed}"'
    if isinstance(error, TooManyTries | RateLimited):
        headers["Retry-After"] = str(error.wait_s)
    if isinstance(error, ExportPending):
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, UploadTooLarge):
        headers["Connection"] = "close"
    param = error.field if isinstance(error, BadRequest) else None
    return error_answer(error.status, code=error.code, message=str(error), param=param, headers=headers, scope=scope)


def _answer_to(scope: Scope, error: TranscriberError) -> Response:
    """Return a page where a browser shows it, else JSON."""
    answer = answer_for(error, scope)
    if not isinstance(error, TooManyTries | RateLimited | NotFound | NotSignedIn) or not _is_for_a_page(scope):
        return answer
    headers = {"Cache-Control": "no-store"} | {
        name: answer.headers[name] for name in ("Retry-After", "WWW-Authenticate") if name in answer.headers
    }
    return HTMLResponse(_page(error, scope), error.status, headers=headers)


def _is_for_a_page(scope: Scope) -> bool:
    """Return whether a browser shows the answer.

    It sent a form without a script, or opened an address.
    """
    if scope["type"] != "http" or scope["path"].startswith(FOR_PROGRAMS):
        return False
    return "text/html" in Headers(scope=scope).get("accept", "")


def _page(error: TooManyTries | RateLimited | NotFound | NotSignedIn, scope: Scope) -> str:
    """Return the HTML of a page with the error and a link."""
    back = "/"
    if isinstance(error, NotFound):
        title, words, link = strings.PAGE["nowhere"], recording_texts.NO_PAGE, recording_texts.BACK_TO_OWN
    elif isinstance(error, NotSignedIn):
        title, words, link = strings.PAGE["login"], account_texts.LOG_IN_FIRST, account_texts.TO_LOG_IN
    else:
        told = strings.TOO_MANY["tries" if isinstance(error, TooManyTries) else "requests"]
        title, words = strings.TOO_MANY["title"], told.format(time=strings.waiting(error.wait_s))
        link, back = strings.TOO_MANY["again"], scope["path"] if scope["path"].startswith(SHARED) else "/"
    return PAGE.format(
        language=translation.language(),
        title=html.escape(title),
        words=html.escape(words),
        again=html.escape(link),
        back=html.escape(site_path(back)),
        site=site_path(""),
    )


async def refuse(refusal: TranscriberError, scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a request or a websocket before it reaches a route."""
    scope["who"] = "refused"
    if scope["type"] == "websocket" and refusal.status == 429 and DENIAL in scope.get("extensions", {}):
        await answer_for(refusal, scope)(
            scope, receive, send
        )  # before it is accepted: a client reads when to come back
    elif scope["type"] == "websocket":
        await WebSocketClose(CLOSED if refusal.status == 401 else 4403, str(refusal))(scope, receive, send)
    else:
        with translation.speaking(translation.wanted(Headers(scope=scope).get("accept-language"))):
            answer = _answer_to(scope, refusal)
        await answer(scope, receive, send)


async def on_our_error(request: Request, error: Exception) -> Response:
    """Respond to a `TranscriberError`; server errors are logged."""
    assert isinstance(error, TranscriberError)  # noqa: S101
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.warning("%s", error, extra={"path": security_log.without_secret(request.url.path), "code": error.code})
    if isinstance(error, REFUSALS) and (caller := request.scope.get("caller", NOBODY)) is not NOBODY:
        await security_log.refused(caller.recorded_as, subject=request.url.path, code=error.code, method=request.method)
    language = await language_of(request) if error.status < HTTPStatus.INTERNAL_SERVER_ERROR else translation.ENGLISH
    with translation.speaking(language):
        return _answer_to(request.scope, error)


async def on_http_error(request: Request, error: Exception) -> JSONResponse:
    """Respond to Starlette's own errors: 404, 405, a malformed form."""
    assert isinstance(error, HTTPException)  # noqa: S101
    phrase = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    headers = dict(error.headers or {})
    allowed = methods_at(request.app.routes, request.scope) if error.status_code == 405 else set()
    if allowed:
        headers["Allow"] = allow_of(allowed)  # Starlette names the methods of one route
    return error_answer(error.status_code, code=phrase, message=error.detail, headers=headers, scope=request.scope)


async def on_validation_error(request: Request, error: Exception) -> JSONResponse:
    """Respond to an invalid body, naming the first wrong field."""
    assert isinstance(error, ValidationError)  # noqa: S101
    return answer_for(bad_request(error), request.scope)


async def on_anything_else(request: Request, error: Exception) -> JSONResponse:
    """Respond to an unforeseen error; the log has details under the request id."""
    ident = request.scope.get("request_id", "")
    logger.error(
        "unforeseen error",
        exc_info=error,
        extra={"path": security_log.without_secret(request.url.path), "request_id": ident},
    )
    message = f"something went wrong on the server; the log tells more under request id {ident}"
    return error_answer(HTTPStatus.INTERNAL_SERVER_ERROR, code="internal_error", message=message, scope=request.scope)


def bad_request(error: ValidationError, *, within: str = "body") -> BadRequest:
    """Return the first validation error in plain words."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or within
    return BadRequest(field, first["msg"].removeprefix("Value error, "))


HANDLERS = {
    TranscriberError: on_our_error,
    HTTPException: on_http_error,
    ValidationError: on_validation_error,
}
