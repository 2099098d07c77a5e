"""The administrator's pause of a queue, on a real Prefect server with a real warm worker."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from dashboards import prefect_pools
from tests.flows.conftest import Server, Worker


@pytest.fixture
def pools(server: Server) -> Iterator[None]:
    with temporary_settings({PREFECT_API_URL: server.api_url}):
        yield
        for queue in (None, "batch"):
            prefect_pools.pause("cpu", queue, paused=False)


@pytest.mark.parametrize("queue", ["batch", None])
def test_a_paused_queue_keeps_its_runs_until_it_goes_on(
    server: Server, worker: Worker, pools: None, tmp_path: Path, queue: str | None
) -> None:
    prefect_pools.pause("cpu", queue, paused=True)
    (cpu,) = [pool for pool in prefect_pools.all_pools() if pool.name == "cpu"]
    assert {one.name: one.paused for one in cpu.queues}["batch"] is (queue == "batch")
    assert cpu.paused is (queue is None)

    run = server.start("mark", queue="batch", folder=str(tmp_path), name="waits")
    time.sleep(6)
    assert server.run(run)["state_type"] == "SCHEDULED"

    prefect_pools.pause("cpu", queue, paused=False)
    assert server.end(run, within_s=60)["state_type"] == "COMPLETED"
