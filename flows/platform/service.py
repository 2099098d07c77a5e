"""A process that `transcriber up` starts and watches: its logs, console output and restarts."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path

from flows.platform import processes

LOG_BYTES = 20 * 2**20
FIRST_PAUSE_S, LONGEST_PAUSE_S, STEADY_AFTER_S = 0.3, 30.0, 60.0
SHOWN_CHARS = 1000
LOUD = ("| WARNING", "| ERROR", "| CRITICAL")
OURS = ("| flows.", "| tasks.", "| storage.", "| Flow run")
"""Log sources for the console; Prefect's own messages stay in the files."""
ALWAYS_SHOWN = "flows.worker.model_cache"
"""Until `loud` is set, when everything is up, the console shows only messages about models."""


class Service:
    """A process that is restarted when it ends, until it is stopped."""

    def __init__(
        self,
        name: str,
        command: list[str],
        *,
        env: dict[str, str],
        logs_dir: Path,
        say: Callable[[str, str], None],
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        self.name, self.command, self.env, self.log_path = name, command, env, logs_dir / f"{name}.log"
        self.ready = asyncio.Event()
        self.last_lines: deque[str] = deque(maxlen=20)
        self.ended_early: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.process: processes.Process | None = None
        self._say, self._first_pause_s = say, first_pause_s
        self._stopping = asyncio.Event()
        self._last_loud = ""
        self.loud = False
        self._log = _rotating(self.log_path)

    async def run(self) -> None:
        """Start the process, and restart it whenever it ends, until `stop`."""
        pause_s = self._first_pause_s
        while not self._stopping.is_set():
            started = time.monotonic()
            status = await self._run_once()
            if self._stopping.is_set():
                return
            if not self.ready.is_set() and not self.ended_early.done():
                self.ended_early.set_result(status)
            if time.monotonic() - started > STEADY_AFTER_S:
                pause_s = self._first_pause_s
            self._say(self.name, f"ended with status {status}; starting it again in {pause_s:.1f} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)

    async def _run_once(self) -> int:
        try:
            self.process = await processes.start(self.command, env=self.env, pipes=True)
        except OSError as error:  # as without memory or processes; they may be there again later
            self._say(self.name, f"could not be started: {error}")
            return 1
        await asyncio.gather(
            self._follow(self.process.stdout, self._take_output), self._follow(self.process.stderr, self._take_log)
        )
        return await self.process.wait()

    async def _follow(self, stream: asyncio.StreamReader | None, take: Callable[[str], None]) -> None:
        while stream is not None:
            try:
                line = await stream.readline()
            except ValueError:  # a line longer than the limit; reading continues after it
                continue
            if not line:
                return
            take(line.decode(errors="replace").rstrip("\n"))

    def _take_output(self, line: str) -> None:
        """Pass standard output through without logging it, since it may show a first password."""
        if line == READY_LINE:
            self.ready.set()
            return
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def _take_log(self, line: str) -> None:
        self._log.info("%s", line)
        if line.strip():
            self.last_lines.append(line)
        loud = _loud(line)
        if loud and loud != self._last_loud and (self.loud or ALWAYS_SHOWN in line):
            self._last_loud = loud
            self._say(self.name, loud[:SHOWN_CHARS])

    def terminate(self) -> None:
        self._stopping.set()
        self._signal(signal.SIGTERM)

    async def end(self, task: "asyncio.Task[None]", *, within_s: float) -> None:
        """Wait for the process to end after `terminate`, and kill it after `within_s`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(task), within_s)
        if not task.done():
            self._signal(signal.SIGKILL)
            task.cancel()
            if self.process is not None:
                await self.process.wait()
        for handler in self._log.handlers:
            with contextlib.suppress(OSError):  # lines that did not fit on a full disk
                handler.close()

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


READY_LINE = "@ready"
"""The line that our own processes print when they are ready to work."""


def announce_ready() -> None:
    """Tell the supervisor, if there is one, that this process is ready."""
    sys.stdout.write(f"{READY_LINE}\n")
    sys.stdout.flush()


class _LogFile(RotatingFileHandler):
    """A log file that a full disk truncates without tracebacks on the console."""

    reported = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - as logging calls it
        """Report the failure once, on the console."""
        if not self.reported:
            self.reported = True
            sys.stderr.write(f"{self.baseFilename} cannot be written ({sys.exc_info()[1]}); its lines are lost\n")


class _Line(logging.Formatter):
    """Puts the time before a line, unless it is a JSON object.

    That has the time in it, and stays readable by programs.
    """

    def format(self, record: logging.LogRecord) -> str:
        line = record.getMessage()
        return line if line.startswith('{"') and line.endswith("}") else super().format(record)


def _rotating(path: Path) -> logging.Logger:
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = _LogFile(path, maxBytes=LOG_BYTES, backupCount=3, delay=True)
    handler.setFormatter(_Line("%(asctime)s %(message)s"))
    log = logging.Logger(f"service.{path.stem}")  # noqa: LOG001 - a file of lines, no part of our own logging
    log.addHandler(handler)
    return log


def _loud(line: str) -> str | None:
    """Return the part of a log line to show on the console, if any."""
    if line.startswith("{"):
        with contextlib.suppress(ValueError, AttributeError):
            record = json.loads(line)
            return str(record.get("message", line)) if record.get("level") in {"warning", "error", "critical"} else None
    warned = any(level in line for level in LOUD)
    return line.strip() if warned and any(source in line for source in OURS) else None
