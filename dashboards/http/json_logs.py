"""Logs as JSON lines with the `extra` of callers; no secrets, no transcript text.

What is logged while a request is answered has its id, also in the threads and tasks that it started.
"""

import json
import logging
import sys
import threading
import time
from datetime import UTC, datetime
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

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: list[str] = []
        self._wanted = threading.Event()
        threading.Thread(target=self._write_now_and_then, name="write logs", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line until it is written; `handle` holds the lock."""
        try:
            self._lines.append(self.format(record))
        except Exception:  # noqa: BLE001 - whatever it is, `handleError` tells it, as all handlers do
            self.handleError(record)
            return
        if record.levelno >= logging.WARNING or len(self._lines) >= MOST_TOGETHER:
            self.flush()
        elif len(self._lines) == 1:
            self._wanted.set()

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


def set_up(level: int = logging.INFO) -> None:
    """Send our packages' logs to stderr; other libraries from warnings on.

    Lines say neither where in the source they were written nor in which thread, and finding that out takes as long as
    the rest of a line.
    """
    logging._srcfile = None  # as "Optimization" in Python's "Logging HOWTO" has it
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = LinesTogether(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("dashboards", "storage"):
        logging.getLogger(name).setLevel(level)
