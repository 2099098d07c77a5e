"""A 1 GiB recording through the page's own upload protocol, beside plain curl to an endpoint that only writes a file.

    python -m benchmarks.bench_upload [--mib 1024] [--rounds 3]

Memory is the peak of the web process's resident set (VmHWM, reset before each upload) above what it was at rest.
"Until the job" is the time from the last byte to the answer that names the job: hashed, probed, stored, accepted.
"""

import argparse
import base64
import http.client
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

PARTS = 4
CHUNK_BYTES = 32 << 20
BARE = """
import sys, os
import uvicorn

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    with open(sys.argv[2], "wb", buffering=0) as sink:
        while True:
            message = await receive()
            sink.write(message.get("body", b""))
            if not message.get("more_body"):
                break
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})

uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One upload: seconds on the wire, seconds from the last byte to the job, and memory in MiB above rest."""

    sent_s: float
    job_s: float
    growth_mib: float


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_recording(path: Path, mib: int) -> int:
    """Write a valid WAV of noise (16 bit, 48 kHz, stereo) and return its size; over 4 GiB it says "to the end"."""
    size = mib << 20
    whole, sound = (min(length, 0xFFFFFFFF) for length in (size - 8, size - 44))
    header = (
        b"RIFF" + struct.pack("<I", whole) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 2, 48_000, 192_000, 4, 16)
    )
    with path.open("wb") as file:
        file.write(header + b"data" + struct.pack("<I", sound))
        block = os.urandom(1 << 20)
        while file.tell() < size:
            file.write(block[: size - file.tell()])
    return size


def await_port(port: int) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(port)


@contextmanager
def running(command: list[str], port: int, env: dict[str, str] | None = None) -> Iterator[int]:
    """Run a server and yield its process id."""
    process = subprocess.Popen(
        command, env=os.environ | (env or {}), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        await_port(port)
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def memory_kib(pid: int, field: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith(field)))


