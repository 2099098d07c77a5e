"""A platform with a given number of workers of one thread, and what its jobs and spans took."""

import contextlib
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import soundfile

from benchmarks.bench_latency import REPO, Running, up
from benchmarks.speech_material import TINY_MODEL, TINY_SPEECH
from tasks.audio.decode import SAMPLE_RATE_HZ
from tests.tasks.sounds import decoded

SPAN_MAX_S = 30.0
ONE_THREAD = {
    "TRANSCRIBER_NUM_WORKERS": "1",
    "TRANSCRIBER_CPU_THREADS": "1",
    "TRANSCRIBER_DEVICE": "cpu",
    "TRANSCRIBER_SPAN_MAX_S": f"{SPAN_MAX_S:g}",
    "TRANSCRIBER_RATE_LIMIT_UPLOAD": "off",
    "TRANSCRIBER_RATE_LIMIT_GENERAL": "off",
}
ENDED = {"completed", "failed", "cancelled"}
LOOK_EVERY_S = 0.5
PATIENCE_S = 3600.0


def recording(target: Path, seconds: float, seed: int, clips: Sequence[Path] = ()) -> Path:
    """Write clips in an order that no other seed has, so that no span was transcribed before.

    Without `clips`, they are the tests' voices.
    """
    order = random.Random(seed)  # noqa: S311
    voices = [decoded(path) for path in clips or sorted(TINY_SPEECH.glob("*.flac"))]
    parts, samples = [np.zeros(SAMPLE_RATE_HZ // 2, dtype=np.float32)], 0
    while samples < seconds * SAMPLE_RATE_HZ:
        pause = np.zeros(int(SAMPLE_RATE_HZ * (0.6 + order.random())), dtype=np.float32)
        parts += [order.choice(voices), pause]
        samples += len(parts[-2]) + len(pause)
    whole = np.concatenate(parts)[: int(seconds * SAMPLE_RATE_HZ)]
    soundfile.write(target, whole, SAMPLE_RATE_HZ, subtype="PCM_16")
    return target


@contextlib.contextmanager
def workers(platform: Running, count: int, *, settings: Mapping[str, str]) -> Iterator[None]:
    """Run so many gpu workers beside the platform's own."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "TRANSCRIBER_"))}
    env |= {
        **settings,
        "TRANSCRIBER_DATA_DIR": str(platform.data_dir),
        "TRANSCRIBER_WEB_URL": platform.url,
        "PREFECT_API_URL": platform.prefect,
        "PREFECT_HOME": str(platform.data_dir / "prefect"),
        "PYTHONPATH": str(REPO),
    }
    command = [sys.executable, "-m", "flows.cli", "worker", "--pool", "gpu"]
    with contextlib.ExitStack() as running:
        for _ in range(count):
            process = running.enter_context(subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL))
            running.callback(process.wait, 60)
            running.callback(process.terminate)
        _wait_for_slots(platform, 1 + count)
        yield


def _wait_for_slots(platform: Running, count: int) -> None:
    until = time.monotonic() + 900
    with client(platform) as http:
        while time.monotonic() < until:
            if f'transcriber_worker_slots{{pool="gpu"}} {count}.0' in http.get("/metrics").text:
                return
            time.sleep(LOOK_EVERY_S)
    raise TimeoutError(f"{count} workers are not ready")


def client(platform: Running) -> httpx.Client:
    """Return a client with the command line's token."""
    return httpx.Client(base_url=platform.url, headers=platform.headers, timeout=120, trust_env=False)


def submit(http: httpx.Client, path: Path, *, owner: str = "admin", lane: str = "interactive") -> str:
    """Send a recording, and return its job's id."""
    with path.open("rb") as opened:
        sent = http.post("/internal/v1/jobs", data={"owner": owner, "lane": lane}, files={"file": (path.name, opened)})
    return str(sent.raise_for_status().json()["id"])


def job(http: httpx.Client, job_id: str) -> dict[str, Any]:
    """Return a job as the ledger has it."""
    return dict(http.get(f"/internal/v1/jobs/{job_id}").raise_for_status().json())


def finished(http: httpx.Client, job_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Wait until all jobs are completed, and return them.

    Raises:
        RuntimeError: one failed or was cancelled.
    """
    until, found = time.monotonic() + PATIENCE_S, dict[str, dict[str, Any]]()
    while time.monotonic() < until:
        for job_id in job_ids:
            if job_id not in found and (now := job(http, job_id))["state"] in ENDED:
                if now["state"] != "completed":
                    raise RuntimeError(f"the job is {now['state']}: {now['error']}")
                found[job_id] = now
            elif job_id not in found:
                break  # they end about in their order
        if len(found) == len(job_ids):
            return [found[job_id] for job_id in job_ids]
        time.sleep(LOOK_EVERY_S)
    raise TimeoutError


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanRun:
    """A span's flow run as Prefect saw it, and the engine's part."""

    index: int
    created: datetime
    began: datetime
    ended: datetime
    engine_s: float
    speech_s: float


def span_runs(platform: Running, http: httpx.Client, job_id: str) -> list[SpanRun]:
    """Return the flow runs of a job's spans, in the order of their beginning."""
    from flows.platform import deploy

    rows = {row["index"]: row for row in http.get(f"/internal/v1/jobs/{job_id}/spans").raise_for_status().json()}
    query = {"flow_runs": {"tags": {"all_": [f"job:{job_id}"]}}, "sort": "ID_DESC", "limit": 200}
    with deploy.prefect_http(platform.prefect, auth=(platform.data_dir / "prefect-auth").read_text().strip()) as asked:
        runs = asked.post("/flow_runs/filter", json=query).raise_for_status().json()
    found = []
    for run in runs:
        if "index" in run["parameters"] and run["start_time"] and run["end_time"]:
            row = rows[run["parameters"]["index"]]
            found.append(
                SpanRun(
                    index=row["index"],
                    created=datetime.fromisoformat(run["created"]),
                    began=datetime.fromisoformat(run["start_time"]),
                    ended=datetime.fromisoformat(run["end_time"]),
                    engine_s=row["engine_s"] or 0.0,
                    speech_s=sum(end - start for start, end in run["parameters"]["speech"]),
                )
            )
    return sorted(found, key=lambda each: each.began)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What the shared parts have spent until now: processor seconds, and the ledger's writes."""

    web_s: float
    prefect_s: float
    writes: float
    write_s: float

    def since(self, before: "Spent") -> "Spent":
        return Spent(**{name: getattr(self, name) - getattr(before, name) for name in self.__dataclass_fields__})


def spent(platform: Running, http: httpx.Client) -> Spent:
    """Return what web process, Prefect server and ledger have spent since their start."""
    metrics = dict(re.findall(r"^(\w+) ([0-9.e+-]+)$", http.get("/metrics").text, re.MULTILINE))
    return Spent(
        web_s=_processor_s(platform, "flows.cli", "web"),
        prefect_s=_processor_s(platform, "flows.platform.prefect_server"),
        writes=float(metrics["transcriber_ledger_writes_total"]),
        write_s=float(metrics["transcriber_ledger_write_seconds_total"]),
    )


def _processor_s(platform: Running, *words: str) -> float:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            ours = process.environ().get("TRANSCRIBER_DATA_DIR") == str(platform.data_dir)
            if ours and all(word in process.cmdline() for word in words):
                return sum(process.cpu_times()[:2])
    raise RuntimeError(f"no process {words}")


@contextlib.contextmanager
def platform_of(
    folder: Path, count: int, settings: Mapping[str, str] | None = None, *, model: str = str(TINY_MODEL)
) -> Iterator[tuple[Running, httpx.Client]]:
    """Run a platform with `count` gpu workers of one thread, each with one slot."""
    chosen = {**ONE_THREAD, **(settings or {})}
    with (
        up(folder / "data", [], model=model, settings=chosen) as platform,
        workers(platform, count - 1, settings=chosen),
        client(platform) as http,
    ):
        yield platform, http
