#!/usr/bin/env bash
# Guess: asynchronous flow runs in one event loop leave each other alone, whether they come from a deployment or not: a
#   task that sleeps ten milliseconds beside them is never late by more than their own work, some tens of milliseconds.
# What happens: Prefect 3.9 gives each flow run of a deployment an observer of its suspension, a thread with an event
#   loop, a client and a websocket of its own. The engine waits for that thread with threading's Event.wait and
#   Thread.join in the event loop of the flow: at the start until the websocket is there, at the end until the thread
#   has woken from a sleep of 0.2 s. So every flow run stops all others of the process, for up to a fifth of a second at
#   its end alone. Flow runs without a deployment have no observer.
# Versions: prefect 3.9.1; Linux x86_64, Python 3.11
# Date: 2026-11-30
# Source: measured here; prefect/_flow_run_suspension.py (observe_flow_run_suspension)
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; wait; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check prefect==3.9.1
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export PREFECT_HOME="$folder/prefect" PREFECT_SERVER_ANALYTICS_ENABLED=false PREFECT_LOGGING_LEVEL=ERROR
"$folder/venv/bin/prefect" server start --host 127.0.0.1 --port "$port" >"$folder/server.log" 2>&1 &
server=$!
export PREFECT_API_URL="http://127.0.0.1:$port/api"
cat >"$folder/measure.py" <<'PYTHON'
import asyncio
import time
from collections.abc import Sequence
from importlib.metadata import version

import httpx
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.flow_engine import run_flow
from prefect.settings import get_current_settings

RUNS, LATE_S = 4, 0.05


@flow
async def rests() -> None:
    await asyncio.sleep(0.5)


async def stopped_s(runs: Sequence[FlowRun]) -> float:
    """Return for how long the event loop was late beyond LATE_S, all in all."""
    gaps: list[float] = []

    async def tick() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.01)
            gaps.append(time.perf_counter() - began)

    ticking = asyncio.create_task(tick())
    await asyncio.gather(*(run_flow(rests, flow_run=run) for run in runs))
    ticking.cancel()
    return sum(gap for gap in gaps if gap > LATE_S)


async def main() -> None:
    async with get_client() as client:
        deployment = await client.create_deployment(await client.create_flow(rests), name="rests")

        async def made(*, deployed: bool, count: int) -> list[FlowRun]:
            if deployed:
                return [await client.create_flow_run_from_deployment(deployment) for _ in range(count)]
            return [await client.create_flow_run(rests) for _ in range(count)]

        found = {}
        for deployed in (False, True):
            await stopped_s(await made(deployed=deployed, count=1))  # imports what only the first run does
            found[deployed] = await stopped_s(await made(deployed=deployed, count=RUNS))
    print(f"prefect {version('prefect')}, {RUNS} flow runs of half a second in one event loop, which stood still for "
          f"{found[False]:.2f} s without a deployment and for {found[True]:.2f} s with one")
    assert found[True] > found[False] + 0.05 * RUNS


address = f"{get_current_settings().api.url}/health"
for _ in range(600):
    try:
        if httpx.get(address).is_success:
            break
    except httpx.HTTPError:
        pass
    time.sleep(0.2)
asyncio.run(main())
PYTHON
"$folder/venv/bin/python" "$folder/measure.py"
