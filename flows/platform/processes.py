"""Start the platform's processes: forks of a host (`process_host`), or new interpreters."""

import asyncio
import json
import logging
import os
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

from storage.media.parent_death import SUPERVISOR

log = logging.getLogger(__name__)

PROGRAMS = {
    "flows.cli": "flows.cli.service_commands",
    "flows.platform.prefect_server": "flows.platform.prefect_server",
    "flows.worker.child_main": "flows.worker.child_main",
}
"""The modules of `python -m` that can be forked, and where their `main` is."""
PASSED = "{passed}"
"""Stands in a command for the number of the descriptor that is passed."""
LONGEST_LINE_BYTES = 2**20
MAX_MESSAGE_BYTES = 256 << 10
TOLD = struct.Struct("=ci")
BEGUN, ENDED = b"b", b"e"
"""What a host tells of a fork: that it has begun, with its process id, and that it has ended, with its status."""

_host: socket.socket | None = None


class Process(Protocol):
    """A process that was started, whichever way."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    @property
    def stdout(self) -> asyncio.StreamReader | None: ...
    @property
    def stderr(self) -> asyncio.StreamReader | None: ...
    async def wait(self) -> int: ...


def hosted_by(host: socket.socket | None) -> None:
    """Ask this host for processes from now on."""
    global _host  # noqa: PLW0603 - a process has one
    _host = host


def forks() -> bool:
    """Return whether starting a process takes milliseconds here, and little memory."""
    return _host is not None


async def start(
    command: Sequence[str], *, env: Mapping[str, str], passes: socket.socket | None = None, pipes: bool = False
) -> Process:
    """Start `python -m …` in a session of its own; it ends with this process.

    It reads nothing. Its output goes into pipes, or where ours goes. `passes` is open in it, under the number
    that stands in place of `PASSED`.
    """
    if _host is not None and command[0] == sys.executable and command[1] == "-m" and command[2] in PROGRAMS:
        forked = await _forked(_host, command, env, passes, pipes=pipes)
        if forked is not None:
            return forked
    output = asyncio.subprocess.PIPE if pipes else None
    descriptor = passes.fileno() if passes is not None else -1
    return await asyncio.create_subprocess_exec(
        *[str(descriptor) if each == PASSED else each for each in command],
        env={**env, SUPERVISOR: str(os.getpid())},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=[descriptor] if passes is not None else [],
        start_new_session=True,  # Ctrl-C is for the supervisor, which stops the others in order
        limit=LONGEST_LINE_BYTES,
    )


async def _forked(
    host: socket.socket, command: Sequence[str], env: Mapping[str, str], passes: socket.socket | None, *, pipes: bool
) -> "ForkOfHost | None":
    """Ask the host; return None if it forks nothing now. One that has gone is not asked again."""
    message = json.dumps({"command": list(command), "environment": dict(env)}).encode()
    status, its_status = socket.socketpair()
    outputs = [os.pipe(), os.pipe()] if pipes else []
    given = [write for _, write in outputs] or [sys.stdout.fileno(), sys.stderr.fileno()]
    try:
        socket.send_fds(
            host, [message], [its_status.fileno(), *given, *([passes.fileno()] if passes is not None else [])]
        )
    except (BrokenPipeError, ConnectionResetError):
        hosted_by(None)
    except OSError as error:
        log.warning("the host was not asked for a process, which is started by itself: %s", error)
    finally:
        its_status.close()
        for _, write in outputs:
            os.close(write)
    status.setblocking(False)
    told = await asyncio.get_running_loop().sock_recv(status, TOLD.size)
    kind, number = TOLD.unpack(told) if told else (ENDED, 0)
    if kind == ENDED:  # or it ended before it could say anything
        status.close()
        for read, _ in outputs:
            os.close(read)
        return None
    readers = [await _reader(read) for read, _ in outputs]
    return ForkOfHost(number, status, readers)


async def _reader(descriptor: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(LONGEST_LINE_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    return reader


class ForkOfHost:
    """A fork that our host made for us; the host tells us its status."""

    def __init__(self, pid: int, status: socket.socket, outputs: Sequence[asyncio.StreamReader]) -> None:
        self.pid = pid
        self.stdout = outputs[0] if outputs else None
        self.stderr = outputs[1] if outputs else None
        self.returncode: int | None = None
        self._status = status
        self._ending = asyncio.create_task(self._end())

    async def wait(self) -> int:
        """Wait for its end; return its status, below 0 for a signal."""
        return await asyncio.shield(self._ending)

    async def _end(self) -> int:
        told = await asyncio.get_running_loop().sock_recv(self._status, TOLD.size)
        self._status.close()
        self.returncode = TOLD.unpack(told)[1] if told else -9  # nothing outlives the host
        return self.returncode
