"""Check whether a port is free, and find the process that uses it."""

import os
import socket

from storage.domain.errors import PortTaken


def holder_of(port: int) -> str | None:
    """Return a description of the process on a TCP port, or None."""
    import psutil

    try:
        rows = [row for row in psutil.net_connections("tcp") if row.status == psutil.CONN_LISTEN]
    except psutil.AccessDenied:
        return None
    for row in rows:
        if not row.laddr or row.laddr.port != port:
            continue
        if row.pid is None:
            return "a process of another user"
        try:
            process = psutil.Process(row.pid)
            return f"process {row.pid} ({' '.join(process.cmdline())[:80] or process.name()})"
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return f"process {row.pid}"
    return None


def is_free(host: str, port: int) -> bool:
    """Return whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        if os.name == "posix":
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError:
            return False
    return True


def must_be_free(host: str, port: int, setting: str) -> None:
    """Check that a server can listen there.

    Raises:
        PortTaken: it cannot; names the process on the port, and the setting for another port.
    """
    if not is_free(host, port):
        raise PortTaken(port, holder_of(port) or "another process", setting)
