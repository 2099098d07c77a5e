"""A batch waits: when a new person's clip begins, and whether the batch's places in line foretell their end.

python -m benchmarks.bench_fairness [--batch 500] [--seconds 90] [--clips 3]

One worker of one thread. The platform says when each waiting recording will be done, as in the list of recordings; that
is compared with the recordings' ends.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx

from benchmarks.bench_latency import REPO, Running
from benchmarks.scaling.platform import LOOK_EVERY_S, SpanRun, job, platform_of, recording, span_runs, submit

CLIP_S = 30.0
WITHIN = 1.5
ASK_EVERY_S = 10.0
AT_ONCE = 8
LOOK_AHEAD = 10


@dataclass(kw_only=True)
class Batch:
    """The recordings of the batch in their order, and what the platform foretold of each, and when."""

    ids: list[str]
    ended: dict[str, float] = field(default_factory=dict)
    foretold: list[tuple[str, float, float]] = field(default_factory=list)
    _asked_at: float = 0.0

    def look(self, http: httpx.Client) -> None:
        """Look at the next unfinished recordings; ask now and then when the waiting ones will end."""
        for job_id in [each for each in self.ids if each not in self.ended][:LOOK_AHEAD]:
            if job(http, job_id)["state"] == "completed":
                self.ended[job_id] = time.monotonic()
        if time.monotonic() - self._asked_at > ASK_EVERY_S:
            self._asked_at = time.monotonic()
            for row in http.get("/internal/v1/queue").raise_for_status().json():
                if row["done_in_s"] is not None:
                    self.foretold.append((row["id"], self._asked_at, row["done_in_s"]))

    def ratios(self) -> list[float]:
        """Return foretold over real waits, as factors of at least 1."""
        found = []
        for job_id, at, wait_s in self.foretold:
            if job_id in self.ended:  # and no clip of somebody else
                real_s = self.ended[job_id] - at
                found.append(max(wait_s / real_s, real_s / wait_s))
        return found


def new_person(platform: Running, name: str) -> None:
    """Make an account."""
    env = os.environ | {"PYTHONPATH": str(REPO), "TRANSCRIBER_DATA_DIR": str(platform.data_dir)}
    env["TRANSCRIBER_PORT"] = platform.url.rpartition(":")[2]
    command = [sys.executable, "-m", "flows.cli", "admin", "create-user", name]
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)


def clip_begins_s(platform: Running, http: httpx.Client, path: Path, owner: str, batch: Batch) -> float:
    """Send a person's clip; return the seconds until its flow run began on the worker."""
    sent = datetime.now().astimezone()
    clip_id = submit(http, path, owner=owner)
    while job(http, clip_id)["state"] not in {"completed", "failed"}:
        batch.look(http)
        time.sleep(LOOK_EVERY_S)
    from flows.platform import deploy

    with deploy.prefect_http(platform.prefect, auth=(platform.data_dir / "prefect-auth").read_text().strip()) as asked:
        query = {"flow_runs": {"tags": {"all_": [f"job:{clip_id}"]}}, "limit": 1}
        (run,) = asked.post("/flow_runs/filter", json=query).raise_for_status().json()
    return (datetime.fromisoformat(run["start_time"]) - sent).total_seconds()


def spans_s(runs: list[SpanRun]) -> list[float]:
    return [(run.ended - run.began).total_seconds() for run in runs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=500, help="files")
    parser.add_argument("--seconds", type=float, default=90.0, help="of each file: more than a minute")
    parser.add_argument("--clips", type=int, default=3, help="people who come, one after the other")
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name, platform_of(Path(name), 1) as (platform, http):
        folder = Path(name)
        new_person(platform, "batcher")
        paths = [recording(folder / f"{number}.wav", asked.seconds, number) for number in range(asked.batch)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            ids = list(pool.map(lambda path: submit(http, path, owner="batcher", lane="batch"), paths))
        batch = Batch(ids=sorted(ids))
        while len(batch.ended) < 2:
            batch.look(http)
            time.sleep(LOOK_EVERY_S)
        begins_s = []
        for number in range(asked.clips):
            person = f"person-{number}"
            new_person(platform, person)
            clip = recording(folder / f"clip-{number}.wav", CLIP_S, 10_000 + number)
            begins_s.append(clip_begins_s(platform, http, clip, person, batch))
            print(f"{person}: {begins_s[-1]:.1f} s", file=sys.stderr, flush=True)
        while len(batch.ended) < len(ids):
            batch.look(http)
            time.sleep(LOOK_EVERY_S)
        span_s = spans_s([run for job_id in ids[:20] for run in span_runs(platform, http, job_id)])
    ratios = sorted(batch.ratios())
    within = sum(ratio <= WITHIN for ratio in ratios)
    print(f"## A clip of {CLIP_S:g} s beside a waiting batch of {asked.batch} files of {asked.seconds:g} s\n")
    print("| | seconds |\n|---|---|")
    print(f"| the clip's flow run begins after, {asked.clips} people in turn | ", end="")
    print(", ".join(f"{each:.1f}" for each in begins_s) + " |")
    print(f"| a span of the batch takes: median; longest | {statistics.median(span_s):.1f}; {max(span_s):.1f} |")
    print(
        f"\nEstimates of {len(ids)} waiting recordings: {within} of {len(ratios)} ({100 * within / len(ratios):.0f}%, ",
        end="",
    )
    print(f"wanted 90%) within a factor of {WITHIN:g} of their end; median {statistics.median(ratios):.2f}, ", end="")
    print(f"nine of ten within {ratios[int(0.9 * len(ratios))]:.2f}.")
    print(f"\nLoad average {load:.1f} before, {os.getloadavg()[0]:.1f} after: other work ran beside.")


if __name__ == "__main__":
    main()
