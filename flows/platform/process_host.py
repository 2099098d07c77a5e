"""Fork the platform's processes from one that has imported what they have in common.

An interpreter of its own spends seconds on imports, and has 60 MB for Prefect's client alone; forks share those pages.
On Linux, `transcriber up` is such a host: it imports, forks its supervisor, and then whatever the supervisor and the
workers ask for (`processes.start`). It has one thread and opens no connection. What it forked ends with it, and with
the process that asked.
"""

import asyncio
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn
from uuid import UUID

from flows.platform import deploy, process_title, processes
from flows.platform.processes import BEGUN, ENDED, MAX_MESSAGE_BYTES, PASSED, TOLD
from storage.media.parent_death import SUPERVISOR, die_with
from storage.remote.certificates import usual_tls
from tasks.models.devices import fill_heap, one_heap

_preloaded_for: dict[str, str] = {}
Program = Callable[[], int]

COMMON = (
    "cryptography.fernet",
    "fastapi",
    "uvicorn.main",
    "prefect.client.orchestration",
    "prefect.events.clients",
    "prefect.flow_engine",
    "prefect.workers.base",
    "flows.worker.run_worker",
    "flows.worker.child_main",
    "flows.flows.export_transcript",
    "flows.flows.transcribe_clips",
    "flows.flows.transcribe_recording",
    "flows.flows.transcribe_span",
)
"""What several of the processes import."""
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""NumPy would start threads, and a process with threads cannot be forked safely."""
LEAST_DESCRIPTORS, MOST_DESCRIPTORS = 3, 4
"""The socket for its status, its two outputs, and one that is passed on."""
FIRST_PROCESS, ORPHANS_EVERY_S = 1, 10.0
FORWARDED = (signal.SIGINT, signal.SIGTERM)


def host(supervise: Program) -> Program:
    """Fork `supervise` and all that is asked for, until it ends.

    Returns in each of the processes, with the work that is left to it: here, to return the supervisor's status. What is
    open around the call should be closed first.
    """
    with _Forks() as forks:
        return forks.fork_supervisor(supervise) or forks.serve()


@dataclass(slots=True, kw_only=True)
class _Fork:
    """A process, and two sockets: it asks over one; its asker hears the other."""

    pid: int
    pidfd: int
    asks: socket.socket
    told: socket.socket | None
    asker: "_Fork | None"

    def close(self) -> None:
        os.close(self.pidfd)
        self.asks.close()
        if self.told is not None:
            self.told.close()


class _Forks:
    """The processes that were forked and run."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._running: dict[int, _Fork] = {}
        self._host = os.getpid()

    def __enter__(self) -> "_Forks":
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for each in self._running.values():
            each.close()

    def fork_supervisor(self, supervise: Program) -> Program | None:
        """Fork the supervisor, which stays in this session, so that Ctrl-C reaches it."""
        if self._fork(None, None):
            process_title.show([sys.executable, "-m", "flows.platform.supervisor"])
            return supervise
        for number in FORWARDED:
            signal.signal(number, self._forward)
        return None

    def serve(self) -> Program:
        """Fork and reap until the supervisor has ended."""
        (supervisor,) = self._running.values()
        pause_s = ORPHANS_EVERY_S if self._host == FIRST_PROCESS else None
        while True:
            found = self._selector.select(pause_s)
            self._reap_orphans()
            for key, _ in found:
                fork: _Fork = key.data
                if self._running.get(fork.pid) is not fork:
                    continue  # it was reaped a moment ago
                if key.fileobj is fork.asks:
                    if program := self._answer(fork):
                        return program
                else:
                    status = self._reap(fork)
                    if fork is supervisor:
                        self._end_all()
                        return partial(int, status if status >= 0 else 128 - status)

    def _answer(self, asker: _Fork) -> Program | None:
        """Fork what is asked for; return its program in the new process, None here."""
        message, descriptors, _, _ = socket.recv_fds(asker.asks, MAX_MESSAGE_BYTES, MOST_DESCRIPTORS)
        if not message:
            self._selector.unregister(asker.asks)
            return None
        if len(descriptors) < LEAST_DESCRIPTORS:  # there was no room for more
            for each in descriptors:
                os.close(each)
            return None
        told, *given = descriptors
        if self._fork(asker, socket.socket(fileno=told)):
            return _begin(message, given, self._host)
        for each in given:
            os.close(each)
        return None

    def _fork(self, asker: _Fork | None, told: socket.socket | None) -> bool:
        """Fork; return whether this is the new process."""
        asks, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)  # until a new process has handlers of its own
        try:
            pid = os.fork()
        except OSError as error:
            sys.stderr.write(f"no process could be forked: {error}\n")
            pid = -1
        if not pid:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            die_with(self._host)
            asks.close()
            if told is not None:
                os.setsid()  # before anybody can send a signal to its group
                told.send(TOLD.pack(BEGUN, os.getpid()))
                told.close()
            processes.hosted_by(its_end)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        if not pid:
            return True
        its_end.close()
        if pid < 0:
            asks.close()
            if told is not None:
                told.close()
            return False
        fork = _Fork(pid=pid, pidfd=os.pidfd_open(pid), asks=asks, told=told, asker=asker)
        self._running[pid] = fork
        for readable in (fork.asks, fork.pidfd):
            self._selector.register(readable, selectors.EVENT_READ, fork)
        return False

    def _reap(self, fork: _Fork) -> int:
        """Tell who asked for a process its status, and end what it asked for."""
        del self._running[fork.pid]
        for readable in (fork.asks, fork.pidfd):
            with suppress(KeyError):
                self._selector.unregister(readable)
        _, wait_status = os.waitpid(fork.pid, 0)
        status = os.waitstatus_to_exitcode(wait_status)
        if fork.told is not None:
            with suppress(OSError):  # who asked has ended, too
                fork.told.send(TOLD.pack(ENDED, status))
        fork.close()
        for each in self._running.values():
            if each.asker is fork:
                signal.pidfd_send_signal(each.pidfd, signal.SIGKILL)
        return status

    def _reap_orphans(self) -> None:
        """Reap what others have started and left, which the first process of a container gets."""
        while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if ended.si_pid in self._running:  # its descriptor says so next
                return
            os.waitpid(ended.si_pid, 0)

    def _end_all(self) -> None:
        for each in self._running.values():
            signal.pidfd_send_signal(each.pidfd, signal.SIGKILL)
        for each in list(self._running.values()):
            self._reap(each)

    def _forward(self, number: int, _: object) -> None:
        supervisor = next(iter(self._running.values()), None)
        if supervisor is not None:
            signal.pidfd_send_signal(supervisor.pidfd, number)


