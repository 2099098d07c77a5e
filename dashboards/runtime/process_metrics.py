"""Counters and histograms of this process since its start, for `/metrics`.

Labels have few values: routes by their template, never by the path of a request.
"""

import threading
from collections import OrderedDict
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from storage.accounts.canary_account import CANARY_ID
from storage.domain.clock import utc_now
from storage.domain.rate_classes import OF_THE_KEY, RateClass
from storage.domain.records import Job, JobState
from storage.remote import tracing

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
REQUEST_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
JOB_BUCKETS_S = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0)
SPAN_BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
SPAN_RESULTS = ("transcribed", "found")
LOGINS = ("password", "share link", "rate limit")
MOST_CODES, OTHER = 200, "other"
REMEMBERED_JOBS = 10_000


class ProcessMetrics:
    """Requests, errors, refusals and finished jobs; any thread may count."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        by_route = ["method", "route"]
        self._requests = Counter(
            "transcriber_http_requests", "HTTP requests by route and status", [*by_route, "status"], registry=registry
        )
        self._durations = Histogram(
            "transcriber_http_request_duration_seconds",
            "Time until the end of the response by route",
            by_route,
            buckets=REQUEST_BUCKETS_S,
            registry=registry,
        )
        self._errors = Counter("transcriber_errors", "Error responses by code", ["code"], registry=registry)
        self._rate_limited = Counter(
            "transcriber_rate_limited", "Requests refused by a rate limit, by its class", ["class"], registry=registry
        )
        self._answers = Counter(
            "transcriber_answer_cache", "Answers of the API by whether they were kept", ["result"], registry=registry
        )
        self._blocked = Counter(
            "transcriber_logins_blocked", "Log-ins refused after too many tries", ["by"], registry=registry
        )
        self._jobs = Counter("transcriber_jobs_finished", "Jobs that ended by state", ["state"], registry=registry)
        self._job_durations = Histogram(
            "transcriber_job_duration_seconds",
            "Time from acceptance to the end of a job by state",
            ["state"],
            buckets=JOB_BUCKETS_S,
            registry=registry,
        )
        self._audio = Counter(
            "transcriber_audio_seconds", "Length of the recordings that were transcribed", registry=registry
        )
        self._spans = Histogram(
            "transcriber_span_duration_seconds",
            "Time of the engine for a span, by whether it was transcribed or its result found",
            ["result"],
            buckets=SPAN_BUCKETS_S,
            registry=registry,
        )
        self._retries = Counter("transcriber_job_retries", "Further attempts at jobs that began", registry=registry)
        self._received = Counter("transcriber_upload_bytes", "Bytes of recordings that arrived", registry=registry)
        for result in SPAN_RESULTS:
            self._spans.labels(result)
        for kind in (*RateClass, OF_THE_KEY):
            self._rate_limited.labels(kind)
        for by in LOGINS:
            self._blocked.labels(by)
        self._answers_by_kept = [self._answers.labels(result) for result in ("miss", "hit")]
        for state in JobState:
            if state.finished:
                self._jobs.labels(state.value)
                self._job_durations.labels(state.value)
        self._of_requests: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._lock = threading.Lock()
        self._codes: set[str] = set()
        self._ended: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._since: datetime = utc_now()

    def request(self, method: str, route: str, status: int, took_s: float) -> None:
        """Count a request."""
        method = method if method in METHODS else OTHER
        of_request = (method, route, status)
        if of_request not in self._of_requests:  # finding what has these labels takes longer than counting
            counter, histogram = (
                self._requests.labels(method, route, str(status)),
                self._durations.labels(method, route),
            )
            self._of_requests[of_request] = (counter, histogram)
        counter, histogram = self._of_requests[of_request]
        counter.inc()
        histogram.observe(took_s)

    def error(self, code: str) -> None:
        """Count an error response."""
        with self._lock:
            if len(self._codes) < MOST_CODES:
                self._codes.add(code)
            code = code if code in self._codes else OTHER
        self._errors.labels(code).inc()

    def rate_limited(self, kind: str) -> None:
        """Count a request that a rate limit refused."""
        self._rate_limited.labels(kind).inc()

    def answer(self, *, kept: bool) -> None:
        """Count an answer that could be kept."""
        self._answers_by_kept[kept].inc()

    def span(self, took_s: float, *, found: bool) -> None:
        """Count a span that was transcribed, or whose result was found on storage."""
        self._spans.labels(SPAN_RESULTS[found]).observe(took_s)

    def retry(self) -> None:
        """Count an attempt at a job that is not its first."""
        self._retries.inc()

    def received(self, size_bytes: int) -> None:
        """Count bytes of a recording that arrived."""
        self._received.inc(size_bytes)

    def login_blocked(self, by: str) -> None:
        """Count a log-in that was refused unseen after too many tries."""
        self._blocked.labels(by).inc()

    def job(self, job: Job) -> None:
        """Count and trace a job that has ended, once for each attempt.

        The canary's are not counted: they are no work.
        """
        if not job.state.finished or job.finished_at is None or job.finished_at < self._since:
            return
        with self._lock:
            if (job.id, job.attempt) in self._ended:
                return
            self._ended[job.id, job.attempt] = None
            if len(self._ended) > REMEMBERED_JOBS:
                self._ended.popitem(last=False)
        tracing.ended(job)
        if job.owner_id == CANARY_ID:
            return
        self._jobs.labels(job.state.value).inc()
        self._job_durations.labels(job.state.value).observe((job.finished_at - job.created_at).total_seconds())
        if job.state is JobState.COMPLETED:
            self._audio.inc(job.duration_s or 0.0)
