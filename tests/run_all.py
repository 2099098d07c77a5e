"""Run all tests as `make test` does: whole platforms, which mostly wait, beside all others.

What fails runs up to twice more at the end, alone, because a browser or a worker may be late on a busy machine;
where much fails, something is broken: then the part ends at once, and is not looked at again. What tests leave
running is ended and named.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import psutil

LOGS = Path("artifacts") / "tests"
SPREAD = ("--dist", "loadfile", "--no-loadscope-reorder")
RETRY = ("--last-failed", "--last-failed-no-failures=none", "-n0", "-v")
RETRIES = 2
MANY = 40
"""More failures than a busy machine makes."""
SOME_FAILED = 1
MARK = "STARTED_BY_TESTS_OF"
"""Names this process in the environment of all that is started from here."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Tests that run as one: a folder, or all without one, and how many processes share them."""

    name: str
    workers: int
    folder: str = "tests"
    without: str = ""

    def command(self, *more: str) -> list[str]:
        cache = ("-o", f"cache_dir=.pytest_cache/{self.name}")  # each part keeps its own failures
        return [
            sys.executable,
            "-m",
            "pytest",
            *more,
            *cache,
            f"--maxfail={MANY + 1}",
            "-m",
            "not nightly",
            *([f"--ignore={self.without}"] if self.without else []),
            self.folder,
        ]

    def start(self, log: BinaryIO | None = None) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(self.command(*SPREAD, "-n", str(self.workers)), stdout=log, stderr=log)


CORES = os.cpu_count() or 1
PLATFORMS = Part(name="platforms", folder="tests/acceptance", workers=1)
OTHERS = Part(name="others", without=PLATFORMS.folder, workers=CORES)
"""No more: a platform is seven processes, and what waits for others asks again and again, so that all wait longer."""


def main() -> int:
    """Run every part, then what failed; return the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{PLATFORMS.name}.log"
    with nothing_left_running(), log.open("wb") as opened:
        beside = PLATFORMS.start(opened)
        statuses = {OTHERS: OTHERS.start().wait(), PLATFORMS: beside.wait()}
    sys.stdout.write(f"==== {PLATFORMS.name}, which ran meanwhile ====\n{log.read_text(errors='replace')}\n")
    sys.stdout.flush()
    with nothing_left_running():
        ended = {part: _after_retry(part, status) for part, status in statuses.items()}
    for part in (part for part, status in ended.items() if status):
        _say(f"FAILED: {part.name} (exit status {ended[part]}): {', '.join(_failed(part))}")
    return max(ended.values())


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


def _after_retry(part: Part, status: int) -> int:
    for _ in range(RETRIES):
        if status != SOME_FAILED or len(_failed(part)) > MANY:
            break
        _say(f"RETRY of {part.name}: what failed above runs once more, alone")
        status = subprocess.run(part.command(*RETRY), check=False).returncode
        if status == 0:
            _say("PASSED ONLY WHEN RETRIED: the tests above; mend what made them fail on a busy machine")
    return status


def _failed(part: Part) -> list[str]:
    """Return the tests of a part that failed when they ran last, by pytest's own record."""
    found = Path(".pytest_cache") / part.name / "v" / "cache" / "lastfailed"
    return sorted(json.loads(found.read_text())) if found.exists() else []


def _say(what: str) -> None:
    sys.stdout.write(f"==== {what} ====\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
