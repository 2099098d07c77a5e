"""Traces requests and jobs with OpenTelemetry, if it is installed and has an endpoint.

The id of a job is the id of its trace, and the id of an attempt's span follows from both. So the web process and
workers add to one trace, and nothing has to be handed from one to another.
"""

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from storage.domain.records import Job, JobState

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.trace import Link, SpanContext, Tracer

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
NANOSECONDS = 1_000_000_000
Value = str | bool | int | float

log = logging.getLogger(__name__)
_given: "ContextVar[SpanContext | None]" = ContextVar("ids of the span that starts next", default=None)
_provider: "TracerProvider | None" = None


def start(service: str) -> bool:
    """Send traces to the environment's endpoint; return whether there is one."""
    global _provider  # noqa: PLW0603 - OpenTelemetry itself has one provider a process
    if not any(os.environ.get(name) for name in ENDPOINTS):
        return False
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        from storage.remote.discreet_spans import DiscreetExporter
    except ImportError:
        log.warning("no traces are sent: install the extra `otel`, or unset %s", " and ".join(ENDPOINTS))
        return False
    resource = Resource.create({SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME") or f"transcriber-{service}"})
    _provider = TracerProvider(resource=resource, id_generator=_ids())
    _provider.add_span_processor(BatchSpanProcessor(DiscreetExporter(OTLPSpanExporter())))
    trace.set_tracer_provider(_provider)
    return True


def is_on() -> bool:
    """Return whether traces are sent."""
    return _provider is not None


def stop() -> None:
    """Send what is left, and nothing more."""
    global _provider  # noqa: PLW0603
    if _provider is not None:
        _provider.shutdown()
    _provider = None


@contextmanager
def span(name: str, job_id: str, attempt: int, **attributes: Value | None) -> Iterator[None]:
    """Trace a step of an attempt at a job.

    An exception that leaves the block marks it as failed.
    """
    if (tracer := _tracer()) is None:
        yield
        return
    with tracer.start_as_current_span(name, _below(job_id, attempt), attributes=_known(attributes)):
        yield


def accepted(job: Job, *, since: datetime) -> None:
    """Trace how a job was accepted, with a link to the request."""
    if (tracer := _tracer()) is None:
        return
    step = tracer.start_span(
        "accept", _below(job.id, job.attempt), links=_request(), start_time=_ns(since), attributes=_facts(job)
    )
    step.end()


def ended(job: Job) -> None:
    """Trace an attempt that ended, above all its steps."""
    if (tracer := _tracer()) is None or job.finished_at is None:
        return
    from opentelemetry.context import Context
    from opentelemetry.trace import Status, StatusCode

    began = job.created_at if job.attempt == 1 else job.started_at or job.created_at
    token = _given.set(_of(job.id, job.attempt))
    try:
        whole = tracer.start_span("job", Context(), start_time=_ns(began), attributes=_facts(job))
    finally:
        _given.reset(token)
    whole.set_attribute("job.state", job.state.value)
    whole.set_status(Status(StatusCode.ERROR if job.state is JobState.FAILED else StatusCode.OK))
    whole.end(_ns(job.finished_at))


def request(method: str) -> AbstractContextManager[Callable[[str, int], None]]:
    """Trace an HTTP request.

    The block says its route and status; paths and queries may have secrets in them.
    """
    return _UNTRACED if (tracer := _tracer()) is None else _traced(tracer, method)


@contextmanager
def _traced(tracer: "Tracer", method: str) -> Iterator[Callable[[str, int], None]]:
    from opentelemetry.trace import SpanKind, Status, StatusCode

    with tracer.start_as_current_span(method, kind=SpanKind.SERVER) as here:

        def answered(route: str, status: int) -> None:
            here.update_name(f"{method} {route}")
            told: dict[str, Value] = {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
            }
            here.set_attributes(told)
            here.set_status(Status(StatusCode.ERROR if status >= 500 else StatusCode.UNSET))

        yield answered


def _ignore(route: str, status: int) -> None:
    """Do nothing with an answer."""


_UNTRACED = nullcontext(_ignore)


def _tracer() -> "Tracer | None":
    return None if _provider is None else _provider.get_tracer("whisper-transcriber")


def _of(job_id: str, attempt: int) -> "SpanContext":
    from opentelemetry.trace import SpanContext, TraceFlags

    digest = hashlib.sha256(f"{job_id}/{attempt}".encode()).digest()
    span_id = int.from_bytes(digest[:8]) or 1
    sampled = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(trace_id=UUID(job_id).int, span_id=span_id, is_remote=True, trace_flags=sampled)


def _below(job_id: str, attempt: int) -> "Context":
    """Return the context below the attempt's span or its current step."""
    from opentelemetry import context, trace

    whole = _of(job_id, attempt)
    if trace.get_current_span().get_span_context().trace_id == whole.trace_id:
        return context.get_current()
    return trace.set_span_in_context(trace.NonRecordingSpan(whole))


def _request() -> "list[Link]":
    from opentelemetry import trace

    here = trace.get_current_span().get_span_context()
    return [trace.Link(here)] if here.is_valid else []


def _facts(job: Job) -> dict[str, Value]:
    """Return what a trace says of a job: no name, no person, no text."""
    return _known(
        {
            "job.id": job.id,
            "job.attempt": job.attempt,
            "job.lane": job.lane.value,
            "job.audio_seconds": job.duration_s,
            "job.bytes": job.media_bytes,
        }
    )


def _known(attributes: dict[str, Value | None]) -> dict[str, Value]:
    return {name: value for name, value in attributes.items() if value is not None}


def _ns(moment: datetime) -> int:
    return int(moment.timestamp() * NANOSECONDS)


def _ids() -> "IdGenerator":
    """Return what makes ids: random ones, except where a span's are given."""
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class AttemptIds(RandomIdGenerator):
        def generate_span_id(self) -> int:
            given = _given.get()
            return given.span_id if given else super().generate_span_id()

        def generate_trace_id(self) -> int:
            given = _given.get()
            return given.trace_id if given else super().generate_trace_id()

    return AttemptIds()
