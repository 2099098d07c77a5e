"""Many short jobs at once: how soon they are accepted and finished, beside another commit, and what a job logs.

python -m benchmarks.bench_many_jobs [--jobs 1000] [--baseline 01b573e] [--at-once 8] [--seconds 3]

Each side is a platform of its own, one after the other, with the tests' model; every recording is another one. The
ledger's log is watched twenty times a second: what it grew by, from job to job.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.bench_latency import REPO, Running, up
from benchmarks.bench_speech import BASELINE, checked_out
from benchmarks.scaling.platform import LOOK_EVERY_S, client, finished, recording, submit

LOG_EVERY_S = 0.05
SETTINGS = {"TRANSCRIBER_RATE_LIMIT_UPLOAD": "off", "TRANSCRIBER_RATE_LIMIT_GENERAL": "off"}


@dataclass(kw_only=True)
class LedgerLog:
    """Adds up what the ledger's log grows by; a checkpoint makes it short again."""

    path: Path
    written: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def watched(self) -> Iterator["LedgerLog"]:
        watching = threading.Thread(target=self._watch, daemon=True)
        watching.start()
        try:
            yield self
        finally:
            self._over.set()
            watching.join()

    def _watch(self) -> None:
        before = self._bytes()
        while not self._over.wait(LOG_EVERY_S):
            now = self._bytes()
            self.written += now - before if now >= before else now
            before = now

    def _bytes(self) -> int:
        with contextlib.suppress(OSError):
            return self.path.stat().st_size
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Seconds until all were accepted and completed; the log's bytes a job of some before them, and of some after."""

    accepted_s: float
    finished_s: float
    bytes_before: float
    bytes_after: float


def run(platform: Running, paths: Sequence[Path], *, at_once: int) -> Result:
    """Send some, wait for them, send all the others, so many at a time, and then some again."""
    some = max(1, len(paths) // 12)
    with client(platform) as http, LedgerLog(path=_log_of(platform)).watched() as log:

        def send(these: Sequence[Path]) -> tuple[float, float, float]:
            began, before = time.monotonic(), log.written
            with ThreadPoolExecutor(at_once) as pool:
                jobs = list(pool.map(lambda path: submit(http, path), these))
            accepted_s = time.monotonic() - began
            finished(http, jobs)
            finished_s = time.monotonic() - began
            time.sleep(LOOK_EVERY_S)
            return accepted_s, finished_s, (log.written - before) / len(these)

        _, _, bytes_before = send(paths[:some])
        accepted_s, finished_s, _ = send(paths[some:-some])
        _, _, bytes_after = send(paths[-some:])
    return Result(accepted_s=accepted_s, finished_s=finished_s, bytes_before=bytes_before, bytes_after=bytes_after)


def _log_of(platform: Running) -> Path:
    return platform.data_dir / "ledger.duckdb.wal"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--baseline", default=BASELINE, help="commit; empty: none")
    parser.add_argument("--at-once", type=int, default=8, help="uploads at a time")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each recording")
    asked = parser.parse_args()
    load, found = os.getloadavg()[0], dict[str, Result]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sides = {asked.baseline: checked_out(asked.baseline, folder)} if asked.baseline else {}
        for side, checkout in {**sides, "now": REPO}.items():
            data_dir = folder / f"data-{side}"
            sounds = folder / f"sounds-{side}"
            sounds.mkdir()
            paths = [
                recording(sounds / f"{number}.wav", asked.seconds, number) for number in range(asked.jobs * 12 // 10)
            ]
            with up(data_dir, [], checkout=checkout, settings=SETTINGS) as platform:
                found[side] = run(platform, paths, at_once=asked.at_once)
            print(f"{side}: {found[side]}", file=sys.stderr, flush=True)
    now = found["now"]
    print(f"## {asked.jobs:,} recordings of {asked.seconds:g} s at once\n")
    print("| | accepted, s | finished, s | the ledger's log, kB a job: some before | some after | ratio |")
    print("|---|---|---|---|---|---|")
    for side, each in found.items():
        first, last = each.bytes_before / 1000, each.bytes_after / 1000
        print(f"| {side} | {each.accepted_s:.1f} | {each.finished_s:.1f} ", end="")
        print(f"| {first:.1f} | {last:.1f} | {last / first:.2f} |")
    if asked.baseline:
        base = found[asked.baseline]
        print(f"| ratio | {now.accepted_s / base.accepted_s:.2f} (wanted: 0.33) ", end="")
        print(f"| {base.finished_s / now.finished_s:.2f} times sooner (wanted: 1.5) | | | |")
    print(f"\nLoad average {load:.1f} before; where that is much, other work ran, and only ratios count.")
    print("`python -m benchmarks many_jobs`.")


if __name__ == "__main__":
    main()
