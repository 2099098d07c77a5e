"""What counting requests costs: the same route without and with the middleware, in turns in one run.

    python -m benchmarks.bench_rate_limits [--rounds 10] [--requests 1000]

The route is a bare Starlette one that answers a constant, called in this process; so what is measured is the middleware
and nothing of sockets. Each round takes both sides once, and the times of all rounds are put together. Memory is that
of this process before and after a flood of addresses.
"""

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Callable
from itertools import count
from typing import Any

import psutil
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message

from dashboards.http.identity import NOBODY, By, Caller
from dashboards.http.rate_limits import RateLimits
from storage.domain.settings import RateLimitSettings

FLOOD = 200_000
WANTED_US = 300
KEY = Caller(by=By.KEY, key_id="0192")
SESSION = Caller(by=By.SESSION)
LIMITS = RateLimitSettings(rate_limit_api="1000000 per hour", rate_limit_general="1000000 per hour", _env_file=None)
Scope = dict[str, Any]


async def constant(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


async def receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def ignore(_: Message) -> None:
    return None


def scope_of(caller: Caller, address: str) -> Scope:
    """Return a request as it comes to the middleware."""
    return {
        "type": "http",
        "method": "GET",
        "path": "/api/v1/me",
        "raw_path": b"/api/v1/me",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost:8501"), (b"accept", b"application/json")],
        "client": (address, 0),
        "caller": caller,
        "open": False,
        "request_id": "0",
    }


def addresses() -> Callable[[], str]:
    """Return a function that names another address at each call."""
    numbers = count()
    return lambda: "10.{}.{}.{}".format(*((number := next(numbers)) >> 16 & 255, number >> 8 & 255, number & 255))


async def timed(app: ASGIApp, scopes: list[Scope]) -> list[float]:
    """Return the microseconds of the processor that each request took."""
    took_us = []
    for scope in scopes:
        began = time.thread_time()
        await app(scope, receive, ignore)
        took_us.append(1e6 * (time.thread_time() - began))
    return took_us


async def compare(name: str, rounds: int, requests: int, make: Callable[[], Scope]) -> str:
    """Return a line of the table."""
    bare = Starlette(routes=[Route("/api/v1/me", constant)])
    sides: dict[ASGIApp, list[float]] = {bare: [], RateLimits(bare, LIMITS): []}
    for number in range(rounds + 1):
        for app, taken_us in sides.items():
            took_us = await timed(app, [make() for _ in range(requests)])
            if number:  # the first round warms up
                taken_us.extend(took_us)
    without, with_limits = (statistics.quantiles(each, n=100) for each in sides.values())
    added = [with_limits[at] - without[at] for at in (49, 94, 98)]
    return f"| {name} | {without[49]:.0f} | {with_limits[49]:.0f} | {added[0]:.0f} | {added[1]:.0f} | {added[2]:.0f} |"


async def grown_mib() -> float:
    """Return how much a flood of addresses makes this process grow."""
    limits, one, process = RateLimits(constant_app, LIMITS), addresses(), psutil.Process()
    before = process.memory_info().rss
    for _ in range(FLOOD):
        await limits(scope_of(NOBODY, one()), receive, ignore)
    return (process.memory_info().rss - before) / 2**20


async def constant_app(_: Any, __: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def measure(rounds: int, requests: int) -> None:
    before = os.getloadavg()[0]
    one = addresses()
    lines = [
        await compare("a key", rounds, requests, lambda: scope_of(KEY, "192.0.2.1")),
        await compare("a stranger's address, each time another", rounds, requests, lambda: scope_of(NOBODY, one())),
        await compare("a page's own, not limited", rounds, requests, lambda: scope_of(SESSION, "192.0.2.1")),
    ]
    grown = await grown_mib()
    print(f"## Rate limits, microseconds of the processor a request (wanted: less than {WANTED_US} added)\n")
    print("| caller | without, median | with, median | added, median | added, 95% | added, 99% |")
    print("|---|---|---|---|---|---|")
    print("\n".join(lines))
    print(f"\nA flood of {FLOOD:,} addresses took {grown:.0f} MiB.")
    print(f"\nLoad average {before:.1f} before, {os.getloadavg()[0]:.1f} after: other work ran beside.")
    print("`python -m benchmarks rate_limits`.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--requests", type=int, default=1000)
    asked = parser.parse_args()
    asyncio.run(measure(asked.rounds, asked.requests))


if __name__ == "__main__":
    main()
