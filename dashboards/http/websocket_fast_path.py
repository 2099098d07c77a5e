"""What keeps an open page small: two websockets each, of which a thousand pages have two thousand.

A request is over in milliseconds, a websocket stands for hours, with every frame of every middleware that it went
through, and with the headers that it came with. So it goes straight to its endpoint once the gate has let it in, and
what only the handshake needed is let go.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.routing import BaseRoute, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

Endpoint = Callable[[WebSocket], Awaitable[None]]


class Straight:
    """Middleware around those of Streamlit, which do nothing for websockets (sessions of its own login, gzip, paths).

    `__call__` is no coroutine itself: it would be one more frame for each websocket.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._endpoints: dict[str, Endpoint] | None = None

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "websocket":
            if self._endpoints is None:
                self._endpoints = _endpoints(scope["app"].routes)
            if endpoint := self._endpoints.get(scope["path"]):
                return endpoint(WebSocket(scope, receive, send))
        return self.app(scope, receive, send)


def _endpoints(routes: list[BaseRoute]) -> dict[str, Endpoint]:
    return {route.path: route.endpoint for route in routes if isinstance(route, WebSocketRoute)}


class Lean(WebSocketsSansIOProtocol):
    """uvicorn's protocol, which forgets request and response of the handshake once that is done."""

    async def send(self, message: "ASGISendEvent") -> None:
        shaking = not self.handshake_complete
        await super().send(message)
        if shaking and self.handshake_complete:
            self.request.headers.clear()  # the parser, a generator, holds the request itself until the end
            del self.request, self.response
