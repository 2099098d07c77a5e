"""Find flow runs that look alive but are not: killed workers and undelivered cancellations."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort

DEATHS = "transcriber.deaths"
"""Label of a flow run: how many processes have died while running it."""
LOSSES = "transcriber.losses"
"""Label of a flow run: how often its whole worker has disappeared."""
WORKER = "prefect.worker.name"
ALL: Any = {"sort": FlowRunSort.ID_DESC, "limit": 200}
"""The server refuses the client's defaults; there are never more runs in flight."""
SILENT_FOR = timedelta(seconds=45)
"""A worker counts as dead after this long without its 10-second heartbeat."""


def _in_state(*types: StateType) -> FlowRunFilterState:
    return FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types)))


async def find_cancelling(client: PrefectClient, among: set[UUID]) -> list[FlowRun]:
    """Return the runs among these that are being cancelled."""
    if not among:
        return []
    cancelling = FlowRunFilter(id=FlowRunFilterId(any_=list(among)), state=_in_state(StateType.CANCELLING))
    return await client.read_flow_runs(flow_run_filter=cancelling, **ALL)


async def find_abandoned(
    client: PrefectClient, pool: str, *, worker: str, held: Callable[[], set[UUID]]
) -> list[FlowRun]:
    """Return the pool's runs that are pending or running without a live worker.

    A run labelled with this `worker` that it does not hold was left by an earlier process of the same name, and so was
    one without a label, as in its first second, where no other worker could have it. A run of another worker counts
    once that worker has been silent for `SILENT_FOR`.
    """
    runs = await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(state=_in_state(StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)),
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
        **ALL,
    )
    if not runs:
        return []
    alive = await _alive(client, pool)
    holding = held()
    return [run for run in runs if run.id not in holding and _is_abandoned(run, worker=worker, alive=alive)]


async def _alive(client: PrefectClient, pool: str) -> set[str]:
    since = datetime.now(UTC) - SILENT_FOR
    workers = await client.read_workers_for_work_pool(pool, limit=200, offset=0)
    return {each.name for each in workers if each.last_heartbeat_time and each.last_heartbeat_time > since}


def _is_abandoned(run: FlowRun, *, worker: str, alive: set[str]) -> bool:
    name = run.labels.get(WORKER)
    if name == worker or (name is None and alive == {worker}):
        return True
    settled = run.state is not None and datetime.now(UTC) - run.state.timestamp > SILENT_FOR
    return settled and name not in alive
