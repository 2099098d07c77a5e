"""A host as `transcriber up` is one, with a supervisor of the tests: `python -m tests.….small_host NAME`."""

import asyncio
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import psutil

from flows.platform import process_host, processes
from tests.flows.platform import forked_program
from tests.flows.platform.forked_program import command

PR_SET_CHILD_SUBREAPER = 36  # <sys/prctl.h>
ENVIRONMENT = {"PREFECT_API_URL": "http://127.0.0.1:1/api", "PREFECT_CLIENT_MAX_RETRIES": "7"}


def say(what: Any) -> None:
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


async def tell() -> int:
    """Print what two forks see, and how they ended."""
    told = []
    for number in (1, 2):
        env = {**os.environ, **ENVIRONMENT, "TRANSCRIBER_NUMBER": str(number), "LONG": "x" * 500}
        env |= {"PREFECT_CLIENT_MAX_RETRIES": str(6 + number)}
        fork = await processes.start(command("tell", "a word", str(number)), env=env, pipes=True)
        assert fork.stdout is not None
        assert fork.stderr is not None
        seen = json.loads(await fork.stdout.read())
        told.append(seen | {"logged": (await fork.stderr.read()).decode(), "status": await fork.wait()})
    say({"host": os.getppid(), "forks": told})
    return 0


async def line() -> int:
    """Print what comes over a socket that was passed on."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        fork = await processes.start(command("line", processes.PASSED), env=os.environ, passes=theirs)
        theirs.close()
        await fork.wait()
        say(ours.recv(100).decode())
    return 0


async def stay() -> int:
    """Start a fork that starts another; return 5 at SIGTERM. What is killed is said."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    fork = await processes.start(command("start another"), env=os.environ)
    say(fork.pid)
    ended = asyncio.create_task(fork.wait())
    await asyncio.wait({ended, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    if ended.done():
        say(ended.result())
        await stop.wait()
    return 5


async def leave_orphan() -> int:
    """Leave a process to the host, as its first process of a container gets it, and say when it has gone."""
    left = await asyncio.create_subprocess_shell("sleep 0.2 >&- & echo $!", stdout=subprocess.PIPE)
    orphan = int((await left.communicate())[0])
    while psutil.pid_exists(orphan):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.05)
    say("reaped")
    return 0


SUPERVISORS: dict[str, Callable[[], Awaitable[int]]] = {
    "tell": tell,
    "line": line,
    "stay": stay,
    "leave_orphan": leave_orphan,
}


def be_first_process() -> None:
    """Get orphans, as the first process of a container does."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    process_host.FIRST_PROCESS, process_host.ORPHANS_EVERY_S = os.getpid(), 0.1


async def supervise() -> int:
    return await SUPERVISORS[sys.argv[1]]()


def main() -> None:
    processes.PROGRAMS[forked_program.NAME] = forked_program.NAME
    if sys.argv[1] == "leave_orphan":
        be_first_process()
    assert process_host.preload({**os.environ, **ENVIRONMENT})
    sys.exit(process_host.host(lambda: asyncio.run(supervise()))())


if __name__ == "__main__":
    main()
