"""Lists of 100,000 jobs, in process.

python -m benchmarks.bench_ledger [--jobs 100000] [--transcripts 10000] [--rounds 20]
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from benchmarks import crowd_material
from storage.domain.clock import utc_now
from storage.domain.records import JobState
from storage.jobs import job_store, listing, queue_order
from storage.jobs.listing import JobFilter, Sort
from storage.ledger.database import Ledger

Work = Callable[[], object]


def row(name: str, works: Sequence[Work]) -> str:
    """Time each work once and return a line of the table."""
    took = []
    for work in works:
        began = time.perf_counter()
        work()
        took.append(1000 * (time.perf_counter() - began))
    p95 = statistics.quantiles(took, n=20)[-1] if len(took) > 1 else took[0]
    return f"| {name} | {len(took)} | {statistics.median(took):.0f} | {p95:.0f} |"


def lists(ledger: Ledger, owner_id: str, rounds: int) -> list[str]:
    """Time pages of lists."""

    def page(wanted: JobFilter, sort: Sort = Sort.NEWEST, after: str | None = None) -> listing.Page:
        with ledger.read() as con:
            return listing.page(con, wanted, sort=sort, after=after)

    def seen(work: Callable[..., object], *args: object, **more: object) -> Work:
        def look() -> object:
            with ledger.read() as con:
                return work(con, *args, **more)

        return look

    everybody, own = JobFilter(), JobFilter(owner_id=owner_id)
    month = utc_now() - timedelta(days=30)
    narrow = JobFilter(text="ording 77", language="de", states=(JobState.COMPLETED,), since=month)
    deep = [page(everybody, Sort.NAME).next]
    for _ in range(20):
        deep.append(page(everybody, Sort.NAME, deep[-1]).next)
    rows = [
        row("own jobs, newest", [lambda: page(own)] * rounds),
        row("all, newest", [lambda: page(everybody)] * rounds),
    ]
    rows += [row(f"all, order: {sort}", [lambda sort=sort: page(everybody, sort)] * rounds) for sort in list(Sort)[1:]]  # type: ignore[misc]
    rows += [
        row("all, by name, pages 2 to 21", [lambda at=at: page(everybody, Sort.NAME, at) for at in deep]),  # type: ignore[misc]
        row("all, by name, state, language, date", [lambda: page(narrow, Sort.NAME)] * rounds),
        row("counts by state", [seen(listing.counts, everybody)] * rounds),
        row("statistics", [seen(listing.statistics, None, month=month)] * rounds),
        row("what there is to filter by", [seen(listing.choices)] * rounds),
        row("places in line", [seen(queue_order.places)] * rounds),
    ]
    return rows


def main() -> None:
    """Fill a ledger, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--transcripts", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    with (
        tempfile.TemporaryDirectory(prefix="bench-ledger-") as folder,
        Ledger.open(Path(folder) / "ledger.duckdb") as ledger,
    ):
        owners = crowd_material.people(ledger, 10)
        crowd_material.jobs(ledger, owners, asked.jobs, queued=500, done=asked.transcripts)
        crowd_material.transcripts(ledger, asked.transcripts)
        measure(ledger, owners[0].id, asked.rounds)
    print(f"\nLoad average {load:.1f} before, {os.getloadavg()[0]:.1f} after. `python -m benchmarks ledger`.")


def measure(ledger: Ledger, owner_id: str, rounds: int) -> None:
    """Print the table."""
    with ledger.read() as con:
        all_jobs = sum(job_store.counts(con).values())
    print(f"## Lists of {all_jobs:,} jobs\n")
    print("| milliseconds (wanted: 95% < 200) | times | median | 95% |\n|---|---|---|---|")
    for line in lists(ledger, owner_id, rounds):
        print(line)


if __name__ == "__main__":
    main()
