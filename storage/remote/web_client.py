"""The way to the ledger from other processes: the web process's internal HTTP API, asked again while it is away."""

import json
import logging
import random
import threading
import time
from collections.abc import Mapping
from typing import Any, Self

import httpx
from pydantic import SecretStr, TypeAdapter

from storage.errors import (
    BadRequest,
    LedgerUnreachable,
    NotFound,
    NotSignedIn,
    RemoteError,
    StaleAttempt,
    TranscriberError,
)
from storage.heartbeats import WorkerBeat
from storage.records import Job, from_json, to_json
from storage.reports import Advanced, Report

logger = logging.getLogger(__name__)

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
BRIEF = httpx.Timeout(3.0)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
AGAIN = {429, 502, 503, 504}
_NAMES: TypeAdapter[tuple[str, ...]] = TypeAdapter(tuple[str, ...])


class WebClient:
    """JSON calls with the worker token; safe to share between threads. Close it, or use it by `with`."""

    def __init__(self, url: str, token: SecretStr, *, patience_s: float = 600.0) -> None:
        self.url = url.rstrip("/")
        self._patience_s = patience_s
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {token.get_secret_value()}"},
            timeout=TIMEOUT,
            trust_env=False,  # a proxy for the internet is none for our own processes
        )

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, method: str, path: str, body: object = None, *, patience_s: float | None = None) -> bytes:
        """Send JSON and return the answer's body; ask again, ever more rarely, while nobody answers or can.

        Calls must be safe to repeat: an answer that was lost on the way is asked for again.

        Raises:
            LedgerUnreachable: no answer within the patience.
            TranscriberError: the web process refused; the error says why, in its words.
        """
        content = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        patience_s = self._patience_s if patience_s is None else patience_s
        until = time.monotonic() + patience_s
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                answer = self._http.request(
                    method,
                    path,
                    content=content,
                    headers={"Content-Type": "application/json"},
                    timeout=TIMEOUT if patience_s > 0 else BRIEF,
                )
            except httpx.TransportError as error:
                reason, wait_s = f"{type(error).__name__}: {error}", 0.0
            else:
                if answer.status_code not in AGAIN:
                    return self._body(answer)
                reason, wait_s = f"status {answer.status_code}", _asked_to_wait_s(answer)
            wait_s = max(wait_s, random.uniform(0.5, 1.0) * pause_s)  # noqa: S311
            if time.monotonic() + wait_s > until:
                raise LedgerUnreachable(self.url, reason)
            logger.info("web process away (%s), asking again in %.1f s", reason, wait_s)
            time.sleep(wait_s)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)

    def beat(self, beat: WorkerBeat) -> tuple[str, ...]:
        """Say that a worker is alive, once; return the names of the models it should fetch."""
        answer = self.call("POST", "/internal/v1/heartbeats", to_json(beat), patience_s=0)
        return _NAMES.validate_python(json.loads(answer)["wanted_models"])

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


class HttpReporter:
    """Reports over HTTP: each one until it is answered, but for live progress, which may be lost."""

    def __init__(self, url: str, token: SecretStr, *, patience_s: float = 600.0) -> None:
        self.client = WebClient(url, token, patience_s=patience_s)
        self._last: dict[str, Job] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        self.client.close()

    def send(self, report: Report) -> Job:
        """Send the report; see `Reporter.send`. `Advanced` is tried once, and answered with the job last seen."""
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
        """Say that a worker is alive; see `WebClient.beat`."""
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
