"""Which runs are taken for left ones, on a real Prefect server."""

from uuid import UUID

from prefect.client.orchestration import PrefectClient

from flows.worker.abandoned_runs import find_abandoned
from tests.flows.conftest import Server

POOL = "left"


async def found(server: Server, worker: str, *, held: frozenset[UUID] = frozenset()) -> set[str]:
    async with PrefectClient(server.api_url) as client:
        runs = await find_abandoned(client, POOL, worker=worker, held=lambda: set(held))
    return {str(run.id) for run in runs}


async def test_a_run_whose_worker_was_killed_in_its_first_second_is_taken_up_at_once(server: Server) -> None:
    """It has no label yet that says whose it is; while another worker is there, it may be that one's."""
    server.http.post("/work_pools/", json={"name": POOL, "type": "warm"}).raise_for_status()
    run = server.start("mark", pool=POOL, queue="default")
    for state in ("PENDING", "RUNNING"):
        server.set_state(run, state)
    beats = f"/work_pools/{POOL}/workers/heartbeat"

    server.http.post(beats, json={"name": "the only one"}).raise_for_status()
    assert await found(server, "the only one") == {run}
    assert await found(server, "the only one", held=frozenset([UUID(run)])) == set()

    server.http.post(beats, json={"name": "another"}).raise_for_status()
    assert await found(server, "the only one") == set()
