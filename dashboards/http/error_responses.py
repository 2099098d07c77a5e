"""Errors as HTTP answers, in one shape for all routes: the one that OpenAI's clients know."""

import logging
from http import HTTPStatus

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from storage.errors import BadRequest, ExportPending, NotSignedIn, TooManyTries, TranscriberError, UploadTooLarge

logger = logging.getLogger(__name__)


def error_answer(
    status: int, *, code: str, message: str, param: str | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Build `{"error": {code, message, type, param}}`."""
    kind = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    body = {"error": {"code": code, "message": message, "type": kind, "param": param}}
    return JSONResponse(body, status_code=status, headers=headers)


def answer_for(error: TranscriberError) -> JSONResponse:
    """Turn one of our errors into its answer."""
    headers: dict[str, str] = {}
    if isinstance(error, NotSignedIn):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TooManyTries):
        headers["Retry-After"] = str(error.wait_s)
    if isinstance(error, ExportPending):
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, UploadTooLarge):
        headers["Connection"] = "close"
    param = error.field if isinstance(error, BadRequest) else None
    return error_answer(error.status, code=error.code, message=str(error), param=param, headers=headers)


async def on_our_error(request: Request, error: Exception) -> JSONResponse:
    """Answer a `TranscriberError`; what is wrong on our side is logged."""
    assert isinstance(error, TranscriberError)  # noqa: S101
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.warning("%s", error, extra={"path": request.url.path, "code": error.code})
    return answer_for(error)


async def on_http_error(_: Request, error: Exception) -> JSONResponse:
    """Answer what Starlette itself refuses: 404, 405, a broken form."""
    assert isinstance(error, HTTPException)  # noqa: S101
    phrase = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return error_answer(error.status_code, code=phrase, message=error.detail, headers=dict(error.headers or {}))


async def on_validation_error(_: Request, error: Exception) -> JSONResponse:
    """Answer a body that does not fit its model, naming the first field that is wrong."""
    assert isinstance(error, ValidationError)  # noqa: S101
    return answer_for(bad_request(error))


async def on_anything_else(request: Request, error: Exception) -> JSONResponse:
    """Answer what nobody foresaw; the log has the rest under the same request id."""
    ident = request.scope.get("request_id", "")
    logger.error("unforeseen error", exc_info=error, extra={"path": request.url.path, "request_id": ident})
    message = f"something went wrong on the server; the log tells more under request id {ident}"
    return error_answer(HTTPStatus.INTERNAL_SERVER_ERROR, code="internal_error", message=message)


def bad_request(error: ValidationError, *, within: str = "body") -> BadRequest:
    """Return the first thing that is wrong with the input, in plain words."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or within
    return BadRequest(field, first["msg"].removeprefix("Value error, "))


HANDLERS = {
    TranscriberError: on_our_error,
    HTTPException: on_http_error,
    ValidationError: on_validation_error,
}
