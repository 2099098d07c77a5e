"""Client of the web process's internal HTTP API, which retries while it is unavailable."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

import httpx
from pydantic import SecretStr, TypeAdapter

from storage.domain import retries
from storage.domain.errors import (
    BadRequest,
    LedgerUnreachable,
    NotFound,
    NotSignedIn,
    RemoteError,
    StaleAttempt,
    TranscriberError,
)
from storage.domain.records import Job, from_json, to_json
from storage.jobs.reports import Advanced, Report
from storage.remote.certificates import usual_tls
from storage.remote.worker_registry import WorkerBeat

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
BRIEF = httpx.Timeout(3.0)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
AGAIN = frozenset({429, 502, 503, 504})
FULL = 507
AGAIN_FOR_WORK = AGAIN | {FULL}
"""Work that is done waits for a disk to have room; a person is told that it has none."""
Token = SecretStr | Callable[[], SecretStr]
_NAMES: TypeAdapter[tuple[str, ...]] = TypeAdapter(tuple[str, ...])


class WebClient:
    """JSON calls with the worker token; safe to share between threads, a context manager.

    A token that may be rotated meanwhile is given as a function, which is called before each request. `again` are the
    statuses with which a call is repeated.
    """

    def __init__(self, url: str, token: Token, *, patience_s: float = 600.0, again: frozenset[int] = AGAIN) -> None:
        self.url = url.rstrip("/")
        self._patience_s, self._token, self._again = patience_s, token, again
        self._http = httpx.Client(
            base_url=self.url,
            timeout=TIMEOUT,
            trust_env=False,  # an internet proxy does not apply to our own processes
            verify=usual_tls(),
        )

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, method: str, path: str, body: object = None, *, patience_s: float | None = None) -> bytes:
        """Send JSON and return the answer's body, retrying with backoff.

        Calls must be idempotent: a call whose answer was lost is repeated.

        Raises:
            LedgerUnreachable: no answer within the patience.
            TranscriberError: the web process refused; the error has its message.
        """
        content = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        patience_s = self._patience_s if patience_s is None else patience_s
        until = time.monotonic() + patience_s
        try:
            return retries.call(
                lambda: self._once(method, path, content, timeout=TIMEOUT if patience_s > 0 else BRIEF),
                may_pass=lambda error: isinstance(error, _Away) and time.monotonic() + error.retry_after_s <= until,
                pauses_s=retries.growing(FIRST_PAUSE_S, LONGEST_PAUSE_S, within_s=patience_s),
            )
        except _Away as away:
            raise LedgerUnreachable(self.url, str(away)) from away.__cause__

    def beat(self, beat: WorkerBeat) -> tuple[str, ...]:
        """Send a worker's heartbeat once; return the models that it should download."""
        answer = self.call("POST", "/internal/v1/heartbeats", to_json(beat), patience_s=0)
        return _NAMES.validate_python(json.loads(answer)["wanted_models"])

    def _once(self, method: str, path: str, content: bytes | None, *, timeout: httpx.Timeout) -> bytes:
        token = self._token() if callable(self._token) else self._token
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token.get_secret_value()}"}
        try:
            answer = self._http.request(method, path, content=content, headers=headers, timeout=timeout)
        except httpx.TransportError as error:
            raise _Away(f"{type(error).__name__}: {error}") from error
        if answer.status_code in self._again:
            why = "its disk is full" if answer.status_code == FULL else f"status {answer.status_code}"
            raise _Away(why, retry_after_s=_asked_to_wait_s(answer))
        return self._body(answer)

    def _body(self, answer: httpx.Response) -> bytes:
        if answer.is_success:
            return answer.content
        try:
            told = answer.json()["error"]
            code, message = str(told["code"]), str(told["message"])
        except (ValueError, KeyError, TypeError):
            raise LedgerUnreachable(
                self.url, f"something else answers there, with status {answer.status_code}"
            ) from None
        raise RemoteError(answer.status_code, code, message)


class _Away(Exception):
    """The web process cannot answer now; retry after `retry_after_s`."""

    def __init__(self, reason: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class HttpReporter:
    """Sends reports over HTTP with retries; live progress is sent only once."""

    def __init__(self, url: str, token: Token, *, patience_s: float = 600.0) -> None:
        self.client = WebClient(url, token, patience_s=patience_s, again=AGAIN_FOR_WORK)
        self._last: dict[str, Job] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        self.client.close()

    def send(self, report: Report) -> Job:
        """Send the report; see `Reporter.send`.

        `Advanced` is sent once, and answered with the last known job.
        """
        known = self._known(report.job_id) if isinstance(report, Advanced) else None
        try:
            answer = self.client.call("POST", "/internal/v1/reports", to_json(report), patience_s=0 if known else None)
        except LedgerUnreachable:
            if known:
                return known
            raise
        except RemoteError as error:
            raise _as_raised(error, report) from error
        job = from_json(Job, answer)
        with self._lock:
            self._last[job.id] = job
            if job.state.finished:
                del self._last[job.id]
        return job

    def beat(self, beat: WorkerBeat) -> tuple[str, ...]:
        """Send a worker's heartbeat; see `WebClient.beat`."""
        return self.client.beat(beat)

    def _known(self, job_id: str) -> Job | None:
        with self._lock:
            return self._last.get(job_id)


def _as_raised(error: RemoteError, report: Report) -> TranscriberError:
    """Return the error that `reports.apply` raised on the other side."""
    known: Mapping[str, TranscriberError] = {
        StaleAttempt.code: StaleAttempt(report.job_id, report.attempt),
        NotFound.code: NotFound("job", report.job_id),
        NotSignedIn.code: NotSignedIn("the web process does not know this worker's token"),
        BadRequest.code: BadRequest("report", error.message),
    }
    return known.get(error.code, error)


def _asked_to_wait_s(answer: httpx.Response) -> float:
    value: Any = answer.headers.get("Retry-After", "0")
    return min(60.0, float(value)) if value.isdecimal() else 0.0