def preload(environment: Mapping[str, str]) -> bool:
    """Import what processes have in common; return whether they can be forked then."""
    if not _can_be_host():
        return False
    own = dict(os.environ)
    _preloaded_for.update(of_prefect(environment))
    gc.disable()  # a collection would leave holes in pages that are shared later
    try:
        _set_environment({**environment, **ONE_THREAD})
        one_heap()
        for name in COMMON:
            importlib.import_module(name)
        asyncio.run(_use_once())
    finally:
        _set_environment(own)
        gc.collect()
        fill_heap()
        gc.freeze()
        gc.enable()
    threads = sum(1 for _ in Path("/proc/self/task").iterdir())
    if threads > 1:
        sys.stderr.write(f"imports have started {threads - 1} threads; processes are not forked\n")
    return threads == 1


def _can_be_host() -> bool:
    """Return whether the system has what a host needs.

    That is pidfds, /proc, and an end with one's parent. Some builds of Python leave pidfds out, and some sandboxes
    refuse them: https://github.com/astral-sh/uv/issues/9374
    """
    try:
        own = os.pidfd_open(os.getpid())
        try:
            signal.pidfd_send_signal(own, 0)
        finally:
            os.close(own)
    except (AttributeError, OSError):
        return False
    return sys.platform == "linux" and Path("/proc/self/task").is_dir()


def of_prefect(environment: Mapping[str, str]) -> dict[str, str]:
    """Return Prefect's settings, which it reads once, when it is imported."""
    ours = {name: value for name, value in environment.items() if name.startswith("PREFECT_")}
    return {name: value for name, value in ours.items() if not name.startswith("PREFECT__")}


async def _use_once() -> None:
    """Do once what builds or imports something at first use, for all forks."""
    from httpx import AsyncHTTPTransport, RequestError
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

    usual_tls()
    deploy.read(deploy.PREFECT_YAML)
    FlowRun.model_validate_json(FlowRun(flow_id=UUID(int=0)).model_dump_json())
    nobody = AsyncHTTPTransport(uds=os.devnull)
    async with PrefectClient("http://localhost/api", httpx_settings={"transport": nobody}) as client:
        with suppress(RequestError):
            await client._client.get("/health")


def _begin(message: bytes, descriptors: list[int], host: int) -> Program:
    """Make a fork what an interpreter that was started with this command would be."""
    asked = json.loads(message)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    for number, descriptor in enumerate((nowhere, *descriptors[:2])):
        os.dup2(descriptor, number)
        if descriptor != number:  # as where `up` was started without a standard input
            os.close(descriptor)
    for passed in descriptors[2:]:
        os.set_inheritable(passed, False)
    command = [str(descriptors[2]) if each == PASSED else each for each in asked["command"]]
    _set_environment({**asked["environment"], SUPERVISOR: str(host)})
    process_title.show(command)
    sys.argv = command[2:]
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    if of_prefect(asked["environment"]) != _preloaded_for:
        from prefect.context import refresh_global_settings_context

        refresh_global_settings_context()  # takes 5 MB, since it goes through hundreds of objects
    return partial(_run, command[2])


def _set_environment(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def _run(module: str) -> NoReturn:
    """Run a program as `python -m module` would."""
    program = importlib.import_module(processes.PROGRAMS[module])
    sys.exit(program.main())
