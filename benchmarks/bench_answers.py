"""What the cache of answers saves: GET of a job and of a list, without and with it, in turns in one run.

    python -m benchmarks.bench_answers [--rounds 5] [--requests 300]

The app is served by uvicorn in a child process for each side, with 60 jobs of one person in its ledger; this process
asks with one API key over a connection that stays open. "Each 100 ms a commit" has a writer beside it, as reports of a
running job are; every commit makes all kept answers useless.
"""

import argparse
import json
import os
import re
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

JOBS, PAGE = 60, 50
SIDES = ("without", "with")
NOTHING = re.compile("(?!)")


def serve(folder: Path, side: str, port: int) -> None:
    """Serve the app with a ledger of its own; runs in the child."""
    os.environ.update(PREFECT_API_URL="http://127.0.0.1:9/api", TRANSCRIBER_DATA_DIR=str(folder))
    for kind in ("API", "GENERAL", "ADMIN", "UPLOAD", "AUTH"):
        os.environ[f"TRANSCRIBER_RATE_LIMIT_{kind}"] = "off"
    import uvicorn

    from dashboards import serve as serve_module
    from dashboards.app import build
    from dashboards.http.answers import kept_answers
    from storage.domain.settings import Settings
    from storage.files.file_store import Files
    from storage.ledger.database import Ledger

    sys.setswitchinterval(serve_module.SWITCH_S)
    settings = Settings()
    ledger = Ledger.open(settings.storage.ledger_path)
    facts = fill(ledger, Files.from_settings(settings.storage))
    if side == "without":
        kept_answers.KEPT = NOTHING
    config = serve_module.server_config(build(settings, ledger=ledger), settings.web)
    with serve_module._listen("127.0.0.1", port) as listening:
        threading.Thread(target=write_beside, args=(ledger,), daemon=True).start()
        (folder / "facts.json").write_text(json.dumps(facts))
        uvicorn.Server(config).run(sockets=[listening])


def write_beside(ledger: Any) -> None:
    """Commit something for each line on standard input; every commit empties the cache."""
    from storage.ledger import audit

    for _ in sys.stdin:
        ledger.run(lambda con: audit.record(con, actor="system:bench", action="bench", subject="bench", detail={}))


def fill(ledger: Any, files: Any) -> dict[str, str]:
    from storage.accounts import api_keys, users
    from storage.domain.records import JobState, Role
    from tests.factories import job_in

    with ledger.write() as con:
        user = users.create(con, name="bench", password=secrets.token_hex(8), role=Role.MEMBER, actor="system:bench")
    secret, _ = ledger.run(api_keys.create, user_id=user.id, name="bench", actor="system:bench")
    made = [job_in(ledger, files, user, JobState.COMPLETED, name=f"talk {number}.wav") for number in range(JOBS)]
    return {"secret": secret, "job": made[-1].id}


@contextmanager
def served(side: str) -> Iterator[tuple[int, dict[str, str], Any]]:
    with tempfile.TemporaryDirectory() as made, socket.create_server(("127.0.0.1", 0)) as free:
        port, folder = free.getsockname()[1], Path(made)
        free.close()
        command = [sys.executable, "-m", "benchmarks.bench_answers", "--serve", side, str(folder), str(port)]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not (folder / "facts.json").exists():
                assert child.poll() is None, "the server has ended"
                time.sleep(0.2)
            time.sleep(5)  # what starts in the background is done
            yield port, json.loads((folder / "facts.json").read_text()), child
        finally:
            child.terminate()
            child.wait(20)


class Client:
    """One connection that stays open."""

    def __init__(self, port: int, secret: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.head = f"Host: localhost\r\nAuthorization: Bearer {secret}\r\nAccept-Encoding: identity\r\n"

    def get(self, path: str, tag: str = "") -> tuple[int, str]:
        """Return the status and the tag of the answer."""
        asked = f"If-None-Match: {tag}\r\n" if tag else ""
        self.socket.sendall(f"GET {path} HTTP/1.1\r\n{self.head}{asked}\r\n".encode())
        status, length, found = int(self.file.readline().split()[1]), 0, ""
        while (line := self.file.readline().strip()) != b"":
            name, _, value = line.decode().partition(": ")
            length = int(value) if name.lower() == "content-length" else length
            found = value if name.lower() == "etag" else found
        self.file.read(length)
        return status, found


def rate(server: psutil.Process, client: Client, path: str, requests: int, tag: str = "") -> tuple[float, float]:
    """Return requests a second, and the milliseconds of the server's processor that each took."""
    began, used = time.perf_counter(), server.cpu_times()
    for _ in range(requests):
        client.get(path, tag)
    now = server.cpu_times()
    took_ms = 1000 * (now.user + now.system - used.user - used.system)
    return requests / (time.perf_counter() - began), took_ms / requests


def middle(taken: list[tuple[float, float]]) -> tuple[float, float]:
    rates, times_ms = zip(*taken, strict=True)
    return statistics.median(rates), statistics.median(times_ms)


def ticking(pipe: Any, over: threading.Event) -> None:
    while not over.wait(0.1):
        pipe.write(b"\n")
        pipe.flush()


def measure(rounds: int, requests: int) -> None:
    before = os.getloadavg()[0]
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    with served("without") as without, served("with") as with_cache:
        sides = dict(zip(SIDES, (without, with_cache), strict=True))
        for number in range(rounds + 1):
            for side, (port, facts, child) in sides.items():
                cases = {
                    f"a list of {PAGE}": ("/api/v1/jobs", False, False),
                    f"a list of {PAGE}, 304": ("/api/v1/jobs", True, False),
                    f"a list of {PAGE}, each 100 ms a commit": ("/api/v1/jobs", False, True),
                    "a job": (f"/api/v1/jobs/{facts['job']}", False, False),
                    "a job, 304": (f"/api/v1/jobs/{facts['job']}", True, False),
                    "a job, each 100 ms a commit": (f"/api/v1/jobs/{facts['job']}", False, True),
                    "who asks (`/me`, nothing to read)": ("/api/v1/me", False, False),
                }
                for name, (path, tagged, written) in cases.items():
                    client = Client(port, facts["secret"])
                    status, tag = client.get(path)
                    assert status == 200, (name, status)
                    over = threading.Event()
                    beside = threading.Thread(target=ticking, args=(child.stdin, over))
                    if written:
                        beside.start()
                    reached = rate(psutil.Process(child.pid), client, path, requests, tag if tagged else "")
                    over.set()
                    if number:  # the first round warms up
                        found.setdefault(name, {}).setdefault(side, []).append(reached)
    print("## Answers of the API without and with a cache, one connection, medians of the rounds\n")
    print("| answer | requests a second | with | times | ms of the processor a request | with |")
    print("|---|---|---|---|---|---|")
    for name, by_side in found.items():
        (plain, plain_ms), (kept, kept_ms) = (middle(by_side[side]) for side in SIDES)
        print(f"| {name} | {plain:.0f} | {kept:.0f} | {kept / plain:.1f} | {plain_ms:.1f} | {kept_ms:.1f} |")
    print(f"\nLoad average {before:.1f} before, {os.getloadavg()[0]:.1f} after: other work ran beside.")
    print("`python -m benchmarks answers`.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--serve", nargs=3)
    asked = parser.parse_args()
    if asked.serve:
        side, folder, port = asked.serve
        serve(Path(folder), side, int(port))
    else:
        measure(asked.rounds, asked.requests)


if __name__ == "__main__":
    main()
