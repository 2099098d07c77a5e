"""Processes that tests start, and that end with them whatever happens."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

ENDS_WITHIN_S = 60.0


def end(process: "subprocess.Popen[Any]") -> None:
    """Ask a process to end, and kill it if it does not."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(ENDS_WITHIN_S)
    kill(process)


def kill(process: "subprocess.Popen[Any]") -> None:
    """Kill a process if it still runs, and wait for its end."""
    process.kill()
    process.wait()


@contextmanager
def killed_at_last(*processes: "subprocess.Popen[Any]") -> Iterator[None]:
    """Kill at the end of a block what still runs then."""
    try:
        yield
    finally:
        for process in processes:
            kill(process)
