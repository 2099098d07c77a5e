"""Requests a second of small reads and job creation, beside two other servers.

    python -m benchmarks.bench_http_rates [--base CHECKOUT] [--rounds 3] [--seconds 3] [--clients 64]

Each side is a process of its own: this version and the one in CHECKOUT (`git worktree add --detach CHECKOUT 01b573e`)
as `python -m dashboards` with 60 recordings of one person and no workers, and a Starlette app under the same uvicorn
whose only route answers a constant. They are asked in turns, over connections that stay open. The processor's time is
the server's alone, since the machine's other work and the clients take turns with it.
"""

import argparse
import asyncio
import io
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

HERE = Path(__file__).parents[1]
JOBS = 60
BARE = """
import sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
async def constant(request): return JSONResponse({"text": "x" * 400})
uvicorn.run(Starlette(routes=[Route("/constant", constant)]), port=int(sys.argv[1]), access_log=False, log_config=None)
"""
BOUNDARY = "bench"


@dataclass(slots=True, kw_only=True)
class Side:
    """A running server and its key."""

    name: str
    port: int
    process: psutil.Process
    secret: str = ""
    job: str = ""
    taken: dict[str, list["Rate"]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What one round reached."""

    per_s: float
    p99_ms: float
    cpu_ms: float


def tone(number: int) -> bytes:
    """Return a tenth of a second of sound that no other number has."""
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(number.to_bytes(4, "little") * 800)
    return target.getvalue()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def running(command: list[str], port: int, path: str, **where: object) -> Iterator[psutil.Process]:
    """Run a server until the block ends."""
    out = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=out, stderr=out, **where)  # type: ignore[call-overload]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            while not _answers(client, path):
                assert process.poll() is None, command
                time.sleep(0.2)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _answers(client: httpx.Client, path: str) -> bool:
    try:
        return client.get(path).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def platform(name: str, checkout: Path) -> Iterator[Side]:
    """Serve a version of the platform with `JOBS` recordings."""
    with tempfile.TemporaryDirectory(prefix="bench-http-") as folder:
        port = free_port()
        limits = {f"TRANSCRIBER_RATE_LIMIT_{kind}": "1000000 per hour" for kind in ("API", "GENERAL", "UPLOAD")}
        env = {key: value for key, value in os.environ.items() if not key.startswith("TRANSCRIBER_")} | limits
        env |= {"TRANSCRIBER_DATA_DIR": folder, "TRANSCRIBER_PORT": str(port), "PYTHONPATH": str(checkout)}
        env |= {"PREFECT_API_URL": "http://127.0.0.1:9/api"}
        where = {"env": env, "cwd": checkout}
        with running([sys.executable, "-m", "dashboards"], port, "/livez", **where) as process:
            admin = [sys.executable, "-m", "flows.cli", "admin"]
            subprocess.run([*admin, "create-user", "bench"], check=True, capture_output=True, **where)  # type: ignore[call-overload]
            told = subprocess.run(  # type: ignore[call-overload]
                [*admin, "create-key", "bench", "--name", "bench"], check=True, capture_output=True, text=True, **where
            ).stdout
            side = Side(name=name, port=port, process=process, secret=re.findall(r"wt_\S+", told)[0])
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                for number in range(JOBS):
                    made = client.post("/api/v1/jobs", **form(side, number))  # type: ignore[arg-type]
                    side.job = made.json()["id"]
            yield side


@contextmanager
def bare() -> Iterator[Side]:
    port = free_port()
    with running([sys.executable, "-c", BARE, str(port)], port, "/constant") as process:
        yield Side(name="a bare route", port=port, process=process)


def form(side: Side, number: int) -> dict[str, object]:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{number}.wav"\r\n\r\n'
    headers = {"Authorization": f"Bearer {side.secret}", "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return {"headers": headers, "content": head.encode() + tone(number) + f"\r\n--{BOUNDARY}--\r\n".encode()}


class Connection:
    """One connection that stays open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, secret: str) -> None:
        self.reader, self.writer = reader, writer
        self.head = f"Host: localhost\r\nAccept-Encoding: identity\r\nAuthorization: Bearer {secret}\r\n"

    async def ask(self, method: str, path: str, more: str = "", body: bytes = b"") -> None:
        """Send a request and read its answer."""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        self.writer.write(f"{method} {path} HTTP/1.1\r\n{self.head}{more}{length}\r\n".encode() + body)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        size = re.search(r"(?i)content-length: (\d+)", head)
        told = await self.reader.readexactly(int(size[1]) if size else 0)
        assert head[9] == "2", (self.head, head[:40], told)


