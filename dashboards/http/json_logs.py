"""Logs as JSON lines with the `extra` of callers; no secrets, no transcript text.

What is logged while a request is answered has its id, also in the threads and tasks that it started.
"""

import json
import logging
import sys
from datetime import UTC, datetime

from storage.ledger import audit_origin

PLAIN = set(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime", "taskName"}


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
        if (request_id := audit_origin.current().request_id) is not None:
            told.setdefault("request_id", request_id)
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str, ensure_ascii=False)


def set_up(level: int = logging.INFO) -> None:
    """Send our packages' logs to stderr; other libraries from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("dashboards", "storage"):
        logging.getLogger(name).setLevel(level)
