"""A batch of mostly known objects in a bucket, beside another checkout in one run.

    python -m benchmarks.bench_batch [--objects 100000] [--known 0.9] [--checkout FOLDER]

Each side has a web process and a data dir of its own, and reads the same bucket of an S3 service on this machine
(moto). The known objects are sent once; then the others are put beside them, and `transcriber batch` lists all. No
worker runs, so that jobs wait. Memory is the peak of the command's resident set.
"""

import argparse
import contextlib
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import psutil
import soundfile

from benchmarks.bench_latency import REPO
from benchmarks.bench_upload import free_port

KEYS = {"AWS_ACCESS_KEY_ID": "access", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true"}
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
RATE_HZ, SAMPLES = 8000, 800
SOURCE = "s3://store/in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A side: a checkout, its name, and the environment of its processes."""

    name: str
    folder: Path
    env: dict[str, str]
    web: psutil.Process


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Seconds of a command, processor seconds with the web process's, its peak memory in MiB, and its last line."""

    seconds: float
    processor_s: float
    peak_mib: float
    said: str


def wav(number: int) -> bytes:
    """Return a tenth of a second of noise, different for each number."""
    noise = np.random.default_rng(number).integers(-3000, 3000, SAMPLES, dtype=np.int16)
    file = io.BytesIO()
    soundfile.write(file, noise, RATE_HZ, format="WAV")
    return file.getvalue()


def await_url(url: str) -> None:
    for _ in range(1800):
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, timeout=5, trust_env=False).is_success:
                return
        time.sleep(0.1)
    raise TimeoutError(url)


@contextlib.contextmanager
def running(command: list[str], url: str, **how: object) -> Iterator[psutil.Process]:
    process = subprocess.Popen(command, **QUIET, **how)  # type: ignore[call-overload]
    try:
        await_url(url)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


@contextlib.contextmanager
def side(name: str, checkout: Path, folder: Path, s3_url: str) -> Iterator[Checkout]:
    """Run the web process of a checkout."""
    port = free_port()
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "TRANSCRIBER_"))}
    env |= KEYS | {"PYTHONPATH": str(checkout), "PREFECT_API_URL": "http://127.0.0.1:9/api", "COLUMNS": "200"}
    env |= {"TRANSCRIBER_DATA_DIR": str(folder), "TRANSCRIBER_PORT": str(port)}
    env |= {"TRANSCRIBER_STORAGE_ENDPOINT_URL": s3_url, "TRANSCRIBER_WEB_URL": f"http://127.0.0.1:{port}"}
    env |= {"TRANSCRIBER_ADMIN_PASSWORD": "first-password"}
    web = [sys.executable, "-m", "flows.cli", "web"]
    with running(web, f"http://127.0.0.1:{port}/livez", env=env, cwd=checkout) as process:
        yield Checkout(name=name, folder=checkout, env=env, web=process)


def used_s(process: psutil.Process) -> float:
    """Return the processor seconds of a process and of its children."""
    alive = sum(sum(each.cpu_times()[:2]) for each in process.children(recursive=True))
    return float(sum(process.cpu_times()[:4]) + alive)


def batch(checkout: Checkout) -> Measured:
    """Run `transcriber batch` over the bucket."""
    began, web_s = time.monotonic(), used_s(checkout.web)
    command = [sys.executable, "-m", "flows.cli", "batch", SOURCE, "--recursive"]
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(
            command, env=checkout.env, cwd=checkout.folder, stdout=out, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said = [line for line in out.read().splitlines() if " accepted" in line]
    assert process.returncode == 0, (checkout.name, process.returncode, said)
    return Measured(
        seconds=time.monotonic() - began,
        processor_s=usage.ru_utime + usage.ru_stime + used_s(checkout.web) - web_s,
        peak_mib=usage.ru_maxrss / 1024,
        said=said[-1].partition(";")[0],
    )


def put(s3_url: str, numbers: range) -> None:
    """Put objects into the bucket, a thousand below each prefix."""
    with httpx.Client(base_url=s3_url, timeout=120, trust_env=False) as http, ThreadPoolExecutor(4) as pool:

        def one(number: int) -> None:
            http.put(f"/store/in/{number // 1000:05}/{number:08}.wav", content=wav(number)).raise_for_status()

        list(pool.map(one, numbers))


def measure(sides: list[Checkout], s3_url: str, objects: int, known: int) -> dict[str, list[Measured]]:
    """Return the measurements of each side: the known ones when they are new, all, and all again."""
    found: dict[str, list[Measured]] = {each.name: [] for each in sides}
    put(s3_url, range(known))
    for numbers in (range(0), range(known, objects), range(0)):
        put(s3_url, numbers)
        for each in sides:
            found[each.name].append(batch(each))
            print(f"… {each.name}: {found[each.name][-1]}", file=sys.stderr)
    return found


def show(objects: int, known: int, found: dict[str, list[Measured]]) -> None:
    """Print Markdown: a row for each run of a checkout."""
    ours = found["this checkout"]
    runs = (f"{known:,} objects, all new", f"{objects:,} objects, {known:,} known", f"{objects:,} objects, all known")
    print(f"## A batch of {objects:,} objects in a bucket\n")
    print("| run | checkout | seconds | its / ours | processor s, command and web | its / ours | command, MiB |")
    print("|---|---|---|---|---|---|---|")
    for place, what in enumerate(runs):
        for name, measured in found.items():
            its, own = measured[place], ours[place]
            print(
                f"| {what} | {name} | {its.seconds:.1f} | {its.seconds / own.seconds:.1f} | {its.processor_s:.1f} ",
                end="",
            )
            print(f"| {its.processor_s / own.processor_s:.1f} | {its.peak_mib:.0f} |")
    print("\n" + "; ".join(f"{name}: {each[1].said}, then {each[2].said}" for name, each in found.items()) + ".")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--known", type=float, default=0.9)
    parser.add_argument("--checkout", type=Path)
    asked = parser.parse_args()
    load_before, known = os.getloadavg()[0], round(asked.objects * asked.known)
    s3_url = f"http://127.0.0.1:{free_port()}"
    moto = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", s3_url.rpartition(":")[2]]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-batch-")))
        stack.enter_context(running(moto, f"{s3_url}/moto-api/"))
        httpx.put(f"{s3_url}/store", timeout=60, trust_env=False).raise_for_status()
        sides = [stack.enter_context(side("this checkout", REPO, folder / "ours", s3_url))]
        if asked.checkout:
            sides.append(stack.enter_context(side("the other checkout", asked.checkout, folder / "its", s3_url)))
        found = measure(sides, s3_url, asked.objects, known)
    show(asked.objects, known, found)
    print(f"\nLoad average {load_before:.1f} before, {os.getloadavg()[0]:.1f} after. `python -m benchmarks batch`.")


if __name__ == "__main__":
    main()
