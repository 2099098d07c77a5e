"""Runs the app under uvicorn: one worker, since one process owns the ledger."""

import errno
import socket
import sys

from dashboards import logs
from storage.errors import LedgerHeld, LedgerUnreadable
from storage.ledger import Ledger
from storage.settings import Settings

STOP_WITHIN_S = 5
SWITCH_S = 0.001
"""How long a page's script may keep the event loop waiting, rather than Python's 5 ms: everybody's news go over it."""
FAILED = 1


def serve(settings: Settings | None = None) -> int:
    """Serve until a signal says stop; return the exit status, having said on stderr what was wrong."""
    settings = settings or Settings()
    logs.set_up()
    try:
        listening = _listen(settings.web.host, settings.web.port)
    except OSError as error:
        return _give_up(_why_not(error, settings.web.host, settings.web.port))
    with listening:
        try:
            ledger = Ledger.open(settings.storage.ledger_path)
        except (LedgerHeld, LedgerUnreadable) as error:
            return _give_up(str(error))
        with ledger:
            return _run(settings, ledger, listening)


def _run(settings: Settings, ledger: Ledger, listening: socket.socket) -> int:
    import uvicorn

    from dashboards.app import build
    from dashboards.sockets import Lean

    sys.setswitchinterval(SWITCH_S)
    config = uvicorn.Config(
        build(settings, ledger=ledger),
        log_config=None,
        access_log=False,
        server_header=False,
        ws=Lean,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=STOP_WITHIN_S,
        lifespan="on",
    )
    server = uvicorn.Server(config)
    server.run(sockets=[listening])
    return 0 if server.started else FAILED


def _listen(host: str, port: int) -> socket.socket:
    """Take the port before anything else is opened, so that a second start fails at once."""
    family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
        0
    ]
    listening = socket.socket(family, kind, proto)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError:
        listening.close()
        raise
    return listening


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken; stop what listens there, or choose another with TRANSCRIBER_PORT"
    return f"cannot listen on {host}:{port} ({error.strerror or error}); see TRANSCRIBER_HOST and TRANSCRIBER_PORT"


def _give_up(message: str) -> int:
    sys.stderr.write(f"{message}\n")
    return FAILED
