"""Connections are bounded in number, and headers in time; by a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from dashboards.http.connections import MOST_HEADER_BYTES, BoundedHttp, Sockets
from storage.domain.network.trusted_proxies import parse
from tests.waiting import PATIENCE_S

ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def serving(sockets: Sockets, *, headers_within_s: float = 20.0) -> AsyncIterator[int]:
    kind = type("Bounded", (BoundedHttp,), {"sockets": sockets, "headers_within_s": headers_within_s})
    app = Starlette(routes=[Route("/", lambda _: PlainTextResponse("here"))])
    server = uvicorn.Server(uvicorn.Config(app, port=0, http=kind, log_level="critical", timeout_keep_alive=30))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await running


async def ask(streams: Streams) -> bytes:
    reader, writer = streams
    writer.write(ASK)
    return await asyncio.wait_for(reader.readuntil(b"\r\n"), PATIENCE_S)


async def test_a_connection_too_many_is_refused_and_one_that_closes_makes_room() -> None:
    async with serving(Sockets(most=2)) as port:
        first, second = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        assert await ask(first) == await ask(second) == b"HTTP/1.1 200 OK\r\n"
        third = await asyncio.open_connection("127.0.0.1", port)
        refused = await asyncio.wait_for(third[0].read(), PATIENCE_S)
        assert refused.startswith(b"HTTP/1.1 503")
        assert b"Retry-After: 10" in refused

        first[1].close()
        await first[1].wait_closed()
        await asyncio.sleep(0.05)
        fourth = await asyncio.open_connection("127.0.0.1", port)
        assert await ask(fourth) == b"HTTP/1.1 200 OK\r\n"
        for _, writer in (second, third, fourth):
            writer.close()


async def test_headers_that_trickle_are_given_up() -> None:
    async with serving(Sockets(), headers_within_s=0.2) as port:
        for begun in (b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(begun)
            assert (await asyncio.wait_for(reader.read(), PATIENCE_S)).startswith(b"HTTP/1.1 408")
            writer.close()


async def test_headers_that_do_not_end_are_refused() -> None:
    async with serving(Sockets()) as port:
        for begun in (b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ", b"GET /", b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 10_000):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(begun + b"x" * (MOST_HEADER_BYTES + 1 - len(begun)))
            assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 431")
            writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ASK.replace(b"\r\n\r\n", b"\r\nX-Long: " + b"x" * 90_000 + b"\r\n\r\n"))
        assert await asyncio.wait_for(reader.readuntil(b"\r\n"), 10) == b"HTTP/1.1 200 OK\r\n"
        writer.close()


async def test_a_connection_that_has_asked_may_stay() -> None:
    async with serving(Sockets(), headers_within_s=0.2) as port:
        streams = await asyncio.open_connection("127.0.0.1", port)
        assert await ask(streams) == b"HTTP/1.1 200 OK\r\n"
        await streams[0].readuntil(b"here")
        await asyncio.sleep(0.4)
        assert await ask(streams) == b"HTTP/1.1 200 OK\r\n"
        streams[1].close()


def test_one_address_takes_only_its_part() -> None:
    class Transport(asyncio.BaseTransport):
        closed = False

        def is_closing(self) -> bool:
            return self.closed

    proxies = parse("192.0.2.64/26")
    sockets, held = Sockets(most=15, most_by_address=2, proxies=proxies), [Transport() for _ in range(13)]
    assert [sockets.admit(one, "192.0.2.1") is None for one in held[:3]] == [True, True, False]
    assert sockets.admit(held[3], "192.0.2.2") is None
    assert [sockets.admit(one, "127.0.0.1") is None for one in held[4:8]] == [True] * 4
    assert [sockets.admit(one, "192.0.2.65") is None for one in held[9:13]] == [True] * 4
    held[0].closed = True
    assert sockets.admit(held[8], "192.0.2.1") is None
