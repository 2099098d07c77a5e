"""Kill random processes every few seconds while a platform works through short recordings.

python -m benchmarks.bench_chaos [--seeds 1-20] [--jobs 200] [--every 2 6] [--for 300] [--keep FOLDER] [--postgresql]

Storage is an S3 server, the network between workers and the web process a cable of our own, and the data folder is on
a small disk where we may mount one; all of them are among what fails. The status is 1 if a promise was broken.
"""

import argparse
import contextlib
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.chaos.breakdowns import KINDS
from benchmarks.chaos.material import samples
from benchmarks.chaos.trial import Outcome, Trial, as_json
from benchmarks.chaos.victims import Platform
from tests.postgresql import postgresql


def trial(
    seed: int, jobs: int, *, every_s: tuple[float, float], for_s: float, keep: Path | None = None, on_postgresql: bool
) -> Outcome:
    """Run one seed in a folder of its own; what the platform leaves is copied to `keep`."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    (folder / "made").mkdir()
    made = samples(folder / "made", jobs, seed)
    with postgresql() if on_postgresql else contextlib.nullcontext() as database:
        platform = Platform(folder, database)
        try:
            platform.start()
            outcome = Trial(platform=platform, samples=made, seed=seed, pause_s=every_s, strikes_for_s=for_s).run()
        finally:
            platform.close()
            if keep:
                shutil.copytree(
                    folder, keep / f"seed-{seed}", ignore=shutil.ignore_patterns("made"), dirs_exist_ok=True
                )
            platform.unmount()
            shutil.rmtree(folder, ignore_errors=True)
    return outcome


def seeds_of(text: str) -> list[int]:
    """Read `3`, `1-20` or `2,5`."""
    first, dash, last = text.partition("-")
    return list(range(int(first), int(last) + 1)) if dash else [int(one) for one in text.split(",")]


def main() -> int:
    """Run the seeds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=seeds_of, default=seeds_of("1-20"))
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--every", type=float, nargs=2, default=(2.0, 6.0), help="seconds between two strikes")
    parser.add_argument("--for", dest="for_s", type=float, default=300.0, help="seconds of pauses at most")
    parser.add_argument("--keep", type=Path, help="copy what each trial leaves into this folder")
    parser.add_argument("--postgresql", action="store_true", help="let Prefect use a PostgreSQL, which is stopped, too")
    asked = parser.parse_args()
    outcomes = []
    given = {"every_s": tuple(asked.every), "for_s": asked.for_s, "keep": asked.keep, "on_postgresql": asked.postgresql}
    for seed in asked.seeds:
        outcomes.append(trial(seed, asked.jobs, **given))
        sys.stderr.write(f"{as_json(outcomes[-1])}\n")
        sys.stderr.flush()
    print("## Chaos\n")
    print(f"{asked.jobs} recordings a seed, one in twelve of several spans; something is broken every ", end="")
    print(f"{asked.every[0]:g} to {asked.every[1]:g} s: {', '.join(KINDS)}.\n")
    columns = ["seed", "accepted", "completed", "failed with a reason", "broken", "spans done twice", "seconds"]
    columns += ["after the last strike", "broken promises"]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for each in outcomes:
        broken = f"{each.strikes.total()} ({', '.join(f'{name} {times}' for name, times in each.strikes.items())})"
        row = [each.seed, each.accepted, each.completed, each.failed, broken, each.redone]
        print("| " + " | ".join(map(str, [*row, f"{each.took_s:.0f}", f"{each.after_s:.0f}", len(each.faults)])) + " |")
    for each in outcomes:
        for fault in each.faults:
            print(f"\n- seed {each.seed}: {fault}")
    return int(any(each.faults for each in outcomes))


if __name__ == "__main__":
    sys.exit(main())
