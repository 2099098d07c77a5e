"""Run all tests as `make test` does: one process more than there are cores, since tests wait a good deal.

What fails runs up to twice more at the end, alone, because a browser or a worker may be late on a busy machine;
where much fails, something is broken: then the run ends at once, and nothing is looked at again. What tests leave
running is ended and named.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

TESTS = "tests"
WORKERS = (os.cpu_count() or 1) + 1
"""One of them has the platforms (`tests/spread.py`), which mostly wait, and then takes its share of the others.

No more: a platform is seven processes, and what waits for others asks again and again, so that all wait longer.
"""
MANY = 40
"""More failures than a busy machine makes."""
COMMAND = (sys.executable, "-m", "pytest", f"--maxfail={MANY + 1}", "-m", "not nightly", TESTS)
SPREAD = ("--dist", "loadfile", "--no-loadscope-reorder", "-n", str(WORKERS), "--durations=20", "--durations-min=5")
RETRY = ("--last-failed", "--last-failed-no-failures=none", "-n0", "-v")
RETRIES = 2
SOME_FAILED = 1
MARK = "STARTED_BY_TESTS_OF"
"""Names this process in the environment of all that is started from here."""


def main() -> int:
    """Run all tests, then what failed; return the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with nothing_left_running():
        status = _pytest(*SPREAD)
    for _ in range(RETRIES):
        if status != SOME_FAILED or len(_failed()) > MANY:
            break
        _say("RETRY: what failed above runs once more, alone")
        with nothing_left_running():
            status = _pytest(*RETRY)
        if status == 0:
            _say("PASSED ONLY WHEN RETRIED: the tests above; mend what made them fail on a busy machine")
    if status:
        _say(f"FAILED (exit status {status}): {', '.join(_failed())}")
    return status


def _pytest(*more: str) -> int:
    return subprocess.run([*COMMAND, *more], check=False).returncode


@contextmanager
def nothing_left_running() -> Iterator[None]:
    """End after a block, also where it is interrupted, every process that was started in it and still runs."""
    os.environ[MARK] = str(os.getpid())
    try:
        yield
    finally:
        for process in _started_here():
            with suppress(psutil.NoSuchProcess):
                _say(f"LEFT RUNNING, and ended now: {process.pid} {' '.join(process.cmdline())[:200]}")
                process.kill()


def _started_here() -> list[psutil.Process]:
    """Return the processes that bear our mark, whoever is their parent now."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.environ().get(MARK) == str(os.getpid()) and process.pid != os.getpid():
                found.append(process)
    return found


def _failed() -> list[str]:
    """Return the tests that failed when they ran last, by pytest's own record."""
    found = Path(".pytest_cache") / "v" / "cache" / "lastfailed"
    return sorted(json.loads(found.read_text())) if found.exists() else []


def _say(what: str) -> None:
    sys.stdout.write(f"==== {what} ====\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
