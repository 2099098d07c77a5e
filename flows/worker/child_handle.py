"""A worker's hold on its resident child: start it, hand it runs, notice its death, start it anew."""

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

log = logging.getLogger(__name__)
READY_WITHIN_S = 120.0
NO_QUESTIONS = {"PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false"}
"""The child gets ready while the server may still be starting."""
RESTART_AFTER_S = 3.0
"""Wait before another try when the process did not even get ready."""


class ChildLost(Exception):
    """The child ended while it held the run."""


class ServerLost(Exception):
    """The Prefect server was away when the child had to tell it something about the run."""


class Child:
    """One resident process and the runs that it holds now; replaced, never repaired."""

    def __init__(self, *, name: str, pool: str, device: str, preload: tuple[str, ...], on_message: Callable[..., None]):
        self.name, self.pool, self.device, self.preload = name, pool, device, preload
        self._on_message = on_message
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._runs: dict[UUID, asyncio.Future[str | None]] = {}
        self.stopping = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._ready.is_set() else None

    @property
    def holds(self) -> set[UUID]:
        return set(self._runs)

    async def start(self) -> None:
        """Start the process; it says by itself when it is ready, and is ended if it does not say so in time."""
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "flows.child", "--fd", str(theirs.fileno()), "--parent", str(os.getpid())]
        command += [
            "--name",
            self.name,
            "--pool",
            self.pool,
            "--device",
            self._device_there,
            "--preload",
            *self.preload,
        ]
        try:
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    *command, pass_fds=[theirs.fileno()], env=self._environment(), start_new_session=True
                )
        except OSError:
            ours.close()
            raise
        reader, self._writer = await asyncio.open_unix_connection(sock=ours, limit=2**24)
        self._reading = asyncio.create_task(self._read(reader, self._process))
        asyncio.get_running_loop().call_later(READY_WITHIN_S, self._end_if_late, self._process)

    def _end_if_late(self, process: asyncio.subprocess.Process) -> None:
        if process is self._process and not self._ready.is_set():
            log.warning("the resident process of %s was not ready within %g s; ending it", self.name, READY_WITHIN_S)
            self.kill()

    async def _start_again(self) -> None:
        """Start the next process, however often the machine refuses (no memory, too many files)."""
        while not self.stopping:
            try:
                await self.start()
                return
            except OSError as error:
                log.warning("%s got no resident process (%s); again in %g s", self.name, error, RESTART_AFTER_S)
            await asyncio.sleep(RESTART_AFTER_S)

    @property
    def _device_there(self) -> str:
        return "cuda:0" if self.device.startswith("cuda") else self.device

    def _environment(self) -> dict[str, str]:
        """Show the child its own device alone, where it is number 0."""
        number = int(self.device.partition(":")[2] or 0)
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        if not self.device.startswith("cuda"):
            seen = ""
        else:
            seen = visible.split(",")[number].strip() if visible else str(number)
        return {**os.environ, "CUDA_VISIBLE_DEVICES": seen, "CUDA_DEVICE_ORDER": "PCI_BUS_ID", **NO_QUESTIONS}

    async def _read(self, reader: asyncio.StreamReader, process: asyncio.subprocess.Process) -> None:
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
        future = self._runs.get(flow_run_id)
        if future is None or future.done():
            return
        if passing:
            future.set_exception(ServerLost(problem))
        else:
            future.set_result(problem)

    async def _lost(self, process: asyncio.subprocess.Process) -> None:
        """Give every run back as lost, then start the next process."""
        was_ready = self._ready.is_set()
        self._ready.clear()
        self.kill()
        if self._writer is not None:
            self._writer.close()
        status = await process.wait()
        for future in self._runs.values():
            if not future.done():
                future.set_exception(ChildLost(f"process {process.pid} ended with status {status}"))
        if not self.stopping:
            log.warning("the resident process of %s ended with status %s; starting another", self.name, status)
            await asyncio.sleep(0.2 if was_ready else RESTART_AFTER_S)
            await self._start_again()

    async def run(self, flow_run_id: UUID, flow_run_json: str, entrypoint: str) -> str | None:
        """Hand over one run and wait for its end; return what kept it from being run at all, else None.

        Raises:
            ChildLost: the process died with it.
            ServerLost: it could not be run to its end because the Prefect server was away.
        """
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

    def tell(self, **message: Any) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")

    def kill(self) -> None:
        """End the process now; its runs come back as lost and a new process starts, unless we are stopping."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)  # Process.kill() would race the loop for the exit status

    async def stop(self) -> None:
        self.stopping = True
        self._ready.set()  # whoever waits for the process goes on, and is turned away
        self.kill()
        if self._reading is not None:
            await self._reading
