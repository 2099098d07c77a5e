"""What the tests of forks run in them: it tells what it sees of itself, or stays, perhaps with another."""

import asyncio
import json
import os
import random
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from flows.platform import processes

NAME = __name__


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", NAME, *arguments]


def seen() -> dict[str, Any]:
    """Return what has to be a process's own, and what it shares."""
    import numpy as np  # in the host, it would start threads
    from prefect.settings import get_current_settings

    umask = os.umask(0o077)
    os.umask(umask)
    shared = dict(line.split(":") for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    descriptors = sorted(int(each.name) for each in Path("/proc/self/fd").iterdir() if each.exists())
    return {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "session": os.getsid(0),
        "arguments": sys.argv[1:],
        "environment": dict(os.environ),
        "shown": [each for each in Path("/proc/self/cmdline").read_text().split("\0") if each],
        "shown_environment": [each for each in Path("/proc/self/environ").read_text().split("\0") if each],
        "umask": umask,
        "folder": str(Path.cwd()),
        "input": sys.stdin.read(),
        "open": descriptors,
        "random": [random.random(), float(np.random.default_rng().random())],  # noqa: S311
        "prefect": [str(get_current_settings().api.url), get_current_settings().client.max_retries],
        "threads": threading.active_count(),
        "shared_mb": sum(int(shared[name].split()[0]) for name in ("Shared_Clean", "Shared_Dirty")) / 1000,
        "own_mb": int(shared["Private_Dirty"].split()[0]) / 1000,
    }


def main() -> int:
    what, *more = sys.argv[1:]
    if what == "tell":
        sys.stderr.write("to be logged\n")
        sys.stdout.write(f"{json.dumps(seen())}\n")
        return 3
    if what == "line":
        with socket.socket(fileno=int(more[0])) as line:
            line.sendall(b"passed")
        return 0
    if what == "start another":
        asyncio.run(processes.start(command("stay"), env=os.environ))
    time.sleep(600)
    return 0
