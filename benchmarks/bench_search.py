"""Search over 10,000 transcripts of 5,000 words, in process: how large the index is, how long it takes to make, to ask.

    python -m benchmarks.bench_search [--transcripts 10000] [--rounds 20]

Queries are made of words of the transcripts themselves, drawn as often as they occur. A search is what a page waits
for: the index, the jobs, and the moments of ten results. Processor time is that of all threads; on a busy machine it
says more than the time that passed.
"""

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from benchmarks import crowd_material
from dashboards.runtime import context
from dashboards.runtime.context import Context
from dashboards.services import transcript_search
from storage.domain.settings import Settings, StorageSettings
from storage.files.file_store import Files
from storage.ledger.database import Ledger

EDIT = """
UPDATE transcripts SET stored_as = stored_as || '.v2' WHERE job_id IN (SELECT min(job_id) FROM transcripts)
"""

Work = Callable[[], object]


@dataclass(slots=True)
class Took:
    """Milliseconds of a few runs of the same kind."""

    wall: list[float]
    processor: list[float]

    @classmethod
    def of(cls, works: Iterable[Work]) -> "Took":
        found = cls([], [])
        for work in works:
            began, before = time.perf_counter(), time.process_time()
            work()
            found.wall.append(1000 * (time.perf_counter() - began))
            found.processor.append(1000 * (time.process_time() - before))
        return found

    def row(self, name: str) -> str:
        cells = [
            f"{statistics.median(each):.0f} | {statistics.quantiles(each, n=20)[-1]:.0f}"
            for each in (self.wall, self.processor)
        ]
        return f"| {name} | {len(self.wall)} | {' | '.join(cells)} |"


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
        "one letter of a word": lambda: f"{draw.choice(words())[:1]}*",
        "two letters of a word": lambda: f"{draw.choice(words())[:2]}*",
        "a phrase of two words": lambda: f'"{two()}"',
        "a phrase of four words": lambda: '"{}"'.format(" ".join(words()[4:8])),
        "a word said by somebody": lambda: f"speaker:anna {draw.choice(words())}",
        "a word, by language and date": lambda: f"language:de after:2020 {draw.choice(words())}",
    }
    return {name: [make() for _ in range(rounds)] for name, make in makers.items()}


def main() -> None:
    """Fill a ledger, index it, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--transcripts", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="bench-search-") as folder:
        settings = Settings()
        settings.__dict__["storage"] = StorageSettings(data_dir=Path(folder) / "data", _env_file=None)
        with Ledger.open(settings.storage.ledger_path) as ledger:
            owners = crowd_material.people(ledger, 10)
            crowd_material.jobs(ledger, owners, asked.transcripts, done=asked.transcripts)
            crowd_material.transcripts(ledger, asked.transcripts)
            holder = Context(settings=settings, ledger=ledger, files=Files.from_settings(settings.storage))
            with context.use(holder):
                measure(holder, owners[0].id, asked.rounds)
    print(f"\nLoad average {load:.1f} before, {os.getloadavg()[0]:.1f} after. `python -m benchmarks search`.")


def measure(holder: Context, owner_id: str, rounds: int) -> None:
    """Print the table."""
    built = Took.of([lambda: holder.search.sync(holder.ledger)])
    print(f"## Search over {holder.search.status.indexed:,} transcripts of 5,000 words\n")
    print("| milliseconds (wanted: 95% < 200) | times | median | 95% | processor, median | 95% |")
    print("|---|---|---|---|---|---|")
    kinds = queries(holder.ledger, rounds)
    tables: dict[str, list[tuple[str, str | None]]] = {
        name: [(text, None) for text in texts] for name, texts in kinds.items()
    }
    tables["a word, of one owner"] = [(text, owner_id) for text in kinds["one word"]]
    tables["each of these once more"] = [one for asked in list(tables.values()) for one in asked]
    for name, asked in tables.items():
        works = [lambda q=q, who=who: transcript_search.search(q, owner_id=who, zone=UTC) for q, who in asked]
        print(Took.of(works).row(name), flush=True)
    print(Took.of([lambda: edit(holder)] * 10).row("a transcript that was edited, indexed again"))
    print(
        f"\nThe index was built in {built.wall[0] / 1000:.0f} s, of them {built.processor[0] / 1000:.0f} s of the "
        f"processor, and takes {holder.search.path.stat().st_size / 1e6:.0f} MB."
    )


def edit(holder: Context) -> None:
    """Give one transcript a new version, and let the index have it."""
    with holder.ledger.write() as con:
        con.execute(EDIT)
    holder.search.sync(holder.ledger)


if __name__ == "__main__":
    main()
