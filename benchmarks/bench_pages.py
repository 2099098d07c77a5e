"""Measure a web process with a thousand open pages with live lists.

    python -m benchmarks.bench_pages [--pages 1000] [--seconds 30] [--jobs 100000]

Each page is a WebSocket that speaks Streamlit's protocol and one that listens to `/events`, and handles events as the
components do. A page's rerun is timed from the request to the end of the script's run. "Pushed" is the time from
sending a worker's report to its arrival at a page. "Fresh" is the first page of a process, requested as soon as that
answers at all. The client is one more Python process on the same cores; its share is shown next to the web process's.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from benchmarks import crowd_material
from benchmarks.bench_upload import await_port, free_port, memory_kib
from storage.accounts import sessions
from storage.domain.clock import utc_now
from storage.domain.records import User
from storage.ledger.database import Ledger

COOKIE = "transcriber_session"
SOONEST_S, LATEST_S, BUSY_SHARE, EACH_S = 0.4, 20.0, 40, 0.04
CHANGES_A_SECOND = 10
WARM_PAGES = 50
"""Open before the memory of the others is counted: by then the process has loaded what every page needs."""


@dataclass(slots=True)
class Times:
    """What was measured while it counted."""

    counting: bool = False
    reruns_s: list[float] = field(default_factory=list)
    pushed_s: list[float] = field(default_factory=list)
    sent: dict[tuple[str, str], float] = field(default_factory=dict)


class Page:
    """One open list of recordings."""

    def __init__(self, url: str, token: str, owner_id: str, times: Times) -> None:
        self.url, self.token, self.owner_id, self.times = url, token, owner_id, times
        self.rows: dict[str, str] = {}
        self.states: dict[str, str] = {}
        self.fragment = ""
        self.done = asyncio.Event()
        self.waiting = False
        self.took_s = self.looked_at = 0.0
        self.crowd = 0
        self.tasks: list[asyncio.Task[None]] = []

    async def open(self, at_once: asyncio.Semaphore | None = None) -> None:
        """Open the page, and wait for its first run."""
        async with at_once or asyncio.Semaphore():
            await self._open()

    async def _open(self) -> None:
        self.stream = await self._connect("/_stcore/stream", [Subprotocol("streamlit")])
        self.tasks.append(asyncio.create_task(self._read()))
        await self._run(BackMsg(rerun_script=ClientState()))
        if not self.fragment:
            raise RuntimeError("the list of recordings did not come")
        self.events = await self._connect("/events?batch=1", None)
        self.tasks.append(asyncio.create_task(self._listen()))

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        for socket in (self.stream, self.events):
            await socket.close()

    async def _connect(self, path: str, protocols: list[Subprotocol] | None) -> ClientConnection:
        host = self.url.removeprefix("http://")
        headers = {"Cookie": f"{COOKIE}={self.token}"}
        return await connect(
            f"ws://{host}{path}",
            subprotocols=protocols,
            origin=self.url,  # type: ignore[arg-type]
            additional_headers=headers,
            compression=None,
            max_size=None,
            ping_interval=None,
            open_timeout=60,
            close_timeout=1,
        )

    async def _run(self, message: BackMsg) -> None:
        self.done.clear()
        await self.stream.send(message.SerializeToString())
        await asyncio.wait_for(self.done.wait(), 60)

    async def _read(self) -> None:
        async for raw in self.stream:
            message = ForwardMsg.FromString(raw if isinstance(raw, bytes) else raw.encode())
            kind = message.WhichOneof("type")
            if kind == "script_finished":
                self.done.set()
            elif kind == "delta" and message.delta.new_element.WhichOneof("type") == "bidi_component":
                component = message.delta.new_element.bidi_component
                if component.component_name == "transcriber_job_list":
                    self.fragment = message.delta.fragment_id
                    shown = json.loads(component.json)[0]
                    self.rows = {row["id"]: row["state"] for row in shown["rows"]}
                    self.crowd = shown["crowd"]

    async def _listen(self) -> None:
        async for raw in self.events:
            now = time.perf_counter()
            for news in json.loads(raw):
                self._heard(news, now)

    def _heard(self, news: dict[str, Any], now: float) -> None:
        job_id, state = news["job_id"], news.get("state", "")
        sent = self.times.sent.get((job_id, state))
        if sent and self.times.counting:
            self.times.pushed_s.append(now - sent)
        before = self.rows.get(job_id, self.states.get(job_id))
        if job_id in self.rows:
            self.rows[job_id] = state
        self.states[job_id] = state
        if before != state or "row" not in news:
            self._soon(news["crowd"])

    def _soon(self, crowd: int) -> None:
        if self.waiting:
            return
        self.waiting = True
        own = min(LATEST_S, max(SOONEST_S, BUSY_SHARE * self.took_s))
        pause = max(own, EACH_S * self.crowd) * random.uniform(0.8, 1.2)  # noqa: S311
        self.tasks = [task for task in self.tasks if not task.done()]
        spread = EACH_S * crowd * random.random()  # noqa: S311
        self.tasks.append(
            asyncio.create_task(self._look(max(0.03, spread, self.looked_at + pause - time.perf_counter())))
        )

    async def _look(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        self.waiting = False
        self.looked_at = time.perf_counter()
        await self._run(BackMsg(rerun_script=ClientState(fragment_id=self.fragment)))
        self.took_s = time.perf_counter() - self.looked_at
        if self.times.counting:
            self.times.reruns_s.append(self.took_s)


class Work:
    """Workers' reports, ten changes of state a second: queued jobs are begun, and then fail."""

    def __init__(self, url: str, token: str, job_ids: list[str], times: Times) -> None:
        self.http = httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=httpx.Timeout(120)
        )
        self.job_ids, self.times = job_ids, times
        self.begun: list[str] = []
        self.count = 0

    async def run(self) -> None:
        due = time.perf_counter()
        tasks: set[asyncio.Task[None]] = set()
        while True:
            due += 1 / CHANGES_A_SECOND
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            task = asyncio.create_task(self._change())
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    async def _change(self) -> None:
        if self.begun and (self.count % 2 or not self.job_ids):
            job_id, state = self.begun.pop(0), "failed"
            report = {"kind": "failed", "error": "no sound; send another", "code": "no_audio_track"}
        else:
            job_id, state = self.job_ids.pop(), "ingesting"
            report = {"kind": "started"}
        self.count += 1
        self.times.sent[job_id, state] = time.perf_counter()
        body = report | {"job_id": job_id, "attempt": 1, "worker": "bench", "id": f"{job_id}-{state}"}
        (await self.http.post("/internal/v1/reports", json=body)).raise_for_status()
        if state == "ingesting":
            self.begun.append(job_id)


