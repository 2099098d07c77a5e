"""What batches of many files are measured with: small recordings, a web process, and jobs that it knows."""

import contextlib
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import httpx
import psutil

from benchmarks.bench_latency import free_port
from benchmarks.speech_material import peak_memory_mb
from storage.files.content_index import ContentIndex, KnownContent
from storage.ledger.database import Ledger

RATE_HZ, SAMPLES = 8000, 400
SECRET = "access,secret"  # noqa: S105 - of a service on this machine
ACCESS, _, SECRET_KEY = SECRET.partition(",")
KEYS = {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_EC2_METADATA_DISABLED": "true"}
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
LIMITS = {f"TRANSCRIBER_RATE_LIMIT_{kind}": "off" for kind in ("API", "GENERAL", "UPLOAD")}
AN_HOUR_S = 3600
EACH_FOLDER, TOGETHER = 1000, 5000
LOOK_EVERY_S = 0.2
OWNER = "SELECT id FROM users WHERE name = 'admin'"
JOBS = """
INSERT INTO jobs (id, owner_id, name, media_sha256, media_bytes, state, lane, options, attempt, version, duration_s,
    speech_s, done_s, model, fingerprint, language, created_at, updated_at, started_at, finished_at, manifest_state)
SELECT 'job-' || key, $owner, 'known.wav', key, 1000, 'completed', 'batch', '{}', 1, 1, 0.1, 0, 0, 'base', 'f', 'en',
    now(), now(), now(), now(), 'completed'
FROM (SELECT unnest($keys::VARCHAR[]) AS key)
"""
JOB_KEYS = """
INSERT INTO job_keys (owner_id, key, number, job_id, created_at)
SELECT $owner, key, md5_number_lower(key), 'job-' || key, now() FROM (SELECT unnest($keys::VARCHAR[]) AS key)
"""


def wav(number: int) -> bytes:
    """Return a twentieth of a second of noise, different for each number."""
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(hashlib.shake_128(str(number).encode()).digest(2 * SAMPLES))
    return target.getvalue()


def write_files(folder: Path, numbers: range) -> None:
    """Write recordings as if an hour ago, a thousand in each subfolder."""
    an_hour_ago = time.time() - AN_HOUR_S
    for number in numbers:
        path = folder / f"{number // EACH_FOLDER:05}" / f"{number:08}.wav"
        if number % EACH_FOLDER == 0 or number == numbers.start:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav(number))
        os.utime(path, (an_hour_ago, an_hour_ago))


def number_of(name: str) -> int:
    """Return the number of a recording by its name."""
    return int(name.rsplit("/", 1)[-1].partition(".")[0])


def know(data_dir: Path, contents: Iterator[KnownContent], key_of: Callable[[str], str]) -> None:
    """Make jobs of recordings, and keep their contents, as batches would have done that accepted them.

    The web process must have been started once, and must not run.
    """
    with contextlib.ExitStack() as stack:
        ledger = Ledger.open(data_dir / "ledger.duckdb")
        stack.callback(ledger.close)
        index = stack.enter_context(ContentIndex.open(data_dir / "batch-index.sqlite3"))
        with ledger.read() as con:
            ((owner,),) = con.execute(OWNER).fetchall()
        while some := list(islice(contents, TOGETHER)):
            keys = {"owner": owner, "keys": [key_of(each.sha256 or "") for each in some]}
            with ledger.write() as con:
                con.execute(JOBS, keys)
                con.execute(JOB_KEYS, keys)
            index.keep(some)


def await_url(url: str) -> None:
    """Wait until a server answers."""
    for _ in range(1800):
        with contextlib.suppress(httpx.TransportError):
            httpx.get(url, timeout=5, trust_env=False)
            return
        time.sleep(0.1)
    raise TimeoutError(url)


@contextlib.contextmanager
def running(command: Sequence[str], url: str, **how: object) -> Iterator[psutil.Process]:
    """Run a server until the block ends."""
    process = subprocess.Popen(command, **QUIET, **how)  # type: ignore[call-overload]
    try:
        await_url(url)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


def rclone(folder: Path, url: str) -> list[str]:
    """Return the command of an S3 service whose buckets are the subfolders of a folder."""
    program = str(Path(sys.executable).with_name("rclone"))
    how = ["--config", os.devnull, "--vfs-cache-mode", "off", "--dir-cache-time", "1h"]
    return [program, "serve", "s3", str(folder), "--addr", url.removeprefix("http://"), "--auth-key", SECRET, *how]


def environment(checkout: Path, data_dir: Path, s3_url: str) -> dict[str, str]:
    """Return the environment of a checkout's processes, without Prefect."""
    port = free_port()
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "TRANSCRIBER_"))}
    env |= KEYS | LIMITS | {"PYTHONPATH": str(checkout), "PREFECT_API_URL": "http://127.0.0.1:9/api", "COLUMNS": "200"}
    env |= {"TRANSCRIBER_DATA_DIR": str(data_dir), "TRANSCRIBER_PORT": str(port)}
    env |= {"TRANSCRIBER_STORAGE_ENDPOINT_URL": s3_url, "TRANSCRIBER_WEB_URL": f"http://127.0.0.1:{port}"}
    return env | {"TRANSCRIBER_ADMIN_PASSWORD": "first-password"}


@contextlib.contextmanager
def web(checkout: Path, env: Mapping[str, str]) -> Iterator[psutil.Process]:
    """Run the web process of a checkout."""
    command, url = [sys.executable, "-m", "flows.cli", "web"], f"{env['TRANSCRIBER_WEB_URL']}/livez"
    with running(command, url, env=env, cwd=checkout) as process:
        yield process


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A command's seconds, processor seconds with the web process's, peak memory of both, and last line."""

    seconds: float
    processor_s: float
    peak_mib: float
    web_mib: float
    said: str


def batch(checkout: Path, env: Mapping[str, str], server: psutil.Process, source: str, *options: str) -> Measured:
    """Run `transcriber batch` and return what it took."""
    began, web_s = time.monotonic(), used_s(server)
    command = [sys.executable, "-m", "flows.cli", "batch", source, *options]
    peaks_mib = [0.0]
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, env=env, cwd=checkout, stdout=out, stderr=subprocess.DEVNULL)
        while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            peaks_mib.append(peak_memory_mb(process.pid))  # `ru_maxrss` has this process's own, from before the start
            time.sleep(LOOK_EVERY_S)
        seconds, usage = time.monotonic() - began, ended[2]
        process.returncode = os.waitstatus_to_exitcode(ended[1])
        out.seek(0)
        said = [line for line in out.read().splitlines() if " accepted" in line]
    assert said, (checkout, process.returncode)
    return Measured(
        seconds=seconds,
        processor_s=usage.ru_utime + usage.ru_stime + used_s(server) - web_s,
        peak_mib=max(peaks_mib),
        web_mib=peak_memory_mb(server.pid),
        said=said[-1].partition(";")[0],
    )


def used_s(process: psutil.Process) -> float:
    """Return the processor seconds of a process and of its children."""
    alive = sum(sum(each.cpu_times()[:2]) for each in process.children(recursive=True))
    return float(sum(process.cpu_times()[:4]) + alive)
