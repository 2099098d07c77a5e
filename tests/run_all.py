"""Run all tests as `make test` does: two processes more than there are cores, since tests wait a good deal.

What fails runs up to twice more at the end, alone, because a browser or a worker may be late on a busy machine;
where much fails, something is broken: then the run ends at once, and nothing is looked at again. What tests leave
running is ended and named. At the end stands how many lines of the product the tests ran in their own processes.
"""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

TESTS = "tests"
WORKERS = (os.cpu_count() or 1) + 2
"""One of them has the platforms (`tests/spread.py`), which mostly wait, and then takes its share of the others.

With one less, two cores take 40 s longer. With more, platforms wait for each other.
"""
MANY = 40
"""More failures than a busy machine makes."""
COMMAND = ("-m", "pytest", f"--maxfail={MANY + 1}", "-m", "not nightly", TESTS)
PRODUCT = ("flows", "tasks", "dashboards", "storage")
COUNTED = Path("artifacts") / "coverage.json"
COUNTING = ("-m", "slipcover", "--source", ",".join(PRODUCT), "--json", "--out", str(COUNTED))
"""Counts lines in the processes of the tests alone: it makes each start of another one seconds longer."""
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
        COUNTED.parent.mkdir(exist_ok=True)
        COUNTED.unlink(missing_ok=True)  # of an earlier run
        status = _python(*COUNTING, *COMMAND, *SPREAD)
    for _ in range(RETRIES):
        if status != SOME_FAILED or len(_failed()) > MANY:
            break
        _say("RETRY: what failed above runs once more, alone")
        with nothing_left_running():
            status = _python(*COMMAND, *RETRY)
        if status == 0:
            _say("PASSED ONLY WHEN RETRIED: the tests above; mend what made them fail on a busy machine")
    if status:
        _say(f"FAILED (exit status {status}): {', '.join(_failed())}")
    if COUNTED.exists():
        _say(f"LINES that tests run in their own processes: {coverage(json.loads(COUNTED.read_text()))}")
    return status


def coverage(counted: dict[str, Any]) -> str:
    """Return the share of lines that were run, of all and by folder, from SlipCover's report."""
    run: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    for path, file in counted["files"].items():
        for name in ("all", Path(path).parts[0]):
            run[name] += len(file["executed_lines"])
            lines[name] += len(file["executed_lines"]) + len(file["missing_lines"])
    shares = ", ".join(f"{name} {run[name] / lines[name]:.1%}" for name in PRODUCT if lines[name])
    return f"{run['all'] / lines['all']:.1%} of {lines['all']:,} ({shares})"


def _python(*arguments: str) -> int:
    return subprocess.run([sys.executable, *arguments], check=False).returncode


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
