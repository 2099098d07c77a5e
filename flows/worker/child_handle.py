"""A worker's handle on its resident child: start it, hand it runs, restart it."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psutil

from flows.platform import processes
from flows.platform.prefect_address import NO_QUESTIONS
from storage.files import temporary_files
from tasks.models.devices import engine_environment

log = logging.getLogger(__name__)
READY_WITHIN_S = 120.0
RESTART_AFTER_S = 3.0
"""Delay before the next attempt if the process did not become ready."""


class ChildLost(Exception):
    """The child ended while it held the run.

    `by_worker` says that its worker ended it because of one of its runs.
    """

    def __init__(self, why: str, *, by_worker: bool = False) -> None:
        super().__init__(why)
        self.by_worker = by_worker


class ServerLost(Exception):
    """The Prefect server was unavailable when the child had to report about the run."""


class Child:
    """One resident process and its current runs; it is replaced, never repaired."""

    def __init__(
        self,
        *,
        name: str,
        pool: str,
        device: str,
        slots: int,
        preload: tuple[str, ...],
        on_message: Callable[..., None],
        ready_within_s: float = READY_WITHIN_S,
        restart_after_s: float = RESTART_AFTER_S,
        rests_after_s: float | None = None,
    ) -> None:
        """With `rests_after_s`, there is no process before the first run.

        It ends after so long without a run.
        """
        self.name, self.pool, self.device, self.slots, self.preload = name, pool, device, slots, preload
        self._ready_within_s, self._restart_after_s = ready_within_s, restart_after_s
        self._rests_after_s, self.resting, self._is_to_rest = rests_after_s, False, False
        self._on_message = on_message
        self._process: processes.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._runs: dict[UUID, asyncio.Future[str | None]] = {}
        self.stopping = False
        self.runs_done = 0
        self._replacing = self._ended_for_another = False
        self._waking: asyncio.Task[None] | None = None
        self._rest_timer: asyncio.TimerHandle | None = None

    @property
    def takes_runs(self) -> bool:
        """Whether a run begins at once: the process is ready, or rests."""
        return self.pid is not None or self.resting

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._ready.is_set() else None

    @property
    def holds(self) -> set[UUID]:
        return set(self._runs)

    @property
    def memory_bytes(self) -> int:
        """The resident memory of the process; 0 while there is none."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss) if self.pid is not None else 0
        except psutil.Error:
            return 0

    def replace(self) -> None:
        """Replace the process, which holds no run; runs that come meanwhile get the next one."""
        self._replacing, self.runs_done = True, 0
        self._ready.clear()
        self.kill()

    async def begin(self) -> None:
        """Sweep temporary files, and start the process, unless it rests until the first run."""
        await asyncio.to_thread(temporary_files.sweep)
        if self._rests_after_s is None:
            await self.start()
        else:
            self.resting = True

    def _wake(self) -> None:
        self._is_to_rest = False
        if self._rest_timer is not None:
            self._rest_timer.cancel()
        if self.resting and not self.stopping:
            self.resting = False
            self._waking = asyncio.create_task(self._start_again())

    def _rest_later(self) -> None:
        if self._rests_after_s is not None and not self._runs:
            self._rest_timer = asyncio.get_running_loop().call_later(self._rests_after_s, self._rest)

    def _rest(self) -> None:
        """End the process, which has had no run for a while."""
        if not self._runs and self.pid is not None:
            log.info("the resident process %s of %s had nothing to do, and ends", self.pid, self.name)
            self._is_to_rest = True
            self.replace()

    async def start(self) -> None:
        """Start the process, which is killed if it is not ready in time."""
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "flows.worker.child_main", "--fd", processes.PASSED]
        command += ["--name", self.name, "--pool", self.pool, "--device", self._device_there]
        command += ["--slots", str(self.slots), "--preload", *self.preload]
        try:
            with theirs:
                self._process = await processes.start(command, env=self._environment(), passes=theirs)
        except OSError:
            ours.close()
            raise
        reader, self._writer = await asyncio.open_unix_connection(sock=ours, limit=2**24)
        self._reading = asyncio.create_task(self._read(reader, self._process))
        if self.stopping:  # since the start began
            self.kill()
        asyncio.get_running_loop().call_later(self._ready_within_s, self._end_if_late, self._process)

    def _end_if_late(self, process: processes.Process) -> None:
        if process is self._process and process.returncode is None and not self._ready.is_set():
            late = "the resident process of %s was not ready within %g s; ending it"
            log.warning(late, self.name, self._ready_within_s)
            self.kill()

    async def _start_again(self) -> None:
        """Start the next process, retrying while the machine refuses (memory, open files)."""
        while not self.stopping:
            try:
                await self.start()
                return
            except OSError as error:
                log.warning("%s got no resident process (%s); again in %g s", self.name, error, self._restart_after_s)
            await asyncio.sleep(self._restart_after_s)

    @property
    def _device_there(self) -> str:
        return "cuda:0" if self.device.startswith("cuda") else self.device

    def _environment(self) -> dict[str, str]:
        """Return the environment for an engine that sees its own device alone, as number 0."""
        number = int(self.device.partition(":")[2] or 0)
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        if not self.device.startswith("cuda"):
            seen = ""
        else:
            seen = visible.split(",")[number].strip() if visible else str(number)
        own_device = {"CUDA_VISIBLE_DEVICES": seen, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        return {**engine_environment(os.environ), **own_device, **NO_QUESTIONS}

    async def _read(self, reader: asyncio.StreamReader, process: processes.Process) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                message = json.loads(line)
                if message["op"] == "ready":
                    self._ready.set()
                elif message["op"] == "done":
                    self._finish(UUID(message["id"]), message["problem"], passing=message["passing"])
                self._on_message(message)
        await self._lost(process)

    def _finish(self, flow_run_id: UUID, problem: str | None, *, passing: bool) -> None:
        self.runs_done += 1
        future = self._runs.get(flow_run_id)
        if future is None or future.done():
            return
        if passing:
            future.set_exception(ServerLost(problem))
        else:
            future.set_result(problem)

    async def _lost(self, process: processes.Process) -> None:
        """Report every run as lost, then start the next process."""
        was_ready, replaced = self._ready.is_set() or self._replacing, self._replacing
        self._replacing, self.runs_done = False, 0
        self._ready.clear()
        self.kill()
        if self._writer is not None:
            self._writer.close()
        status = await process.wait()
        for future in self._runs.values():
            if not future.done():
                why = f"process {process.pid} ended with status {status}"
                future.set_exception(ChildLost(why, by_worker=self._ended_for_another))
        await asyncio.to_thread(temporary_files.sweep)
        self._ended_for_another = False
        if self._is_to_rest:
            self._is_to_rest, self.resting = False, True
        elif not self.stopping:
            if not replaced:
                log.warning("the resident process of %s ended with status %s; starting another", self.name, status)
            await asyncio.sleep(0.2 if was_ready else self._restart_after_s)
            await self._start_again()

    async def run(self, flow_run_id: UUID, flow_run_json: str, entrypoint: str) -> str | None:
        """Hand over one run and wait; return why it could not be run, or None.

        Raises:
            ChildLost: the process died during the run.
            ServerLost: the run was interrupted because the Prefect server was unavailable.
        """
        self._wake()
        async with asyncio.timeout(READY_WITHIN_S):
            await self._ready.wait()
        if self.stopping:
            raise ChildLost("the worker is stopping")
        future: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._runs[flow_run_id] = future
        try:
            self.tell(op="run", flow_run=flow_run_json, entrypoint=entrypoint)
            return await future
        finally:
            del self._runs[flow_run_id]
            self._rest_later()

    def tell(self, **message: Any) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")

    def kill_for_one(self) -> None:
        """Kill the process because of one run; the others do not count that as theirs."""
        self._ended_for_another = True
        self.kill()

    def kill(self) -> None:
        """Kill the process; its runs are reported as lost, and a new one starts.

        When stopping, no new process starts.
        """
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(
                    self._process.pid, signal.SIGKILL
                )  # Process.kill() would race the event loop for the exit status

    async def stop(self) -> None:
        self.stopping = True
        self._ready.set()  # callers that wait for the process continue, and are refused
        self.kill()
        if self._waking is not None:
            await self._waking
        while self._reading is not None and not self._reading.done():  # the end of one may have begun the next
            await self._reading
