"""The Prefect server's SQLite under concurrent writers: no refusals, no hangs."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.flows.conftest import Server, Worker
from tests.waiting import PATIENCE_S

AT_ONCE, EACH = 4, 6
SLOWEST_S = 20.0


def test_runs_made_by_many_at_once_are_all_taken_soon(server: Server, worker: Worker, tmp_path: Path) -> None:
    deployment = server.deployments["mark", "cpu"]

    def make(number: int) -> float:
        body = {"parameters": {"folder": str(tmp_path), "name": f"{number}"}}
        started = time.monotonic()
        answer = httpx.post(f"{server.api_url}/deployments/{deployment}/create_flow_run", json=body, timeout=PATIENCE_S)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return time.monotonic() - started

    with ThreadPoolExecutor(AT_ONCE) as pool:
        taken_s = list(pool.map(make, range(AT_ONCE * EACH)))

    assert max(taken_s) < SLOWEST_S


def test_a_queue_can_be_paused_and_resumed(server: Server) -> None:
    queue = "/work_pools/cpu/queues/backfill"
    for paused in (True, False):
        answer = server.http.patch(queue, json={"is_paused": paused}, timeout=SLOWEST_S)
        assert answer.status_code == httpx.codes.NO_CONTENT
        assert server.http.get(queue).json()["is_paused"] is paused