def watched(pid: int, upload: Callable[[], tuple[float, float]]) -> Measured:
    """Measure one upload from the server's side, too."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    before = memory_kib(pid, "VmRSS")
    sent_s, job_s = upload()
    return Measured(sent_s=sent_s, job_s=job_s, growth_mib=(memory_kib(pid, "VmHWM") - before) / 1024)


def curl(url: str, path: Path, *more: str) -> float:
    """Send a file as a request's body and return the seconds that it took."""
    began = time.perf_counter()
    command = [
        "curl",
        "--silent",
        "--show-error",
        "--fail",
        "--upload-file",
        str(path),
        "--header",
        "Expect:",
        *more,
        url,
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


class Tus:
    """The page's uploader, without a browser."""

    def __init__(self, port: int, key: str) -> None:
        self.port, self.url = port, f"http://127.0.0.1:{port}"
        self.auth = {"Authorization": f"Bearer {key}", "Tus-Resumable": "1.0.0"}
        name = base64.b64encode(b"noise.wav").decode()
        self.http = httpx.Client(
            base_url=self.url, headers=self.auth | {"Upload-Metadata": f"filename {name}"}, timeout=300
        )

    def create(self, length: int, *, partial: bool) -> str:
        headers = {"Upload-Length": str(length)} | ({"Upload-Concat": "partial"} if partial else {})
        return str(self.http.post("/uploads", headers=headers).raise_for_status().headers["location"])

    def patch(self, url: str, path: Path, start: int, count: int, offset: int) -> None:
        """Send a stretch of the file without copying it through this process."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        connection.putrequest("PATCH", url)
        headers = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": offset, "Content-Length": count}
        for name, value in (self.auth | headers).items():
            connection.putheader(name, str(value))
        connection.endheaders()
        with path.open("rb") as file:
            connection.sock.sendfile(file, start, count)
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.client.NO_CONTENT:
            raise RuntimeError(f"PATCH was answered with {answer.status}")
        connection.close()

    def in_parts(self, path: Path, size: int) -> tuple[float, float]:
        """Upload as the page does: parallel parts, each in chunks, put together at the end."""
        began = time.perf_counter()
        each = -(-size // PARTS)
        with ThreadPoolExecutor(PARTS) as pool:
            urls = list(pool.map(lambda n: self._part(path, n * each, min(each, size - n * each)), range(PARTS)))
        sent = time.perf_counter()
        answer = self.http.post("/uploads", headers={"Upload-Concat": "final;" + " ".join(urls)}).raise_for_status()
        self._forget(answer.headers["x-job-id"])
        return sent - began, time.perf_counter() - sent

    def _part(self, path: Path, start: int, length: int) -> str:
        url = self.create(length, partial=True)
        for offset in range(0, length, CHUNK_BYTES):
            self.patch(url, path, start + offset, min(CHUNK_BYTES, length - offset), offset)
        return url

    def in_one(self, path: Path, size: int) -> tuple[float, float]:
        """Upload as one stream by curl; all but the last byte first, so that sending is timed by itself."""
        url = self.create(size, partial=False)
        headers = [f"{name}: {value}" for name, value in (self.auth | {"Upload-Offset": "0"}).items()]
        headers += ["Content-Type: application/offset+octet-stream", f"Content-Length: {size - 1}"]
        with path.open("rb+") as file:
            file.seek(size - 1)
            last = file.read(1)
            file.truncate(size - 1)
        more = [part for header in headers[:-1] for part in ("--header", header)]
        sent_s = curl(f"{self.url}{url}", path, "--request", "PATCH", *more)
        with path.open("ab") as file:
            file.write(last)
        began = time.perf_counter()
        self.patch(url, path, size - 1, 1, size - 1)
        job_s = time.perf_counter() - began
        self._forget(self.http.head(url).headers["x-job-id"])
        return sent_s, job_s

    def _forget(self, job_id: str) -> None:
        """Delete the job, so that the next round stores the same bytes anew."""
        self.http.post(f"/api/v1/jobs/{job_id}/cancel").raise_for_status()
        self.http.delete(f"/api/v1/jobs/{job_id}").raise_for_status()


def key_of(url: str, data_dir: Path) -> str:
    """Make a user with a key, by way of the internal API."""
    headers = {"Authorization": f"Bearer {(data_dir / 'operator-token').read_text().strip()}"}
    with httpx.Client(base_url=url, headers=headers, timeout=60) as web:
        told = web.post("/internal/v1/admin/users", json={"name": "bench"}).raise_for_status().json()
        secret: str = web.post("/internal/v1/admin/keys", json={"user": "bench", "name": "bench"}).json()["secret"]
    with httpx.Client(base_url=url, headers={"Origin": url, "Accept": "application/json"}, timeout=60) as browser:
        browser.post("/auth/session", data={"name": "bench", "password": told["password"]}).raise_for_status()
        new = {"current": told["password"], "new": "a password of one's own"}
        browser.post("/auth/password", data=new).raise_for_status()
    return secret


def main() -> None:
    """Measure in turns and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    if shutil.which("curl") is None:
        raise SystemExit("the baseline is curl, which is not on this machine; install it (apt-get install curl)")
    bare_port, port = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="bench-upload-") as name:
        folder = Path(name)
        size = make_recording(folder / "noise.wav", asked.mib)
        bare = [sys.executable, "-c", BARE, str(bare_port), str(folder / "bare.bin")]
        env = {
            "TRANSCRIBER_DATA_DIR": str(folder / "data"),
            "TRANSCRIBER_PORT": str(port),
        }
        with running(bare, bare_port) as bare_pid, running([sys.executable, "-m", "dashboards"], port, env) as web_pid:
            tus = Tus(port, key_of(f"http://127.0.0.1:{port}", folder / "data"))
            recording = folder / "noise.wav"
            sides: dict[str, tuple[int, Callable[[], tuple[float, float]]]] = {
                "curl to a bare endpoint": (bare_pid, lambda: (curl(f"http://127.0.0.1:{bare_port}/", recording), 0.0)),
                "tus, one stream": (web_pid, lambda: tus.in_one(recording, size)),
                f"tus, {PARTS} parts of {CHUNK_BYTES >> 20} MiB chunks (the page)": (
                    web_pid,
                    lambda: tus.in_parts(recording, size),
                ),
            }
            tus.in_parts(recording, size)
            found: dict[str, list[Measured]] = {side: [] for side in sides}
            for _ in range(asked.rounds):
                for side, (pid, upload) in sides.items():
                    found[side].append(watched(pid, upload))
    show(asked.mib, asked.rounds, found)


def show(mib: int, rounds: int, found: dict[str, list[Measured]]) -> None:
    """Print Markdown: medians, and the most memory of all rounds."""
    medians = {side: statistics.median(one.sent_s for one in each) for side, each in found.items()}
    base = next(iter(medians.values()))
    print(f"## Upload of {mib} MiB, medians of {rounds} rounds in turns\n")
    print("| way | MiB/s | of curl to a bare endpoint | until the job | memory of the web process, most |")
    print("|---|---|---|---|---|")
    for side, each in found.items():
        job_s = statistics.median(one.job_s for one in each)
        until = f"{job_s:.1f} s" if job_s else "–"
        growth = max(one.growth_mib for one in each)
        print(f"| {side} | {mib / medians[side]:.0f} | {base / medians[side]:.2f} | {until} | +{growth:.1f} MiB |")


if __name__ == "__main__":
    main()
