"""The warm worker against a real server: fast, bounded, cancellable, without orphans."""

import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from flows.worker.warm_worker import WarmWorker
from tests.flows.conftest import ROOT, Server, Worker
from tests.waiting import until


def cold_start_s() -> float:
    """Return what a new process takes here and now to import what a flow run needs; the figures are in benchmarks/."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "import prefect.flow_engine, flows.worker.child_main"], check=True, cwd=ROOT)
    return time.monotonic() - started


def written(path: Path) -> str:
    """Return what a small flow writes, once it has."""
    text: str = until(lambda: path.exists() and path.read_text())
    return text


def test_a_run_starts_soon_after_it_is_submitted(server: Server, worker: Worker, tmp_path: Path) -> None:
    delays_s = []
    for name in ("one", "two", "three", "four", "five"):
        submitted = time.time()
        server.start("mark", folder=str(tmp_path), name=name)
        delays_s.append(float(written(tmp_path / name)) - submitted)

    assert statistics.median(delays_s) < cold_start_s()


def test_runs_go_side_by_side_in_one_process(server: Server, worker: Worker, tmp_path: Path) -> None:
    runs = [server.start("patient", folder=str(tmp_path), name=f"{number}", seconds=60) for number in range(3)]

    pids = {written(tmp_path / f"{number}") for number in range(3)}
    for run in runs:
        server.set_state(run, "CANCELLING")

    assert pids == {str(worker.child().pid)}
    assert {server.end(run)["state_type"] for run in runs} == {"CANCELLED"}
    assert worker.child().pid == int(pids.pop())


def test_a_run_that_waits_takes_the_slot_that_comes_free(server: Server, worker: Worker, tmp_path: Path) -> None:
    holders = [server.start("patient", folder=str(tmp_path), name=f"{number}", seconds=60) for number in range(4)]
    for number in range(4):
        written(tmp_path / f"{number}")
    server.start("mark", folder=str(tmp_path), name="waits")
    time.sleep(0.5)
    assert not (tmp_path / "waits").exists()
    server.start("mark", folder=str(tmp_path), name="quick", tags=("quick",))
    assert written(tmp_path / "quick")
    assert not (tmp_path / "waits").exists()

    freed = time.time()
    for run in holders:
        server.set_state(run, "CANCELLING")

    assert float(written(tmp_path / "waits")) - freed < 2 * cold_start_s()


def test_a_killed_child_is_replaced_and_its_run_completes(server: Server, worker: Worker, tmp_path: Path) -> None:
    before = worker.child().pid

    run = server.end(server.start("lethal", folder=str(tmp_path), name="tries", deaths=1))

    assert run["state_type"] == "COMPLETED"
    assert (tmp_path / "tries").read_text() == "xx"
    assert run["labels"]["transcriber.deaths"] == 1
    assert worker.child().pid != before


def test_a_run_that_kills_its_process_again_and_again_is_given_up(
    server: Server, worker: Worker, tmp_path: Path
) -> None:
    run = server.end(server.start("lethal", folder=str(tmp_path), name="tries", deaths=99))

    assert run["state_type"] == "CRASHED"
    assert "Given up after 4 times" in run["state"]["message"]
    assert (tmp_path / "tries").read_text() == "xxxx"


def test_a_killed_worker_takes_its_child_along_and_the_next_one_takes_up_its_run_until_it_is_stopped(
    server: Server, start_worker: Callable[[str], Worker], tmp_path: Path
) -> None:
    first = start_worker("mortal")
    until(lambda: server.http.get("/work_pools/mortal").is_success)
    run = server.start("patient", pool="mortal", queue="default", folder=str(tmp_path), name="pid", seconds=300)
    child = psutil.Process(int(written(tmp_path / "pid")))

    first.stop(signal.SIGKILL)
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, within_s=30)
    (tmp_path / "pid").unlink()
    second = start_worker("mortal")
    next_child = psutil.Process(int(written(tmp_path / "pid")))
    assert server.run(run)["labels"]["transcriber.losses"] == 1

    assert second.stop() == 0

    assert server.run(run)["state_type"] == "SCHEDULED"
    assert not next_child.is_running()


SLOW_CLOCK = """
from datetime import timedelta
from storage.domain import clock
right = clock.utc_now
clock.utc_now = lambda: right() - timedelta(hours=1)
"""


def test_a_worker_whose_clock_is_an_hour_slow_takes_work_when_it_is_due(
    server: Server, start_worker: Callable[..., Worker], tmp_path: Path
) -> None:
    slow = start_worker("slow", SLOW_CLOCK)
    until(lambda: server.http.get("/work_pools/slow").is_success)
    run = server.start("mark", pool="slow", queue="default", folder=str(tmp_path), name="done")
    assert server.end(run)["state_type"] == "COMPLETED"
    assert re.search(r"server's clock differs from ours by \+(3599|360\d) s", slow.log.read_text())
    slow.stop()


def test_a_worker_stops_in_time_though_the_server_hangs(
    server: Server, server_process: subprocess.Popen[bytes], start_worker: Callable[[str], Worker]
) -> None:
    def beats() -> list[str]:
        return [
            each["last_heartbeat_time"] for each in server.http.post("/work_pools/cpu/workers/filter", json={}).json()
        ]

    before, worker = beats(), start_worker("cpu")
    until(lambda: len(beats()) > len(before))

    server_process.send_signal(signal.SIGSTOP)
    try:
        assert worker.stop(within_s=45) == 0  # before a request to the server is given up, which takes a minute
    finally:
        server_process.send_signal(signal.SIGCONT)


async def test_no_integration_of_prefect_is_imported_to_be_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> None:
        raise AssertionError("each one that is installed would be imported")

    monkeypatch.setattr("prefect.workers.base.load_prefect_collections", load)
    await WarmWorker._worker_metadata(WarmWorker.__new__(WarmWorker))
