"""Websockets bypass middleware, use little memory, and close when revoked."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from dashboards.http.access_middleware import _Guarded
from dashboards.http.websocket_fast_path import Lean, Straight
from dashboards.runtime.websocket_registry import CLOSED, Doors

passed: list[str] = []
entered = asyncio.Event()


class Inner:
    """A middleware behind ours, as Streamlit's are."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            passed.append(scope["path"])
        await self.app(scope, receive, send)


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(f"{await websocket.receive_text()} {websocket.headers['x-mine']}")
    await websocket.receive()


async def late(websocket: WebSocket) -> None:
    await websocket.receive()
    entered.set()
    await websocket.receive()


async def too_often(websocket: WebSocket) -> None:
    await websocket.send_denial_response(PlainTextResponse("later", 429, {"Retry-After": "60"}))


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.url.path)


@asynccontextmanager
async def served() -> AsyncIterator[tuple[str, uvicorn.Server]]:
    passed.clear()
    app = Starlette(
        routes=[
            WebSocketRoute("/echo", echo),
            WebSocketRoute("/often", too_often),
            WebSocketRoute("/late", late),
            Route("/hello", hello),
        ],
        middleware=[Middleware(Straight), Middleware(Inner)],
    )
    server = uvicorn.Server(uvicorn.Config(app, ws=Lean, ws_per_message_deflate=False, log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}", server
        finally:
            server.should_exit = True
            await serving


async def test_a_websocket_goes_past_what_stands_around_requests() -> None:
    async with served() as (where, _), connect(f"ws://{where}/echo", additional_headers={"X-Mine": "too"}) as client:
        await client.send("heard")
        assert await client.recv() == "heard too"
        assert passed == []


async def test_a_request_does_not_nor_a_websocket_that_nobody_waits_for() -> None:
    async with served() as (where, _):
        reader, writer = await asyncio.open_connection(*where.split(":"))
        writer.write(b"GET /hello HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        assert b"/hello" in (await reader.read()).partition(b"\r\n\r\n")[2]
        writer.close()
        with pytest.raises(Exception, match="403"):
            await connect(f"ws://{where}/nowhere")
        assert passed == ["/hello", "/nowhere"]


async def test_a_handshake_is_refused_with_a_status_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as (where, _):
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://{where}/often")
    assert (refused.value.response.status_code, refused.value.response.headers["retry-after"]) == (429, "60")
    assert refused.value.response.body == b"later"
    assert [one.message for one in caplog.records if one.levelname == "ERROR"] == []


async def test_wrong_frames_before_the_answer_end_a_handshake_without_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lines = ("GET /late HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    entered.clear()
    async with served() as (url, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write("\r\n".join((*lines, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", "")).encode())
        await entered.wait()
        writer.write(b"\x81\x02hi")  # not masked
        answer = await reader.read()
        writer.close()
    assert b"101" not in answer
    assert [record.message for record in caplog.records if "Fatal error" in record.message] == []


async def test_the_handshake_is_forgotten() -> None:
    async with served() as (where, server), connect(f"ws://{where}/echo", additional_headers={"X-Mine": "1"}) as client:
        await client.send("still there")
        await client.recv()
        (protocol,) = server.server_state.connections
        assert isinstance(protocol, Lean)
        assert not hasattr(protocol, "request")
        assert not hasattr(protocol, "response")


class Line:
    """A connection on which nothing ever comes."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def send(self, message: Message) -> None:
        self.sent.append(message)


async def test_a_kick_reaches_who_waits_and_who_does_not() -> None:
    doors, line = Doors(), Line()
    with doors.passed("ada") as door:
        guard = _Guarded({"type": "websocket"}, line.receive, line.send, door)
        waiting = asyncio.create_task(guard.hear())
        await asyncio.sleep(0)
        await asyncio.to_thread(doors.kick, ["ada"])
        assert (await waiting)["code"] == CLOSED
        assert (await guard.hear())["code"] == CLOSED
        await guard.say({"type": "websocket.send", "text": "late"})
    assert [(one["type"], one["code"]) for one in line.sent] == [("websocket.close", CLOSED)]


async def test_the_end_of_a_task_is_not_taken_for_a_kick() -> None:
    doors, line = Doors(), Line()
    with doors.passed("ada") as door:
        waiting = asyncio.create_task(_Guarded({"type": "websocket"}, line.receive, line.send, door).hear())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert line.sent == []
