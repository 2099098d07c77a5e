"""Flow runs of a worker have no observers of their own."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from prefect import flow_engine

from flows.worker import suspension

OBSERVES = "observe_flow_run_suspension"


def test_prefects_engine_starts_no_thread_for_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    prefects: Callable[..., Any] = getattr(flow_engine, OBSERVES)  # another name in a later version fails here
    monkeypatch.setattr(flow_engine, OBSERVES, prefects)
    suspension.leave_to_web_process()
    before = threading.active_count()
    with getattr(flow_engine, OBSERVES)("a run", "a request"):
        assert threading.active_count() == before
