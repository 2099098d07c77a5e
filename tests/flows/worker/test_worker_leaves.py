"""A worker that leaves or renews itself: drained by SIGTERM, stopped by a second one, recycled between runs."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.flows.conftest import Server, Worker
from tests.flows.worker.test_warm_worker import written
from tests.waiting import PATIENCE_S, until

RECYCLED = "import os; os.environ['TRANSCRIBER_RECYCLE_RUNS'] = '1'"


def test_a_drained_worker_finishes_its_run_and_a_second_signal_stops_it_at_once(
    server: Server, start_worker: Callable[..., Worker], tmp_path: Path
) -> None:
    first = start_worker("leaving", RECYCLED)
    until(lambda: server.http.get("/work_pools/leaving").is_success)
    where: dict[str, Any] = {"pool": "leaving", "queue": "default", "folder": str(tmp_path)}
    pids = []
    for name in ("one", "two"):  # a process for each run, and nothing is lost between them
        run = server.end(server.start("patient", name=name, seconds=0.1, **where))
        assert (run["state_type"], "transcriber.deaths" in run["labels"]) == ("COMPLETED", False)
        pids.append(written(tmp_path / name))
        replaced = f"replaces its resident process {pids[-1]}: its runs reached 1"
        until(lambda replaced=replaced: replaced in first.log.read_text())  # type: ignore[misc]
    assert pids[0] != pids[1]

    in_hand = server.start("patient", name="in hand", seconds=4, **where)
    written(tmp_path / "in hand")
    first.process.send_signal(signal.SIGTERM)
    until(lambda: "takes no more runs" in first.log.read_text())
    later = server.start("mark", name="later", **where)
    assert first.process.wait(PATIENCE_S) == 0
    assert server.run(in_hand)["state_type"] == "COMPLETED"
    assert server.run(later)["state_type"] == "SCHEDULED"

    second = start_worker("leaving")
    assert server.end(later)["state_type"] == "COMPLETED"
    long = server.start("patient", name="long", seconds=300, **where)
    written(tmp_path / "long")
    second.process.send_signal(signal.SIGTERM)
    until(lambda: "takes no more runs" in second.log.read_text())
    assert server.run(long)["state_type"] == "RUNNING"
    assert second.stop(signal.SIGTERM) == 0
    assert server.run(long)["state_type"] == "SCHEDULED"
