"""A flow that submits span tasks to its task runner, which copies the flow to its workers."""

from typing import Any

from prefect import flow

from flows.runs.cluster_spans import transcribe_span_on_cluster


@flow(name="spans")
def all_spans(spans: list[dict[str, Any]]) -> None:
    """Submit all, and wait for them.

    Raises:
        RuntimeError: a span did not end well.
    """
    futures = [transcribe_span_on_cluster.submit(each["index"], each) for each in spans]
    for future in futures:
        future.wait()
        if not future.state.is_completed():
            raise RuntimeError(f"a span ended as {future.state!r}")