@contextmanager
def web(folder: Path, people: int, count: int) -> Iterator[tuple[str, int, list[tuple[str, User]], list[str]]]:
    """Run a web process on a full ledger; yield where, its process id, signed-in users, and the jobs that wait."""
    data = folder / "data"
    with Ledger.open(data / "ledger.duckdb") as ledger:
        owners = crowd_material.people(ledger, people)
        crowd_material.jobs(ledger, owners, count, queued=2000)
        signed_in = []
        for owner in owners:
            token, _ = ledger.run(sessions.start, owner, client="bench", now=utc_now(), max_days=1)
            signed_in.append((token, owner))
        with ledger.read() as con:
            waiting = [row[0] for row in con.execute("SELECT id FROM jobs WHERE state = 'queued'").fetchall()]
    port = free_port()
    env = os.environ | {
        "TRANSCRIBER_DATA_DIR": str(data),
        "TRANSCRIBER_PORT": str(port),
        "TRANSCRIBER_WORKER_TOKEN": "bench",
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
    }
    with (folder / "web.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "dashboards"], env=env, stdout=log, stderr=log)
        try:
            await_port(port)
            yield f"http://127.0.0.1:{port}", process.pid, signed_in, waiting
        finally:
            process.terminate()
            process.wait(30)


async def crowd(folder: Path, *, people: int, pages: int, seconds: float, count: int) -> str:
    """Open the pages, let things happen, and return a line of the table."""
    with web(folder, people, count) as (url, pid, signed_in, waiting):
        times = Times()
        random.Random(1).shuffle(waiting)  # noqa: S311
        signed = [signed_in[number % people] for number in range(WARM_PAGES + pages)]
        opened = [Page(url, token, user.id, times) for token, user in signed]
        at_once = asyncio.Semaphore(8)
        fresh = time.perf_counter()
        await opened[0].open()
        fresh = time.perf_counter() - fresh
        await asyncio.gather(*(page.open(at_once) for page in opened[1:WARM_PAGES]))
        first_s = [await first_page(url, signed_in[0][0])]
        before = memory_kib(pid, "VmRSS")
        await asyncio.gather(*(page.open(at_once) for page in opened[WARM_PAGES:]))
        a_page = (memory_kib(pid, "VmRSS") - before) / pages  # before the ledger's own caches grow with the changes
        work = Work(url, "bench", waiting, times)
        working = asyncio.create_task(work.run())
        await asyncio.sleep(15)
        times.counting, busy, own = True, cpu_s(pid), cpu_s(os.getpid())
        began, changes = time.perf_counter(), work.count
        await asyncio.sleep(seconds)
        took_s = time.perf_counter() - began
        done = (work.count - changes) / took_s
        busy, own, times.counting = cpu_s(pid) - busy, cpu_s(os.getpid()) - own, False
        first_s.append(await first_page(url, signed_in[0][0]))
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
        await asyncio.gather(*(page.close() for page in opened), return_exceptions=True)
    every = " | ".join(
        [
            f"{pages:,} of {people:,}",
            f"{done:.1f}",
            f"{len(times.reruns_s) / took_s:.0f}",
            f"{1000 * statistics.median(times.reruns_s):.0f}",
            f"{1000 * percentile(times.reruns_s):.0f}",
            f"{1000 * statistics.median(times.pushed_s):.0f}",
            f"{1000 * percentile(times.pushed_s):.0f}",
            f"{a_page:.0f}",
            f"{100 * busy / took_s:.0f} / {100 * own / took_s:.0f}",
            f"{fresh:.2f}",
            " / ".join("–" if one is None else f"{one:.2f}" for one in first_s),
        ]
    )
    return f"| {every} |"


async def first_page(url: str, token: str) -> float | None:
    """Return the seconds from asking for the address to the rows of the list, in a browser that has never been here."""
    from playwright.async_api import async_playwright

    from tests.browsing import ARGS, chromium_path

    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium_path(), args=list(ARGS))
            context = await browser.new_context()
            await context.add_cookies([{"name": COOKIE, "value": token, "url": url}])
            page = await context.new_page()
            began = time.perf_counter()
            await page.goto(url, wait_until="commit")
            await page.locator(".jobs li a").first.wait_for()
            took_s = time.perf_counter() - began
            await browser.close()
            return took_s
    except Exception as error:  # noqa: BLE001 - without a browser, all else can still be measured
        print(f"no browser: {error}", file=sys.stderr)
        return None


def percentile(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def cpu_s(pid: int) -> float:
    """Return the processor seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure lists of a hundred users, and one list that all look at."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--jobs", type=int, default=100_000)
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    print(
        f"## {asked.pages:,} open lists on one web process, {asked.jobs:,} jobs, {CHANGES_A_SECOND} changes a second\n"
    )
    print(
        "| pages of users | changes/s | reruns/s | rerun, median ms | 95% (wanted: < 500) | pushed, median ms | 95% "
        "| kB a page (wanted: < 100) | CPU %, web / client | fresh, s (wanted: < 1.5) | new browser, idle / busy, s |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|"
    )
    for people in (100, 1):
        with tempfile.TemporaryDirectory(prefix="bench-pages-") as folder:
            line = crowd(Path(folder), people=people, pages=asked.pages, seconds=asked.seconds, count=asked.jobs)
            print(asyncio.run(line), flush=True)
    print(f"\nLoad average {load:.1f} before, {os.getloadavg()[0]:.1f} after. `python -m benchmarks pages`.")


if __name__ == "__main__":
    main()
