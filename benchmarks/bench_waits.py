"""Whether the platform foretells rightly when waiting recordings will be done: long, short and mixed ones.

python -m benchmarks.bench_waits [--kinds long mixed clips both] [--model FOLDER]

Each kind has a new platform, which has measured nothing yet. Every few seconds it is asked for the remaining time of
all that wait, and each answer is compared with the recording's end as the ledger has it.
"""

import argparse
import os
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx

from benchmarks.bench_fairness import new_person
from benchmarks.bench_latency import Running, up
from benchmarks.scaling.platform import client, finished, recording, submit
from benchmarks.speech_material import TINY_MODEL

WITHIN = 1.5
ASK_EVERY_S = 2.0
AT_ONCE = 8
SETTINGS = {"TRANSCRIBER_RATE_LIMIT_UPLOAD": "off", "TRANSCRIBER_RATE_LIMIT_GENERAL": "off"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A recording that somebody sends so many seconds after the beginning."""

    after_s: float = 0.0
    owner: str = "ann"
    seconds: float
    lane: str = "interactive"


def planned(kind: str) -> list[Sent]:
    """Return the recordings of a kind, in the order of their sending."""
    chance = random.Random(7)  # noqa: S311
    match kind:
        case "long":
            return [Sent(seconds=chance.uniform(90, 300), lane="batch") for _ in range(30)]
        case "mixed":
            ann = [Sent(seconds=10 * 60 ** chance.random()) for _ in range(30)]
            return ann + [Sent(seconds=10 * 60 ** chance.random(), owner="bob", after_s=15.0) for _ in range(15)]
        case "clips":
            return [Sent(seconds=chance.uniform(3, 7)) for _ in range(400)]
        case _:
            clips = [Sent(seconds=chance.uniform(3, 12)) for _ in range(200)]
            return clips + [Sent(seconds=chance.uniform(120, 480), owner="bob", after_s=2.0) for _ in range(8)]


@dataclass(kw_only=True)
class Foretold:
    """What was foretold of which recording when, and when each ended."""

    ended: dict[str, float] = field(default_factory=dict)
    told: list[tuple[str, float, float]] = field(default_factory=list)
    untold: int = 0

    def ask(self, platform: Running, over: threading.Event) -> None:
        with client(platform) as http:
            while not over.wait(ASK_EVERY_S):
                for row in http.get("/internal/v1/queue").raise_for_status().json():
                    if row["done_in_s"] is None:
                        self.untold += 1
                    else:
                        self.told.append((row["id"], time.time(), row["done_in_s"]))

    def wait(self, http: httpx.Client, job_ids: Sequence[str]) -> None:
        """Wait for all; note when each ended."""
        for each in finished(http, job_ids):
            self.ended[each["id"]] = datetime.fromisoformat(each["finished_at"]).timestamp()

    def ratios(self) -> list[float]:
        """Return foretold over real waits."""
        return sorted(told_s / (self.ended[job_id] - at) for job_id, at, told_s in self.told)


def measured(kind: str, folder: Path, model: str) -> Foretold:
    sent, foretold, over = planned(kind), Foretold(), threading.Event()
    paths = [recording(folder / f"{number}.wav", each.seconds, number) for number, each in enumerate(sent)]
    with up(folder / "data", [], settings=SETTINGS, model=model) as platform, client(platform) as http:
        for owner in sorted({each.owner for each in sent}):
            new_person(platform, owner)
        began = time.monotonic()

        def send(each: Sent, path: Path) -> str:
            time.sleep(max(0.0, began + each.after_s - time.monotonic()))
            return submit(http, path, owner=each.owner, lane=each.lane)

        asking = threading.Thread(target=foretold.ask, args=(platform, over))
        asking.start()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            job_ids = list(pool.map(send, sent, paths))
        foretold.wait(http, job_ids)
        over.set()
        asking.join()
    return foretold


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", default=["long", "mixed", "clips", "both"])
    parser.add_argument("--model", default=str(TINY_MODEL))
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    print("## When a waiting recording will be done\n")
    print("Foretold over real time: long (batch), mixed lengths of two people, clips, and clips beside long ones.\n")
    print(f"| | took, s | answers | without a time | within a factor of {WITHIN:g} (wanted 90%) | 10% | median | 90% |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in asked.kinds:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as name:
            found = measured(kind, Path(name), asked.model)
        ratios = found.ratios()
        within = sum(1 / WITHIN <= ratio <= WITHIN for ratio in ratios)
        low, *_, high = statistics.quantiles(ratios, n=10)
        print(
            f"| {kind} | {time.monotonic() - began:.0f} | {len(ratios)} | {found.untold} | {within / len(ratios):.0%} "
            f"| {low:.2f} | {statistics.median(ratios):.2f} | {high:.2f} |",
            flush=True,
        )
    print(f"\nModel `{Path(asked.model).name}`. Load average {load:.1f} before. `python -m benchmarks waits`.")


if __name__ == "__main__":
    main()
