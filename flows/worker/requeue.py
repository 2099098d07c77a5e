"""Requeue a flow run whose process or worker is gone, a bounded number of times."""

import logging
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Cancelled, Crashed, Scheduled

from flows.worker.abandoned_runs import DEATHS, LOSSES

log = logging.getLogger(__name__)

BOUNDS = {DEATHS: 4, LOSSES: 10}
"""How often a run's process may die, or its worker disappear, before the run crashes."""


async def requeue_run(client: PrefectClient, flow_run_id: UUID, why: str, *, label: str) -> None:
    """Requeue a run for any free worker, and count it under the label.

    A run that is being cancelled is cancelled, and one that has ended is not changed.
    """
    run = await client.read_flow_run(flow_run_id)
    if run.state is None or run.state.is_final() or run.state.is_scheduled():
        return
    if run.state.type is StateType.CANCELLING:
        await client.set_flow_run_state(run.id, Cancelled(message="Cancelled; its process was ended"), force=True)
        return
    times, bound = int(run.labels.get(label, 0)) + 1, bound_of(run, label)
    await client.update_flow_run_labels(run.id, {label: times})
    state: State[Any] = Scheduled(message=f"Put back, {why} ({times} of {bound} times)")
    if times >= bound:
        state = Crashed(message=f"Given up after {times} times: {why}")
    log.warning("flow run %s: %s", run.name, state.message)
    await client.set_flow_run_state(run.id, state, force=True)


def bound_of(run: FlowRun, label: str) -> int:
    """Return how often this may happen.

    What kills a process with several clips in hand is found when they go on one by one.
    """
    return 1 if label == DEATHS and "clips" in run.parameters else BOUNDS[label]


async def fail_run(client: PrefectClient, flow_run_id: UUID, problem: str) -> None:
    """Mark a run that could not be started as crashed, unless it has ended."""
    run = await client.read_flow_run(flow_run_id)
    if run.state is None or not run.state.is_final():
        await client.set_flow_run_state(run.id, Crashed(message=problem), force=True)
