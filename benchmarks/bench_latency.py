"""Measure latency: start, submission to the first line of a flow, a clip to its subtitles.

python -m benchmarks.bench_latency [--runs 20] [--clips 9]

Starts the whole platform, in its own folder and on its own ports, with the tests' tiny model. The load average and
other work of the machine matter: the figures are of this run.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile

from benchmarks.speech_material import TINY_MODEL, TINY_SPEECH
from flows.platform import deploy
from storage.domain import names

REPO = Path(__file__).parents[1]
CLIP_S = 10.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A platform that is up; `ready_s` is what it took."""

    url: str
    prefect: str
    data_dir: Path
    ready_s: float
    pid: int

    @property
    def headers(self) -> dict[str, str]:
        new = (self.data_dir / "prefect-auth").exists()  # in older checkouts, workers' token makes jobs
        token = self.data_dir / ("operator-token" if new else "worker-token")
        return {"Authorization": f"Bearer {token.read_text().strip()}"}


@contextlib.contextmanager
def up(
    data_dir: Path,
    stopped_s: list[float],
    *,
    checkout: Path = REPO,
    model: str = str(TINY_MODEL),
    settings: Mapping[str, str] | None = None,
    python: str = sys.executable,
) -> Iterator[Running]:
    """Start everything of a checkout, and stop it at the end; appends the seconds that stopping took."""
    port, prefect_port = free_port(), free_port()
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "TRANSCRIBER_"))} | {
        "TRANSCRIBER_RATE_LIMIT_API": "off",  # a benchmark asks many times a second
        "TRANSCRIBER_DATA_DIR": str(data_dir),
        "TRANSCRIBER_PORT": str(port),
        "TRANSCRIBER_MODEL": model,
        "TRANSCRIBER_ADMIN_PASSWORD": "of no importance",
        "PREFECT_SERVER_API_PORT": str(prefect_port),
        "PYTHONPATH": str(checkout),
        **(settings or {}),
    }
    started = time.monotonic()
    with subprocess.Popen(
        [python, "-m", "flows.cli", "up"], env=env, cwd=checkout, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            if not any(line.startswith("Ready after") for line in process.stdout):
                raise RuntimeError("the platform did not start")
            yield Running(
                url=f"http://127.0.0.1:{port}",
                prefect=f"http://127.0.0.1:{prefect_port}/api",
                data_dir=data_dir,
                ready_s=time.monotonic() - started,
                pid=process.pid,
            )
        finally:
            stopping = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait(60)
            stopped_s.append(time.monotonic() - stopping)


def first_lines(platform: Running, runs: int) -> list[float]:
    """Return the seconds from the request that makes a flow run to the first line of its code, run after run."""
    folder = Path(tempfile.mkdtemp())
    kept = platform.data_dir / "prefect-auth"  # older checkouts have none
    with deploy.prefect_http(platform.prefect, auth=kept.read_text().strip() if kept.exists() else None) as http:
        flow = http.post("/flows/", json={"name": "mark"}).raise_for_status().json()
        body = {"name": "mark", "flow_id": flow["id"], "work_pool_name": "cpu", "work_queue_name": "interactive"}
        body |= {"entrypoint": "tests/flows/small_flows.py:mark", "path": ".", "enforce_parameter_schema": False}
        deployment = http.post("/deployments/", json=body).raise_for_status().json()["id"]
        delays_s = []
        for number in range(runs + 1):
            mark, submitted = folder / f"{number}", time.time()
            parameters = {"folder": str(folder), "name": mark.name}
            path = f"/deployments/{deployment}/create_flow_run"
            http.post(path, json={"parameters": parameters}).raise_for_status()
            delays_s.append(float(wait_for(lambda mark=mark: mark.exists() and mark.read_text())) - submitted)  # type: ignore[misc]
            time.sleep(0.3)
    return delays_s[1:]  # the first one imports the flow


def clip(number: int) -> Path:
    """Return a WAV file with ten seconds of speech and pauses that no other number has."""
    order = random.Random(number)  # noqa: S311
    rows = json.loads((TINY_SPEECH / "speech.json").read_text())
    order.shuffle(rows)
    parts: list[Any] = []
    for row in rows:
        parts += [soundfile.read(TINY_SPEECH / row["file"], dtype="float32")[0], np.zeros(4000 + order.randrange(4000))]
    path = Path(tempfile.mkdtemp(), f"clip-{number}.wav")
    soundfile.write(path, np.concatenate(parts)[: int(CLIP_S * 16_000)], 16_000, subtype="PCM_16")
    return path


def clip_to_subtitles(platform: Running, number: int) -> float:
    """Return the seconds from sending a ten-second clip to its SRT file on disk."""
    path = clip(number)
    with httpx.Client(base_url=platform.url, headers=platform.headers, timeout=60) as http:
        started = time.monotonic()
        with path.open("rb") as opened:
            form = {"lane": "interactive"}
            sent = http.post("/internal/v1/jobs", data=form, files={"file": (path.name, opened)}).raise_for_status()
        job_id = sent.json()["id"]
        exports = platform.data_dir / "store" / names.exports_folder(job_id)
        wait_for(lambda: list(exports.glob("*.srt")))
        taken_s = time.monotonic() - started
        wait_for(lambda: http.get(f"/internal/v1/jobs/{job_id}").json()["state"] == "completed")
    return taken_s


def wait_for(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.01)
    raise TimeoutError


def row(what: str, values_s: list[float], wanted: str) -> str:
    ordered = sorted(values_s)
    high = ordered[min(len(ordered) - 1, round(0.9 * len(ordered)))]
    return f"| {what} | {len(ordered)} | {statistics.median(ordered):.2f} | {high:.2f} | {wanted} |"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--clips", type=int, default=9)
    asked = parser.parse_args()
    data_dir, stopped_s = Path(tempfile.mkdtemp(), "data"), list[float]()
    load_before = os.getloadavg()[0]
    with up(data_dir, stopped_s) as platform:
        fresh_s = platform.ready_s
        clip_to_subtitles(platform, 0)
        clips_s = [clip_to_subtitles(platform, number) for number in range(1, asked.clips + 1)]
        lines_s = first_lines(platform, asked.runs)
    with up(data_dir, stopped_s) as platform:
        again_s = platform.ready_s
    print("## Latency\n")
    print("| seconds | runs | median | 90% | wanted |")
    print("|---|---|---|---|---|")
    print(row("`up` to ready, new data", [fresh_s], "< 15"))
    print(row("`up` to ready, data from before", [again_s], "< 15"))
    print(row("flow run submitted to its first line of code, warm", lines_s, "< 1"))
    print(row("10-second clip submitted to its SRT on disk, tiny model", clips_s, "< 4"))
    print(row("SIGTERM to everything stopped", stopped_s, "< 10"))
    print(f"\nLoad average {load_before:.1f} before, {os.getloadavg()[0]:.1f} after. `python -m benchmarks latency`.")


if __name__ == "__main__":
    main()
