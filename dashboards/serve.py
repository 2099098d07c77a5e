"""Run the app under uvicorn with one worker, since one process owns the ledger."""

import errno
import socket
import sys
from typing import TYPE_CHECKING

from dashboards.http import json_logs
from storage.domain.errors import LedgerHeld, LedgerUnreadable
from storage.domain.settings import Settings, WebSettings
from storage.files import privacy
from storage.ledger.database import Ledger
from storage.remote import tracing

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

STOP_WITHIN_S = 5
SWITCH_S = 0.001
"""How long a page's script may block the event loop, instead of Python's 5 ms."""
FAILED = 1


def serve(settings: Settings | None = None) -> int:
    """Serve until a signal; return the exit status, with errors on stderr."""
    settings = settings or Settings()
    json_logs.set_up()
    tracing.start("web")
    privacy.close(settings.storage)
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

    sys.setswitchinterval(SWITCH_S)
    server = uvicorn.Server(server_config(build(settings, ledger=ledger), settings.web))
    server.run(sockets=[listening])
    return 0 if server.started else FAILED


def server_config(app: "ASGIApp", web: WebSettings) -> "uvicorn.Config":
    """Return how uvicorn serves the app."""
    import uvicorn

    from dashboards.http.connections import BoundedHttp, Sockets
    from dashboards.http.websocket_fast_path import Lean

    class Http(BoundedHttp):
        sockets = Sockets(proxies=web.proxies)

    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # `Forwarding` reads them, from trusted proxies alone
        http=Http,
        ws=Lean,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=STOP_WITHIN_S,
        lifespan="on",
    )


def _listen(host: str, port: int) -> socket.socket:
    """Bind the port first, so that a second start fails at once."""
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
