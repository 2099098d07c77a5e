"""Traces that a real exporter sends to a collector: one trace a job, whoever adds to it."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from storage.domain.clock import new_id, utc_now
from storage.domain.records import JobState, User
from storage.ledger.database import Ledger
from storage.remote import tracing
from tests import factories


class Collector(BaseHTTPRequestHandler):
    """An OpenTelemetry collector that keeps what it receives."""

    received: list[Span] = []  # noqa: RUF012

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        told = ExportTraceServiceRequest.FromString(body)
        self.received += [span for each in told.resource_spans for scope in each.scope_spans for span in scope.spans]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Span]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        Collector.received = []
        assert tracing.start("web")
        yield Collector.received
        tracing.stop()
        server.shutdown()


def test_without_an_endpoint_nothing_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert not tracing.start("web")
    with tracing.span("read and cut", new_id(), 1), tracing.request("GET") as answered:
        answered("/v1/models", 200)


def test_a_job_is_one_trace_from_its_request_to_its_end(collected: list[Span], ledger: Ledger, ann: User) -> None:
    now = utc_now()
    job = replace(
        factories.accept(ledger, ann),
        state=JobState.COMPLETED,
        created_at=now - timedelta(seconds=9),
        finished_at=now,
    )
    with tracing.request("POST") as answered:
        tracing.accepted(job, since=now - timedelta(seconds=10))
        answered("/api/v1/jobs", 202)
    with tracing.span("attempt", job.id, 1), tracing.span("transcribe span", job.id, 1, index=3, speech_s=12.5):
        pass
    tracing.ended(job)
    tracing.stop()

    spans = {span.name: span for span in collected}
    asked, whole = spans["POST /api/v1/jobs"], spans["job"]
    assert {spans[name].trace_id for name in ("accept", "attempt", "transcribe span", "job")} == {UUID(job.id).bytes}
    assert whole.parent_span_id == b""
    assert spans["accept"].parent_span_id == spans["attempt"].parent_span_id == whole.span_id
    assert spans["transcribe span"].parent_span_id == spans["attempt"].span_id
    assert spans["accept"].links[0].span_id == asked.span_id
    assert whole.end_time_unix_nano - whole.start_time_unix_nano == pytest.approx(9e9, rel=1e-3)
    assert {each.key: each.value.double_value for each in spans["transcribe span"].attributes}["speech_s"] == 12.5
    assert job.name not in str(collected)


def test_what_fails_is_marked_in_its_trace(collected: list[Span]) -> None:
    job_id = new_id()
    with pytest.raises(OSError, match="gone"), tracing.span("read and cut", job_id, 2):
        raise OSError("gone")
    tracing.stop()
    (span,) = collected
    assert (span.name, span.status.code) == ("read and cut", span.status.STATUS_CODE_ERROR)


def test_no_trace_has_a_recordings_name_also_not_prefects(collected: list[Span]) -> None:
    from prefect.client.schemas import TaskRun
    from prefect.states import Failed
    from prefect.telemetry.run_telemetry import RunTelemetry

    assert tracing._provider is not None
    telemetry = RunTelemetry(_tracer=tracing._provider.get_tracer("prefect"))
    run = TaskRun(task_key="a", dynamic_key="0", name="talk of Ada.wav · 0f3a11 · 1")
    telemetry.start_span(run, client=None)  # type: ignore[arg-type]
    telemetry.update_run_name("talk of Ada.wav · 0f3a11 · 2")
    telemetry.update_state(Failed(message="talk of Ada.wav is no recording"))
    telemetry.end_span_on_failure("talk of Ada.wav cannot be read")
    with pytest.raises(OSError, match="Ada"), tracing.span("read and cut", new_id(), 1):
        raise OSError("talk of Ada.wav is gone")
    tracing.stop()
    assert {span.name for span in collected} == {"task run", "read and cut"}
    assert {span.status.code for span in collected} == {Span().status.STATUS_CODE_ERROR}
    (told,) = [event for span in collected for event in span.events if event.name == "exception"]
    assert "OSError" in str(told)
    assert "Ada" not in str(collected)
