"""Exporting datasets of a large ledger, beside DuckDB's bare COPY of the same rows.

python -m benchmarks.bench_datasets [--words 10000000] [--rounds 3]
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import psutil

from storage.datasets import dataset_export, dataset_sql
from storage.datasets.dataset_place import DatasetPlace
from storage.datasets.dataset_schema import DATASETS
from storage.files.file_store import Files
from storage.ledger.database import Ledger

WORDS_A_SEGMENT, SEGMENTS_A_JOB, MONTHS = 10, 500, 12
MOST_TIMES = 1.5
Done = TypeVar("Done")
SINCE, UNTIL = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
FILL = (
    """
    CREATE TEMP TABLE numbers AS
    SELECT n, made_at,
        printf('%08x-%04x-7000-8000-%012x', epoch_ms(made_at) // 65536, epoch_ms(made_at) % 65536, n) AS id
    FROM (SELECT n, TIMESTAMPTZ '2025-01-15 12:00:00+00' + to_months((n * $months // $jobs)::INTEGER) + to_seconds(n)
        AS made_at FROM range($jobs) AS counted(n))
    """,
    """
    INSERT INTO jobs (id, owner_id, name, media_sha256, media_bytes, state, lane, options, attempt, version, duration_s,
        speech_s, model, language, created_at, updated_at, finished_at)
    SELECT id, 'ann', 'talk-' || n || '.wav', sha256(id), 1000000, 'completed', 'batch', '{}', 1, 1,
        1800, 1500, 'large-v3', 'en', made_at, made_at, made_at FROM numbers
    """,
    """
    INSERT INTO spans (job_id, idx, start_s, end_s, speech_s, samples_sha256, engine_s)
    SELECT id, 0, 0, 1800, 1500, sha256(id), 60 FROM numbers
    """,
    """
    INSERT INTO transcripts (job_id, stored_as, language, duration_s, head, created_at)
    SELECT id, 'transcripts/' || id, 'en', 1800, '{}', made_at FROM numbers
    """,
)
TEXTS = """
CREATE TEMP TABLE texts AS
SELECT job, place, place * 3.5 AS start_s, place * 3.5 + 3 AS end_s, string_agg(word, '' ORDER BY pos) AS text,
    CAST(to_json(list(json_array(round(place * 3.5 + pos * 0.3, 3), round(place * 3.5 + pos * 0.3 + 0.25, 3), word,
        round(random(), 4)) ORDER BY pos)) AS VARCHAR) AS words
FROM (
    SELECT job, place, pos, ' ' || substr('thequickbrownfoxjumpsoverthelazydog',
        (1 + hash(job, place, pos) % 25)::BIGINT, (2 + hash(pos, place, job) % 9)::BIGINT) AS word
    FROM range($jobs) AS jobs(job), range($segments) AS places(place), range($words) AS positions(pos)
)
GROUP BY job, place ORDER BY job, place
"""
SEGMENTS = """
INSERT INTO segments (job_id, idx, start_s, end_s, text, speaker, avg_logprob, compression_ratio, no_speech_prob,
    temperature, words)
SELECT id, place, start_s, end_s, text, 'SPEAKER_0' || n % 3, -0.25, 1.4, 0.01, 0, words
FROM numbers JOIN texts ON texts.job = n % $jobs WHERE n >= $first AND n < $first + $jobs ORDER BY n, place
"""
JOBS_AT_ONCE = 100
"""So many recordings have texts of their own, which the others repeat."""


def fill(ledger: Ledger, words: int) -> None:
    """Give the ledger recordings over twelve months, with so many words."""
    jobs = words // (WORDS_A_SEGMENT * SEGMENTS_A_JOB)
    with ledger.write() as con:
        con.execute(FILL[0], {"jobs": jobs, "months": MONTHS})
        for statement in FILL[1:]:
            con.execute(statement)
        con.execute(TEXTS, {"jobs": JOBS_AT_ONCE, "segments": SEGMENTS_A_JOB, "words": WORDS_A_SEGMENT})
        for first in range(0, jobs, JOBS_AT_ONCE):
            con.execute(SEGMENTS, {"first": first, "jobs": JOBS_AT_ONCE})
    ledger.checkpoint()


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds on the clock, and those of the processor, which other work changes less."""

    wall_s: float
    processor_s: float


def bare(ledger: Ledger, folder: Path, datasets: tuple[str, ...]) -> None:
    """COPY whole datasets, each into one file."""
    with ledger.read() as con:
        for name in datasets:
            asked = dataset_export.values(con, name, SINCE, UNTIL, None)
            statement = f"COPY ({dataset_sql.OF[name].rows}) TO '{folder / name}.parquet' (FORMAT parquet)"
            con.execute(statement, asked).fetchall()


def timed(work: Callable[[], Done]) -> tuple[Took, Done]:
    began, processor = time.perf_counter(), time.process_time()
    done = work()
    return Took(time.perf_counter() - began, time.process_time() - processor), done


def median(each: list[Took]) -> Took:
    return Took(statistics.median(one.wall_s for one in each), statistics.median(one.processor_s for one in each))


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--words", type=int, default=10_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    load = os.getloadavg()[0]
    names = tuple(one.name for one in DATASETS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ledger, place = Ledger.open(folder / "ledger.duckdb"), DatasetPlace(Files(str(folder / "lake")))
        fill(ledger, asked.words)
        words_alone, plain, whole = list[Took](), list[Took](), list[Took]()
        for _ in range(asked.rounds):
            words_alone.append(timed(lambda: bare(ledger, folder, ("words",)))[0])
            plain.append(timed(lambda: bare(ledger, folder, names))[0])
            whole.append(timed(lambda: dataset_export.export(ledger, place, actor="system:bench", full=True))[0])
        again_took, again = timed(lambda: dataset_export.export(ledger, place, actor="system:bench"))
        words, partitions = again.manifest.rows_of("words"), again.manifest.partitions
        assert words == asked.words
        assert {one.dataset for one in again.written} == {"audit"}
        resident = psutil.Process().memory_info().rss >> 20
        ledger.close()
    ratio = statistics.median(one.wall_s / other.wall_s for one, other in zip(whole, plain, strict=True))
    work = median(whole).processor_s / median(plain).processor_s
    size_bytes, rows = (sum(getattr(one, field) for one in partitions) for field in ("size_bytes", "rows"))
    table = {
        "bare `COPY` of the words into one file": median(words_alone),
        "bare `COPY` of the six datasets, a file each": median(plain),
        f"`export-dataset --full`: {len(partitions)} partitions, {size_bytes >> 20} MiB": median(whole),
        "`export-dataset` when nothing has changed": again_took,
    }
    print("## Exporting datasets, beside DuckDB's bare COPY\n")
    print(f"{words:,} words, {rows:,} rows in all, over {MONTHS} months; the median of {asked.rounds} rounds.\n")
    print("| | seconds | processor seconds |\n|---|---|---|")
    for told, took in table.items():
        print(f"| {told} | {took.wall_s:.2f} | {took.processor_s:.2f} |")
    print(f"\nThe export takes {ratio:.2f} times as long as the bare `COPY` of the same rows (at most {MOST_TIMES}),")
    print(f"and {work:.2f} times its processor time.")
    print(f"The process had {resident} MiB then. Load average {load:.1f} before.")
    assert ratio <= MOST_TIMES, ratio


if __name__ == "__main__":
    main()
