"""Processes that tests start, and that end with them whatever happens."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parents[1]
ENDS_WITHIN_S = 60.0


def run_program(program: str, env: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run a Python program in the project's folder, and return what it said."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


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
