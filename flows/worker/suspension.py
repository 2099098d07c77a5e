"""Leaves out Prefect's observers of suspended flow runs.

Since Prefect 3.9, each flow run has one: a thread with an event loop, a client and a websocket. The engine waits for
its connection, and at the end for the thread, in the event loop that all runs of a process share, so that no other run
goes on meanwhile. The web process notices suspended runs for all workers (`dashboards/loops/reconciler.py`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def not_observed(*_: Any, **__: Any) -> Iterator[None]:
    """Stand for `prefect._flow_run_suspension.observe_flow_run_suspension`."""
    yield


def leave_to_web_process() -> None:
    """Do it for all flow runs of this process."""
    from prefect import flow_engine

    flow_engine.observe_flow_run_suspension = not_observed  # type: ignore[attr-defined] # imported there
