"""Takes names of recordings out of traces, and what errors say of them.

Prefect's spans have the name of their flow run, which is for people and begins with the recording's.
"""

from collections.abc import Sequence

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Status

PREFECT, RUN_NAME, RUN_TYPE = "prefect", "prefect.run.name", "prefect.run.type"
SAYING = {RUN_NAME, "prefect.state.message", "exception.message", "exception.stacktrace"}


class DiscreetExporter(SpanExporter):
    """Sends spans on without what could name a recording."""

    def __init__(self, sink: SpanExporter) -> None:
        self._sink = sink

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._sink.export([_discreet(span) for span in spans])

    def shutdown(self) -> None:
        self._sink.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._sink.force_flush(timeout_millis)


def _discreet(span: ReadableSpan) -> ReadableSpan:
    told, scope = span.attributes or {}, span.instrumentation_scope
    is_prefects = scope is not None and scope.name == PREFECT
    return ReadableSpan(
        name=f"{told.get(RUN_TYPE, 'flow')} run" if is_prefects else span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={key: value for key, value in told.items() if key not in SAYING},
        events=[_type_of_error(event) for event in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=scope,
    )


def _type_of_error(event: Event) -> Event:
    told = {key: value for key, value in (event.attributes or {}).items() if key not in SAYING}
    return Event(event.name, told, event.timestamp)
