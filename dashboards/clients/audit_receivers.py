"""Send the daily head of the audit chain to syslog and to a webhook."""

import logging
import socket
import sys
from logging.handlers import SysLogHandler

import httpx
from pydantic import SecretStr

WITHIN_S = 10.0


class _Strict(SysLogHandler):
    """A handler whose failures reach the caller, not stderr."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002
        error = sys.exc_info()[1]
        raise OSError(f"syslog took nothing ({error})") from error


def to_syslog(address: str, line: str) -> None:
    """Send one line to a socket, or to host:port over UDP.

    Raises:
        OSError: it cannot be sent.
    """
    host, _, port = address.rpartition(":")
    receiver = address if address.startswith("/") else (host.strip("[]"), int(port))
    handler = _Strict(receiver, facility=SysLogHandler.LOG_AUTH, socktype=socket.SOCK_DGRAM)
    try:
        handler.ident, handler.append_nul = "transcriber: ", False
        handler.emit(logging.LogRecord("audit", logging.NOTSET, "", 0, f"audit head {line}", (), None))
    finally:
        handler.close()


async def to_webhook(url: SecretStr, line: str) -> None:
    """Post a JSON object; redirects are not followed.

    Raises:
        httpx.HTTPError: nobody took it.
    """
    async with httpx.AsyncClient(timeout=WITHIN_S) as client:
        answer = await client.post(url.get_secret_value(), content=line, headers={"Content-Type": "application/json"})
        answer.raise_for_status()
