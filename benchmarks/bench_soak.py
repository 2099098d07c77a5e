"""Memory of each process while the whole platform gets a day's requests, one hour's after the other's.

    python -m benchmarks soak [-- --hours 24] [--requests 1000] [--uploads 100] [--pages 12] [--logins 4]

An hour is as many requests of each kind as the standard limits let one person send: API reads of all kinds, uploads of
new recordings that are then transcribed, pages that are opened, run and closed, and log-ins. They come as fast as the
platform takes them, so that a day takes minutes. Memory is read after each quarter of the hours, when nothing is left
to do and the sessions of closed pages are gone, which Streamlit keeps for two minutes: in a real day there is rarely
one of them, and here as many as fit into two minutes. It is flat if the end has what the half had; the first half fills
caches, which are bounded.
"""

import argparse
import asyncio
import os
import random
import re
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil

from benchmarks.bench_idle import resident_mb
from benchmarks.bench_latency import REPO, Running, up
from benchmarks.bench_pages import COOKIE, Page, Times
from benchmarks.bench_short_clips import key_of
from benchmarks.scaling.platform import client, finished, recording, submit

AT_ONCE = 8
CLIP_S = 2.0
CLOSED_FOR_S = 190.0
"""Longer than the session of a closed page is kept: two minutes, and up to one more until somebody looks."""
QUARTERS = 4
GIVEN, OWN = "of no importance", "of little importance"
"""The first administrator's passwords: the one that `up` of the benchmarks sets, and the one chosen then."""
OFF = {f"TRANSCRIBER_RATE_LIMIT_{kind}": "off" for kind in ("AUTH", "UPLOAD", "GENERAL", "ADMIN", "WEBSOCKET")}
KINDS = (
    "/api/v1/me",
    "/api/v1/jobs?limit=20",
    "/api/v1/jobs?limit=50&state=completed",
    "/api/v1/jobs/{job}",
    "/api/v1/jobs/{job}/transcript",
    "/api/v1/jobs/{job}/exports/srt",
    "/api/v1/jobs/{job}/exports/vtt",
    "/api/v1/jobs/{job}/exports/docx",
    "/api/v1/search?q=the",
    "/v1/models",
    "/metrics",
)


def read(http: httpx.Client, jobs: list[str], count: int, order: random.Random) -> None:
    """Send so many reads of all kinds, some at a time; each has to succeed."""
    paths = [order.choice(KINDS).format(job=order.choice(jobs)) for _ in range(count)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for answer in pool.map(http.get, paths):
            answer.raise_for_status()


def transcribe(platform: Running, folder: Path, count: int, first: int) -> list[str]:
    """Send so many new recordings, and wait for their transcripts; return the jobs."""
    paths = [recording(folder / f"{number}.wav", CLIP_S, number) for number in range(first, first + count)]
    with client(platform) as http, ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = list(pool.map(lambda path: submit(http, path), paths))
        finished(http, jobs)
    for path in paths:
        path.unlink()
    return jobs


def log_in(platform: Running) -> str:
    """Log in by the form; return the session's cookie."""
    with httpx.Client(base_url=platform.url, headers={"Origin": platform.url}, trust_env=False) as http:
        for password in (OWN, GIVEN):
            http.post("/auth/session", data={"name": "admin", "password": password})
            if COOKIE in http.cookies:
                break
        if password == GIVEN:
            http.post("/auth/password", data={"current": GIVEN, "new": OWN})
        return http.cookies[COOKIE]


async def look(platform: Running, cookie: str, count: int) -> None:
    """Open so many pages, one after the other; each runs once and is closed."""
    for _ in range(count):
        page = Page(platform.url, cookie, "", Times())
        await page.open()
        await page.close()


def soak(platform: Running, asked: argparse.Namespace, folder: Path) -> dict[int, dict[str, float]]:
    """Return the PSS of each kind of process, in MB, by the hour after which it was read."""
    order, supervisor = random.Random(3), psutil.Process(platform.pid)  # noqa: S311
    ends = [asked.hours * number // QUARTERS for number in range(1, QUARTERS + 1)]
    after: dict[int, dict[str, float]] = {}
    jobs: list[str] = []
    key = key_of(platform, REPO)
    for hour in range(asked.hours):
        jobs += transcribe(platform, folder, asked.uploads, hour * asked.uploads)
        # each hour's own: of connections that the server closed meanwhile, threads close those that others were given
        with httpx.Client(base_url=platform.url, headers=key, timeout=120, trust_env=False) as http:
            read(http, jobs, asked.requests, order)
        cookies = [log_in(platform) for _ in range(asked.logins)]
        asyncio.run(look(platform, cookies[-1], asked.pages))
        if hour + 1 in ends:
            time.sleep(CLOSED_FOR_S)
            after[hour + 1] = by_kind(resident_mb(supervisor))
    return after


def by_kind(processes: dict[str, tuple[float, float]]) -> dict[str, float]:
    """Return the PSS of each kind of process, in MB; a second one of a kind has its process id behind the name."""
    found: dict[str, float] = defaultdict(float)
    for name, (_, pss) in processes.items():
        found[re.sub(r" \d+$", "", name)] += pss
    return {**found, "all": sum(found.values())}


def table(after: dict[int, dict[str, float]]) -> list[str]:
    """Return the memory of each kind of process at the ends of the quarters, and the day's share of the half day's."""
    _, half, _, whole = after.values()
    rows = ["| PSS, MB after hour | " + " | ".join(map(str, after)) + " | last / second |"]
    rows.append("|---" * (len(after) + 2) + "|")
    for name in sorted(whole, key=lambda name: -whole[name] if name != "all" else 0.0):
        values = " | ".join(f"{found.get(name, 0.0):.0f}" for found in after.values())
        share = f"{whole[name] / half[name]:.2f}" if name in half else "–"
        rows.append(f"| {name} | {values} | {share} |")
    return rows


def main() -> None:
    """Soak a platform and print what its processes take."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--requests", type=int, default=1000, help="API reads an hour")
    parser.add_argument("--uploads", type=int, default=100, help="an hour")
    parser.add_argument("--pages", type=int, default=12, help="opened an hour")
    parser.add_argument("--logins", type=int, default=4, help="an hour")
    asked = parser.parse_args()
    if asked.hours < QUARTERS:
        parser.error(f"at least {QUARTERS} hours, one for each quarter")
    began, load = time.monotonic(), os.getloadavg()[0]
    with (
        tempfile.TemporaryDirectory(prefix="bench-soak-") as name,
        up(Path(name, "data"), [], settings=OFF) as platform,
    ):
        after = soak(platform, asked, Path(name))
    print(f"## Requests of {asked.hours} hours, one hour's after the other's\n")
    print("\n".join(table(after)))
    each_s = (time.monotonic() - began) / asked.hours
    print(
        f"\nAn hour: {asked.requests:,} API reads, {asked.uploads} uploads of {CLIP_S:g} s that are transcribed, ",
        end="",
    )
    print(f"{asked.pages} pages and {asked.logins} log-ins, in {each_s:.0f} s. Every request succeeded.")
    print(f"Load average {load:.1f} before. `python -m benchmarks soak`.")


if __name__ == "__main__":
    main()
