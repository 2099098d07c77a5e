"""What can go wrong, as exceptions: the server's problem details, lost connections, failed jobs.

No exception holds the API key or a request.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transcriber.client.models import Job

LONGEST_TEXT = 300


class TranscriberClientError(Exception):
    """The base of all exceptions of this package; `transient` ones may pass by themselves."""

    transient = False


class ConnectionFailed(TranscriberClientError):
    """The server was not reached, or the connection was lost, until all attempts were used."""

    transient = True

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return f"{self.url} does not answer ({self.reason}); check the address and whether the server runs"


class ProblemError(TranscriberClientError):
    """The server refused a request; `code` is stable and for programs, `detail` is for people."""

    def __init__(  # noqa: PLR0917 - as in `args`, so that it can be pickled
        self,
        status: int,
        code: str,
        detail: str,
        param: str | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(status, code, detail, param, request_id, retry_after_s)
        self.status, self.code, self.detail = status, code, detail
        self.param, self.request_id, self.retry_after_s = param, request_id, retry_after_s

    def __str__(self) -> str:
        where = f" [{self.param}]" if self.param else ""
        request = f" (request {self.request_id})" if self.request_id else ""
        return f"{self.status} {self.code}{where}: {self.detail}{request}"


class InvalidRequest(ProblemError):
    """Something in the request is wrong; `param` names it (400, 415, 422)."""


class Unauthorized(ProblemError):
    """The key is missing, unknown, expired or revoked (401)."""


class PermissionRefused(ProblemError):
    """The key may not do this (403)."""


class NotFoundError(ProblemError):
    """There is no such thing, or it is not the caller's (404, 410)."""


class Conflict(ProblemError):
    """The state of the thing does not allow it (409, 412)."""


class TooLarge(ProblemError):
    """The recording, or what its owner may store, is too large (413)."""


class RateLimited(ProblemError):
    """Too many requests; `retry_after_s` says when to ask again (429)."""

    transient = True


class ServerUnavailable(ProblemError):
    """The server or a proxy before it cannot answer now (408, 502, 503, 504, 507)."""

    transient = True


class ServerFault(ProblemError):
    """The server failed; its log tells more under `request_id` (other statuses from 500)."""

    transient = True


class UnexpectedAnswer(TranscriberClientError):
    """Something answered that is not this platform, or of an unknown version."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return f"{self.url} gave an answer that is not Whisper Transcriber's ({self.reason}); check the address"


class RecordingChanged(TranscriberClientError):
    """The file became shorter while it was sent."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} was changed while it was sent; send it again once it is complete"


class JobFailed(TranscriberClientError):
    """A job ended without a transcript; `job` says why."""

    def __init__(self, job: "Job") -> None:
        super().__init__(job)
        self.job = job

    def __str__(self) -> str:
        return f"job {self.job.id} is {self.job.state}: {self.job.error or 'somebody cancelled it'}"


class RecordingRefused(TranscriberClientError):
    """The server could not get a recording from its address or path."""

    def __init__(self, source: str, code: str, detail: str) -> None:
        super().__init__(source, code, detail)
        self.source, self.code, self.detail = source, code, detail

    def __str__(self) -> str:
        return f"{self.source}: {self.detail} ({self.code})"


class StillWorking(TranscriberClientError):
    """The time to wait is over. The work goes on, and can be waited for again."""

    transient = True

    def __init__(self, what: str, waited_s: float) -> None:
        super().__init__(what, waited_s)
        self.what, self.waited_s = what, waited_s

    def __str__(self) -> str:
        return f"{self.what} is not finished after {self.waited_s:g} s; it goes on, wait for it again"


OF_STATUS: dict[int, type[ProblemError]] = {
    HTTPStatus.BAD_REQUEST: InvalidRequest,
    HTTPStatus.UNAUTHORIZED: Unauthorized,
    HTTPStatus.FORBIDDEN: PermissionRefused,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.REQUEST_TIMEOUT: ServerUnavailable,
    HTTPStatus.CONFLICT: Conflict,
    HTTPStatus.GONE: NotFoundError,
    HTTPStatus.PRECONDITION_FAILED: Conflict,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: TooLarge,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: InvalidRequest,
    HTTPStatus.UNPROCESSABLE_ENTITY: InvalidRequest,
    HTTPStatus.TOO_MANY_REQUESTS: RateLimited,
    HTTPStatus.BAD_GATEWAY: ServerUnavailable,
    HTTPStatus.SERVICE_UNAVAILABLE: ServerUnavailable,
    HTTPStatus.GATEWAY_TIMEOUT: ServerUnavailable,
    HTTPStatus.INSUFFICIENT_STORAGE: ServerUnavailable,
}


def problem_of(status: int, headers: Mapping[str, str], body: bytes) -> ProblemError:
    """Return the exception of an error answer.

    It has problem details, the shape of `/uploads`, or a proxy's page.
    """
    usual = ServerFault if status >= HTTPStatus.INTERNAL_SERVER_ERROR else InvalidRequest
    told = _told(body)
    older = told.get("error")
    if isinstance(older, dict):
        told = {"detail": older.get("message")} | older | told
    return OF_STATUS.get(status, usual)(
        status,
        str(told.get("code") or "unknown"),
        str(told.get("detail") or _phrase(status))[:LONGEST_TEXT],
        param=_text(told.get("param")),
        request_id=_text(told.get("request_id")) or headers.get("x-request-id"),
        retry_after_s=retry_after_s(headers.get("retry-after", "")),
    )


def _told(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no reason given"


def retry_after_s(text: str, now: datetime | None = None) -> float | None:
    """Return the seconds of a `Retry-After`; None without one.

    It is a number or a date (RFC 9110).
    """
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())
