"""Pausing a work pool on a real Prefect server with a real warm worker."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from dashboards.clients import prefect_pools
from tests.flows.conftest import Server, Worker


@pytest.fixture
def pools(server: Server) -> Iterator[None]:
    with temporary_settings({PREFECT_API_URL: server.api_url}):
        yield
        prefect_pools.pause("cpu", paused=False)


def test_a_paused_pool_keeps_its_runs_until_it_goes_on(
    server: Server, worker: Worker, pools: None, tmp_path: Path
) -> None:
    prefect_pools.pause("cpu", paused=True)
    (cpu,) = [pool for pool in prefect_pools.all_pools() if pool.name == "cpu"]
    assert cpu.paused
    assert {"interactive", "batch", "backfill"} <= {queue.name for queue in cpu.queues}

    run = server.start("mark", queue="batch", folder=str(tmp_path), name="waits")
    time.sleep(6)
    assert server.run(run)["state_type"] == "SCHEDULED"

    prefect_pools.pause("cpu", paused=False)
    assert server.end(run)["state_type"] == "COMPLETED"
