"""The resident process of one device, which runs its worker's flow runs.

One event loop runs all flows; engine calls run in threads. The worker replaces the process when it dies, and it ends
with its worker.
"""

import argparse
import asyncio
import contextlib
import functools
import importlib
import json
import logging
import os
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from flows.runs.process_state import Resident, current, install
from flows.worker import suspension
from storage.media.parent_death import die_with_supervisor
from storage.remote import tracing

log = logging.getLogger(__name__)

THREADS = 32
SWEEP_EVERY_S = 30.0


class WorkerConnection:
    """The child's end of the socket: one JSON object per line in each direction."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._lock = threading.Lock()

    def say(self, **message: Any) -> None:
        with self._lock:
            self._socket.sendall(json.dumps(message).encode() + b"\n")

    def listen(self, loop: asyncio.AbstractEventLoop, messages: "asyncio.Queue[dict[str, Any]]") -> None:
        """Forward messages to the event loop; end the process when the worker is gone."""
        # a killed worker may leave half a line, or what was said to it unread, which resets the connection
        with contextlib.suppress(OSError, ValueError), self._socket.makefile("rb") as lines:
            for line in lines:
                loop.call_soon_threadsafe(messages.put_nowait, json.loads(line))
        os._exit(0)


@functools.cache
def load_flow(entrypoint: str) -> Any:
    """Import a flow by its entrypoint, `flows/flows/diarize.py:tell_speakers_apart`, once per process."""
    path, _, name = entrypoint.rpartition(":")
    module = ".".join(PurePosixPath(path).with_suffix("").parts) if path.endswith(".py") else path
    return getattr(importlib.import_module(module), name)


async def run_one(line: WorkerConnection, flow_run_json: str, entrypoint: str) -> None:
    """Run one flow run to its final state and report to the worker."""
    from prefect.client.schemas.objects import FlowRun
    from prefect.exceptions import Abort, Pause
    from prefect.flow_engine import run_flow

    from flows.runs.prefect_retry import is_passing

    flow_run = FlowRun.model_validate_json(flow_run_json)
    current().flag(flow_run.id)
    problem, passing = None, False
    try:
        flow = load_flow(entrypoint)
        current().begin_ahead(flow_run, flow.name)
        await run_flow(flow, flow_run=flow_run, return_type="state")  # type: ignore[misc]
    except (Abort, Pause):
        log.info("flow run %s was refused by the server; nothing to do", flow_run.name)
    except Exception as error:
        problem, passing = f"{type(error).__name__}: {error}", is_passing(error)
        log.log(
            logging.WARNING if passing else logging.ERROR,
            "flow run %s could not be run: %s",
            flow_run.name,
            problem,
            exc_info=not passing,
        )
    finally:
        current().forget(flow_run.id)
        line.say(op="done", id=str(flow_run.id), problem=problem, passing=passing)


async def prepare(line: WorkerConnection, model: str) -> None:
    """Load the default model, so that the first job does not wait for it."""
    try:
        await asyncio.to_thread(current().engine_pool().warm, model)
        line.say(op="warm", model=model, problem=None)
    except Exception as error:
        log.exception("model %s could not be loaded", model)
        line.say(op="warm", model=model, problem=str(error))


async def sweep(line: WorkerConnection) -> None:
    """Unload idle models; request a new process where only that frees their memory."""
    while True:
        await asyncio.sleep(SWEEP_EVERY_S)
        engines = current().engines
        if engines is None:
            continue
        if await asyncio.to_thread(engines.unload_idle):
            line.say(op="retire")
        await asyncio.to_thread(engines.trim_heap)


async def serve(line: WorkerConnection, preload: tuple[str, ...]) -> None:
    """Import what the first run needs, report ready, then execute messages until the socket closes."""
    from prefect.context import AsyncClientContext

    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    threading.Thread(target=line.listen, args=(loop, messages), name="line", daemon=True).start()
    loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="flow"))
    for entrypoint in preload:
        load_flow(entrypoint)
    working: set[asyncio.Task[None]] = set()
    async with AsyncClientContext.get_or_create():  # one connection pool for all runs
        line.say(op="ready", pid=os.getpid())
        working.add(asyncio.create_task(sweep(line)))
        if current().loads_engines:
            from flows.runs import clip_ahead

            working.add(asyncio.create_task(clip_ahead.listen(current())))
        while True:
            message = await messages.get()
            if message["op"] == "run":
                task = asyncio.create_task(run_one(line, message["flow_run"], message["entrypoint"]))
            elif message["op"] == "warm":
                task = asyncio.create_task(prepare(line, message["model"]))
            else:
                current().flag(UUID(message["id"])).raise_()
                continue
            working.add(task)
            task.add_done_callback(working.discard)


def keep_logs() -> None:
    """Write our own log records to standard error, in addition to Prefect's."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s | %(levelname)-7s | %(name)s - %(message)s", "%H:%M:%S"))
    for name in ("flows", "tasks", "storage"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
        logger.propagate = False


def main() -> None:
    """Entry point of `python -m flows.worker.child_main`, which only the worker starts."""
    parser = argparse.ArgumentParser()
    for name in ("--fd", "--slots"):
        parser.add_argument(name, type=int, required=True)
    for name in ("--name", "--pool", "--device"):
        parser.add_argument(name, required=True)
    parser.add_argument("--preload", nargs="*", default=[])
    arguments = parser.parse_args()
    die_with_supervisor()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the worker decides
    keep_logs()
    tracing.start(f"worker-{arguments.pool}")
    line = WorkerConnection(arguments.fd)
    resident = Resident(
        name=arguments.name,
        device=arguments.device,
        loads_engines=arguments.pool != "cpu",
        slots=arguments.slots,
    )
    resident.on_transcribed = lambda speech_s: line.say(op="transcribed", speech_s=speech_s)
    resident.on_engine_free = lambda run_id: line.say(op="engine_free", id=str(run_id))
    install(resident)
    suspension.leave_to_web_process()
    asyncio.run(serve(line, tuple(arguments.preload)))


if __name__ == "__main__":
    main()