async def load(side: Side, clients: int, seconds: float, one: Callable[[Connection], Awaitable[None]]) -> Rate:
    """Ask without pause from all clients."""
    opened = [await asyncio.open_connection("127.0.0.1", side.port) for _ in range(clients)]
    took: list[float] = []

    async def client(connection: Connection) -> None:
        while time.perf_counter() < until:
            began = time.perf_counter()
            await one(connection)
            took.append(1000 * (time.perf_counter() - began))

    used, began = side.process.cpu_times(), time.perf_counter()
    until = began + seconds
    await asyncio.gather(*(client(Connection(*pair, side.secret)) for pair in opened))
    wall, now = time.perf_counter() - began, side.process.cpu_times()
    for _, writer in opened:
        writer.close()
    cpu_ms = 1000 * (now.user + now.system - used.user - used.system) / len(took)
    return Rate(per_s=len(took) / wall, p99_ms=sorted(took)[int(0.99 * len(took))], cpu_ms=cpu_ms)


def cases(side: Side, numbers: Iterator[int]) -> dict[str, Callable[[Connection], Awaitable[None]]]:
    """Return what is asked of a side."""
    if not side.secret:
        return {"a constant": lambda to: to.ask("GET", "/constant")}

    def create(to: Connection) -> Awaitable[None]:
        asked = form(side, next(numbers))
        kind = f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        return to.ask("POST", "/api/v1/jobs", kind, bytes(asked["content"]))  # type: ignore[call-overload]

    return {
        "a job": lambda to: to.ask("GET", f"/api/v1/jobs/{side.job}"),
        "a list of 10": lambda to: to.ask("GET", "/api/v1/jobs?limit=10"),
        "who asks": lambda to: to.ask("GET", "/api/v1/me"),
        "a job, no two requests alike": lambda to: to.ask("GET", f"/api/v1/jobs/{side.job}", f"X: {next(numbers)}\r\n"),
        "a new job": create,
    }


def measure(sides: list[Side], rounds: int, seconds: float, clients: int) -> None:
    numbers = iter(range(1000, 1 << 30))
    for turn in range(rounds + 1):
        for side in sides:
            for name, one in cases(side, numbers).items():
                reached = asyncio.run(load(side, clients, seconds, one))
                if turn:  # the first round warms up
                    side.taken.setdefault(name, []).append(reached)


def tell(sides: list[Side], clients: int, before: float) -> None:
    constant = next(side for side in sides if not side.secret).taken["a constant"]
    usual = statistics.median(rate.per_s for rate in constant)
    print(f"## Requests a second at {clients} clients, medians of the rounds\n")
    print("| | server | requests a second | of the bare route | p99, ms | ms of the processor |")
    print("|---|---|---|---|---|---|")
    for side in sides:
        for name, taken in side.taken.items():
            per_s, p99, cpu = (
                statistics.median(getattr(one, key) for one in taken) for key in ("per_s", "p99_ms", "cpu_ms")
            )
            print(f"| {name} | {side.name} | {per_s:.0f} | {per_s / usual:.2f} | {p99:.0f} | {cpu:.2f} |")
    print(f"\nLoad average {before:.1f} before, {os.getloadavg()[0]:.1f} after: other work ran beside.")
    print("`python -m benchmarks http_rates -- --base CHECKOUT`, with a checkout of 01b573e.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--clients", type=int, default=64)
    asked, before = parser.parse_args(), os.getloadavg()[0]
    with ExitStack() as stack:
        sides = [stack.enter_context(bare()), stack.enter_context(platform("this version", HERE))]
        if asked.base:
            sides.append(stack.enter_context(platform("01b573e", asked.base.absolute())))
        measure(sides, asked.rounds, asked.seconds, asked.clients)
        tell(sides, asked.clients, before)


if __name__ == "__main__":
    main()
