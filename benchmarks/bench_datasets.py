"""Exporting datasets of a large ledger, beside DuckDB's bare COPY of the same rows.

python -m benchmarks.bench_datasets [--words 10000000] [--rounds 3]
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psutil

from storage.datasets import dataset_export, dataset_sql
from storage.datasets.dataset_export import Exported
from storage.datasets.dataset_place import DatasetPlace
from storage.datasets.dataset_schema import DATASETS
from storage.files.file_store import Files
from storage.ledger.database import Ledger

WORDS_A_SEGMENT, SEGMENTS_A_JOB, MONTHS = 10, 500, 12
MOST_TIMES = 1.5
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


def bare(ledger: Ledger, folder: Path, datasets: tuple[str, ...]) -> dict[str, float]:
    """COPY whole datasets, each into one file, and return the seconds of each."""
    took = {}
    with ledger.read() as con:
        for name in datasets:
            began = time.perf_counter()
            asked = dataset_export.values(con, name, SINCE, UNTIL, None)
            statement = f"COPY ({dataset_sql.OF[name].rows}) TO '{folder / name}.parquet' (FORMAT parquet)"
            con.execute(statement, asked).fetchall()
            took[name] = time.perf_counter() - began
    return took


def timed(work: Callable[[], Exported]) -> tuple[float, Exported]:
    began = time.perf_counter()
    done = work()
    return time.perf_counter() - began, done


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
        plain: list[dict[str, float]] = []
        whole: list[tuple[float, Exported]] = []
        for _ in range(asked.rounds):
            plain.append(bare(ledger, folder, names))
            whole.append(timed(lambda: dataset_export.export(ledger, place, actor="system:bench", full=True)))
        again_s, again = timed(lambda: dataset_export.export(ledger, place, actor="system:bench"))
        done = whole[-1][1]
        words = done.manifest.rows_of("words")
        size_bytes = sum(one.size_bytes for one in done.written)
        assert words == asked.words
        assert {one.dataset for one in again.written} == {"audit"}
        resident = psutil.Process().memory_info().rss >> 20
        ledger.close()
    best = statistics.median(sum(one.values()) for one in plain)
    export_s = statistics.median(took_s for took_s, _ in whole)
    ratio = statistics.median(took_s / sum(each.values()) for (took_s, _), each in zip(whole, plain, strict=True))
    print("## Exporting datasets, beside DuckDB's bare COPY\n")
    print(f"{words:,} words, {done.rows:,} rows in all, over {MONTHS} months; the median of {asked.rounds} rounds.\n")
    print("| | seconds |\n|---|---|")
    print(f"| bare `COPY` of the words into one file | {statistics.median(one['words'] for one in plain):.1f} |")
    print(f"| bare `COPY` of the six datasets, a file each | {best:.1f} |")
    print(f"| `export-dataset --full`: {len(done.written)} partitions, {size_bytes >> 20} MiB | {export_s:.1f} |")
    print(f"| `export-dataset` when nothing has changed | {again_s:.2f} |")
    print(f"\nThe export takes {ratio:.2f} times as long as the bare `COPY` of the same rows (at most {MOST_TIMES}).")
    print(f"The process had {resident} MiB then. Load average {load:.1f} before.")
    assert ratio <= MOST_TIMES, ratio


if __name__ == "__main__":
    main()
