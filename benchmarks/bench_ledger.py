"""Lists of 100,000 jobs, and search over 10,000 transcripts of 5,000 words, in process.

    python -m benchmarks.bench_ledger [--jobs 100000] [--transcripts 10000] [--rounds 20]

Queries are made of words of the transcripts themselves, drawn as often as they occur; each is asked for once, so that
nothing is remembered from the time before. "All of a search" is what a page waits for: index, jobs, moments.
"""

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, timedelta
from pathlib import Path

from benchmarks import crowd_material
from dashboards import context, searching
from dashboards.context import Context
from storage import jobs, listing
from storage.clock import utc_now
from storage.files import Files
from storage.ledger import Ledger
from storage.listing import Sort, Wanted
from storage.records import JobState
from storage.settings import Settings, StorageSettings

EDIT = """
UPDATE transcripts SET stored_as = stored_as || '.v2' WHERE job_id IN (SELECT min(job_id) FROM transcripts)
"""

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

    def page(wanted: Wanted, sort: Sort = Sort.NEWEST, after: str | None = None) -> listing.Page:
        with ledger.read() as con:
            return listing.page(con, wanted, sort=sort, after=after)

    def seen(work: Callable[..., object], *args: object, **more: object) -> Work:
        def look() -> object:
            with ledger.read() as con:
                return work(con, *args, **more)

        return look

    everybody, own = Wanted(), Wanted(owner_id=owner_id)
    month = utc_now() - timedelta(days=30)
    narrow = Wanted(text="ording 77", language="de", states=(JobState.COMPLETED,), since=month)
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
        row("places in line", [seen(jobs.places)] * rounds),
    ]
    return rows


def queries(ledger: Ledger, rounds: int) -> dict[str, list[str]]:
    """Return queries of several kinds from what was said."""
    draw = random.Random(2)  # noqa: S311
    with ledger.read() as con:
        found = con.execute("SELECT text FROM segments USING SAMPLE 4000 ROWS").fetchall()
    said = [text.split() for (text,) in found]

    def words() -> list[str]:
        return draw.choice(said)

    def two() -> str:
        text, at = words(), draw.randrange(10)
        return f"{text[at]} {text[at + 1]}"

    makers: dict[str, Callable[[], str]] = {
        "one word": lambda: draw.choice(words()),
        "three words": lambda: " ".join(draw.sample(words(), 3)),
        "a OR b, without c": lambda: "{} OR {} -{}".format(*draw.sample(words(), 3)),
        "the beginning of a word": lambda: f"{draw.choice(words())[:4]}*",
        "a phrase of two words": lambda: f'"{two()}"',
        "a phrase of four words": lambda: '"{}"'.format(" ".join(words()[4:8])),
        "a word said by somebody": lambda: f"speaker:anna {draw.choice(words())}",
        "a word, by language and date": lambda: f"language:de after:2020 {draw.choice(words())}",
    }
    return {name: [make() for _ in range(rounds)] for name, make in makers.items()}


def main() -> None:
    """Fill a ledger, index it, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--transcripts", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="bench-ledger-") as folder:
        settings = Settings()
        settings.__dict__["storage"] = StorageSettings(data_dir=Path(folder) / "data", _env_file=None)
        with Ledger.open(settings.storage.ledger_path) as ledger:
            owners = crowd_material.people(ledger, 10)
            crowd_material.jobs(ledger, owners, asked.jobs, queued=500, done=asked.transcripts)
            crowd_material.transcripts(ledger, asked.transcripts)
            holder = Context(settings=settings, ledger=ledger, files=Files.from_settings(settings.storage))
            with context.use(holder):
                measure(holder, owners[0].id, asked.rounds)
    print(f"\nLoad average {load:.1f} before, {os.getloadavg()[0]:.1f} after. `python -m benchmarks ledger`.")


def measure(holder: Context, owner_id: str, rounds: int) -> None:
    """Print the tables."""
    ledger = holder.ledger
    began = time.perf_counter()
    count = holder.search.sync(ledger)
    built_s = time.perf_counter() - began
    path = holder.search.path
    size_mb = path.stat().st_size / 1e6
    with ledger.read() as con:
        all_jobs = sum(jobs.counts(con).values())
    print(f"## Lists of {all_jobs:,} jobs and search over {count:,} transcripts of 5,000 words\n")
    print("| milliseconds (wanted: 95% < 200) | times | median | 95% |\n|---|---|---|---|")
    for line in lists(ledger, owner_id, rounds):
        print(line)
    every: list[Work] = []
    for name, asked in queries(ledger, rounds).items():
        works = [lambda q=q: searching.search(q, owner_id=None, zone=UTC) for q in asked]
        print(row(f"all of a search: {name}", works))
        every += works
    print(row("all of a search: each of these once more", every))
    print(row("a transcript that was edited, indexed again", [lambda: edit(holder)] * 5))
    print(f"\nThe index was built in {built_s:.0f} s and takes {size_mb:.0f} MB.")


def edit(holder: Context) -> None:
    """Give one transcript a new version, and let the index have it."""
    with holder.ledger.write() as con:
        con.execute(EDIT)
    holder.search.sync(holder.ledger)


if __name__ == "__main__":
    main()
