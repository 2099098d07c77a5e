"""Logs as JSON lines with the `extra` of callers; no secrets, no transcript text.

What is logged while a request is answered has its id, also in the threads and tasks that it started.
"""

import json
import logging
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring as _quoted
from typing import TextIO

from storage.ledger import audit_origin

PLAIN = set(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime", "taskName"}
TOGETHER_S, MOST_TOGETHER = 0.1, 500
_encoded = json.JSONEncoder(default=str, ensure_ascii=False).encode


class JsonLines(logging.Formatter):
    """Formats a log record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        told |= {key: value for key, value in record.__dict__.items() if key not in PLAIN}
        if "request_id" not in told and (request_id := audit_origin.current().request_id) is not None:
            told["request_id"] = request_id
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return _encoded(told)


class LinesTogether(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes lines together, a tenth of a second after the first.

    A warning is written at once, with all before it. A line for each request that is written by itself takes as long as
    the answer to a small one.
    """

    of_process: "LinesTogether | None" = None

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: list[str] = []
        self._wanted = threading.Event()
        threading.Thread(target=self._write_now_and_then, name="write logs", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line until it is written."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - whatever it is, `handleError` tells it, as all handlers do
            self.handleError(record)
            return
        self.keep(line, at_once=record.levelno >= logging.WARNING)

    def keep(self, line: str, *, at_once: bool = False) -> None:
        """Keep a line until it is written; any thread may."""
        self.acquire()
        try:
            self._lines.append(line)
            if at_once or len(self._lines) >= MOST_TOGETHER:
                self.flush()
            elif len(self._lines) == 1:
                self._wanted.set()
        finally:
            self.release()

    def flush(self) -> None:
        """Write all lines that are kept; also called when the process ends."""
        self.acquire()
        try:
            lines, self._lines = self._lines, []
            if lines:
                self.stream.write("\n".join((*lines, "")))
                super().flush()
        except (OSError, ValueError):  # nobody reads any more, or the stream is closed
            return
        finally:
            self.release()

    def _write_now_and_then(self) -> None:
        while self._wanted.wait():
            self._wanted.clear()
            time.sleep(TOGETHER_S)
            self.flush()


def info(logger: logging.Logger, message: str, extra: Mapping[str, str | float | None]) -> None:
    """Log a line as `logger.info` does, in a fraction of its time.

    That is where `set_up` was called. A record of `logging` and its formatting take as long as everything else about a
    small request.
    """
    if (handler := LinesTogether.of_process) is None:
        logger.info("%s", message, extra=dict(extra))
    elif logger.isEnabledFor(logging.INFO):
        told = {"at": _at(time.time()), "level": "info", "logger": logger.name, "message": message, **extra}
        handler.keep(_line(told))


def _line(told: Mapping[str, str | float | None]) -> str:
    """Return a flat object of texts and numbers as JSON."""
    return f"{{{', '.join([f'{_quoted(key)}: {_value(value)}' for key, value in told.items()])}}}"


def _value(value: str | float | None) -> str:
    return _quoted(value) if isinstance(value, str) else _encoded(value)


def _at(moment_s: float) -> str:
    """Return a time as lines have it."""
    return f"{_second(int(moment_s))}.{int(1000 * (moment_s % 1)):03d}+00:00"


@lru_cache(maxsize=2)
def _second(moment_s: int) -> str:
    return datetime.fromtimestamp(moment_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def set_up(level: int = logging.INFO) -> None:
    """Send our packages' logs to stderr; other libraries from warnings on.

    Lines say neither where in the source they were written nor in which thread, and finding that out takes as long as
    the rest of a line.
    """
    logging._srcfile = None  # as "Optimization" in Python's "Logging HOWTO" has it
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = LinesTogether(sys.stderr)
    handler.setFormatter(JsonLines())
    LinesTogether.of_process = handler
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("dashboards", "storage"):
        logging.getLogger(name).setLevel(level)
