"""Reduces memory per websocket: skips Streamlit's middleware, drops handshake state.

A request lasts milliseconds; a websocket lasts hours, with a frame of every middleware that it passed and the headers
of its handshake. So it goes straight to its endpoint once it is authenticated, and the handshake's state is released.
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
    """Skips Streamlit's middleware, which does nothing for websockets.

    (Sessions of its own login, gzip, paths.) `__call__` is not a coroutine, which would be one more frame per
    websocket.
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
    """uvicorn's protocol, which releases request and response after the handshake."""

    def handle_parser_exception(self) -> None:
        """End a connection with frames that are none.

        uvicorn takes it that a close frame was sent; none was if they came before the handshake's answer.
        """
        if self.conn.close_sent is None:
            self.transport.close()
        else:
            super().handle_parser_exception()

    async def send(self, message: "ASGISendEvent") -> None:
        shaking = not self.handshake_complete
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True  # refused with a response of HTTP, which uvicorn takes for no answer at all
        if shaking and self.handshake_complete:
            self.request.headers.clear()  # the parser, a generator, keeps the request until the end
            del self.request, self.response
