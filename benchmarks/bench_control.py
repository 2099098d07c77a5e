"""What people decide while a batch holds all slots: the seconds until it holds, beside another commit.

python -m benchmarks.bench_control [--rounds 3] [--baseline COMMIT] [--model FOLDER]

A person's recording is heard once the engine has transcribed the first seconds of it. A recording is at rest once
Prefect has no flow run of it that goes on.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx

from benchmarks.bench_latency import REPO, Running, up
from benchmarks.bench_speech import checked_out
from benchmarks.scaling.platform import client, job, recording, submit
from benchmarks.speech_material import TINY_MODEL
from flows.platform import deploy

BATCH_S, OWN_S, CLIP_S = 600.0, 150.0, 20.0
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
SETTINGS = {"TRANSCRIBER_RATE_LIMIT_UPLOAD": "off", "TRANSCRIBER_RATE_LIMIT_GENERAL": "off"}
ASK_EVERY_S, PATIENCE_S = 0.05, 300.0


@dataclass(kw_only=True)
class Control:
    """A platform with a batch under way, and a person's recordings beside it."""

    platform: Running
    http: httpx.Client
    prefect: httpx.Client
    key: str
    folder: Path
    taken_s: dict[str, list[float]] = field(default_factory=dict)
    _number: int = 0

    def send(self, seconds: float, lane: str) -> str:
        self._number += 1
        path = recording(self.folder / f"{self._number}.wav", seconds, self._number)
        return submit(self.http, path, lane=lane)

    def order(self, job_id: str, path: str = "", **body: str) -> None:
        url, headers = f"{self.platform.url}/api/v1/jobs/{job_id}{path}", {"Authorization": f"Bearer {self.key}"}
        method = "POST" if path else "PATCH"
        httpx.request(method, url, headers=headers, json=body or None, timeout=60, trust_env=False).raise_for_status()

    def until(self, what: str, holds: Callable[[], bool], *, since: float) -> None:
        while not holds():
            if time.monotonic() - since > PATIENCE_S:
                raise TimeoutError(what)
            time.sleep(ASK_EVERY_S)
        self.taken_s.setdefault(what, []).append(time.monotonic() - since)
        print(f"{what}: {self.taken_s[what][-1]:.1f} s", file=sys.stderr, flush=True)

    def is_heard(self, job_id: str) -> bool:
        now = job(self.http, job_id)
        return bool(now["done_s"] > 0 or now["state"] == "completed")

    def is_at_rest(self, job_id: str) -> bool:
        query = {"flow_runs": {"tags": {"all_": [f"job:{job_id}"]}}, "limit": 200}
        runs = self.prefect.post("/flow_runs/filter", json=query).raise_for_status().json()
        return all(run["state_type"] in ENDED for run in runs)

    def round(self, batch: list[str]) -> None:
        """Give each order once; the batch is replenished so that it holds all slots throughout."""
        clip = self.send(CLIP_S, "interactive")
        self.until("a new clip, until it is heard", lambda: self.is_heard(clip), since=time.monotonic())
        own = self.send(OWN_S, "interactive")
        self.order(own, "/cancel")
        time.sleep(3)
        began = time.monotonic()
        self.order(own, "/retry")
        self.until("retry, until it is heard", lambda: self.is_heard(own), since=began)
        self.finished(own)
        moved = batch.pop()
        began = time.monotonic()
        self.order(moved, lane="interactive")
        self.until("from batch to interactive, until it is heard", lambda: self.is_heard(moved), since=began)
        self.order(moved, "/cancel")
        for what in ("cancel", "pause"):
            under_way = next(each for each in batch if job(self.http, each)["done_s"] > 0)
            batch.remove(under_way)
            began = time.monotonic()
            self.order(under_way, f"/{what}")
            self.until(f"{what}, until it is at rest", partial(self.is_at_rest, under_way), since=began)
            if what == "pause":
                self.order(under_way, "/cancel")
            batch.insert(0, self.send(BATCH_S, "batch"))

    def finished(self, job_id: str) -> None:
        while job(self.http, job_id)["state"] != "completed":
            time.sleep(ASK_EVERY_S)


def measured(checkout: Path, folder: Path, model: str, rounds: int) -> dict[str, list[float]]:
    folder.mkdir()
    with up(folder / "data", [], checkout=checkout, settings=SETTINGS, model=model) as platform:
        env = os.environ | {"PYTHONPATH": str(checkout), "TRANSCRIBER_DATA_DIR": str(platform.data_dir)}
        env["TRANSCRIBER_PORT"] = platform.url.rpartition(":")[2]
        command = [sys.executable, "-m", "flows.cli", "admin", "create-key", "admin"]
        told = subprocess.run(command, env=env, cwd=checkout, check=True, stdout=subprocess.PIPE, text=True).stdout
        key = next(word for word in told.split() if word.startswith("wt_"))
        auth = (platform.data_dir / "prefect-auth").read_text().strip()
        with client(platform) as http, deploy.prefect_http(platform.prefect, auth=auth) as prefect:
            control = Control(platform=platform, http=http, prefect=prefect, key=key, folder=folder)
            batch = [control.send(BATCH_S, "batch") for _ in range(8)]
            while sum(job(http, each)["done_s"] > 0 for each in batch) < 2:
                time.sleep(ASK_EVERY_S)
            for _ in range(rounds):
                control.round(batch)
            for each in batch:
                with suppress(httpx.HTTPStatusError):
                    control.order(each, "/cancel")
    return control.taken_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--baseline", default="", help="commit; empty: none")
    parser.add_argument("--model", default=os.environ.get("TRANSCRIBER_BENCH_MODEL", str(TINY_MODEL)))
    asked = parser.parse_args()
    load, found = os.getloadavg()[0], dict[str, dict[str, list[float]]]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sides = {asked.baseline: checked_out(asked.baseline, folder)} if asked.baseline else {}
        for side, checkout in {**sides, "now": REPO}.items():
            found[side] = measured(checkout, folder / f"of-{side}", asked.model, asked.rounds)
    print("## What people decide while a batch holds all slots\n")
    print("Seconds, median and longest: " + f"model `{Path(asked.model).name}`, {asked.rounds} rounds; wanted: 5.\n")
    print("| | " + " | ".join(found) + " |")
    print("|---|" + "---|" * len(found))
    for what in found["now"]:
        told = [f"{statistics.median(each[what]):.1f}; {max(each[what]):.1f}" for each in found.values()]
        print(f"| {what} | " + " | ".join(told) + " |")
    print(f"\nLoad average {load:.1f} before. `python -m benchmarks control`.")


if __name__ == "__main__":
    main()
