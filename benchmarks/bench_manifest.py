"""A manifest of a million rows, and one of a tenth: time, memory, rejected rows, and a run that was killed.

    python -m benchmarks manifest [-- --rows 1000000 --new 200 --whole csv]

Most rows name files that are known, a tenth is wrong in one of several ways, and a few are new. The files are hard
links to a few, and what is known of them was put into ledger and index by SQL, as different contents. No worker runs.
A tenth of the rows comes first, as JSONL; the run of all rows, a CSV, is killed in the middle, and
repeated; with `--whole jsonl` it is the other way round. After each, the ledger is asked for jobs that are there twice
or not at all.
"""

import argparse
import contextlib
import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.batch_material import AN_HOUR_S, Measured, batch, environment, know, wav, web
from benchmarks.bench_latency import REPO
from flows.batch.batch_upload import idempotency_key
from flows.batch.source_files import SourceReader
from storage.domain.settings import Settings
from storage.files.content_index import KnownContent
from storage.ledger.database import Ledger

COLUMNS = ("source", "language", "beam_size", "meta_number")
OPTIONS = {"model": "auto", "language": "en"}
ENDINGS = frozenset({"csv", "jsonl"})
LINKS_EACH, EACH_FOLDER = 20_000, 1000
KILLED_AFTER_S_A_ROW = 150e-6
"""Half of what a row takes on two cores, so that a run is killed in the middle."""
JOBS = "SELECT count(*), count(DISTINCT media_sha256) FROM jobs"
WRONG: dict[str, Callable[[str], tuple[str, ...]]] = {
    "a value that is none": lambda source: (source, "en", "many", "1"),
    "a file that is not there": lambda source: (f"{source}.away", "en", "", "1"),
    "a source again": lambda _: ("00000/00000001.wav", "en", "", "1"),
    "no source": lambda _: ("", "en", "", "1"),
    "a column too few": lambda source: (source, "en", ""),
}
"""Rows that are wrong; the last way exists in CSV alone."""


def name_of(number: int) -> str:
    return f"{number // EACH_FOLDER:05}/{number:08}.wav"


def is_wrong(number: int) -> bool:
    return number % 10 == 9


def link_files(folder: Path, numbers: range, new: set[int]) -> None:
    """Make the files of rows: links, but for new ones, which have bytes of their own."""
    an_hour_ago, first = time.time() - AN_HOUR_S, folder / "first.wav"
    for place, number in enumerate(each for each in numbers if not is_wrong(each)):
        path = folder / name_of(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        if number in new:
            path.write_bytes(wav(number))
        else:
            if place % LINKS_EACH == 0 or not first.exists():
                first = folder / f"first-{number}.wav"
                first.write_bytes(wav(number))
            path.hardlink_to(first)
        os.utime(path, (an_hour_ago, an_hour_ago))


def write_manifest(path: Path, count: int) -> Counter[str]:
    """Write so many rows, and return how many are wrong in which way."""
    wrong, ways = Counter[str](), list(WRONG)[: None if path.suffix == ".csv" else -1]
    with path.open("w", newline="") as file:
        write = csv.writer(file).writerow
        if path.suffix == ".csv":
            write(COLUMNS)
        for number in range(count):
            row: tuple[str, ...] = (name_of(number), "en", "", str(number))
            if is_wrong(number):
                way = ways[number // 10 % len(ways)]
                wrong[way] += 1
                row = WRONG[way](name_of(number))
            if path.suffix == ".csv":
                write(row)
            else:
                file.write(json.dumps({name: value for name, value in zip(COLUMNS, row, strict=False) if value}) + "\n")
    return wrong


def known_rows(folder: Path, numbers: range, new: set[int]) -> Iterator[KnownContent]:
    """Yield the contents of the rows' files, each another one."""
    reader = SourceReader(Settings())
    for number in numbers:
        if not is_wrong(number) and number not in new:
            file = reader.one(str(folder / name_of(number)), relative=name_of(number))
            sha256 = hashlib.sha256(str(number).encode()).hexdigest()
            yield KnownContent(name=file.name, version=f"{file.version} ", sha256=sha256)


def key_of(sha256: str) -> str:
    return idempotency_key(sha256, OPTIONS)


def rejected(path: Path) -> int:
    with path.open() as file:
        return sum(bool(json.loads(line)["reason"]) for line in file)


def lost_or_twice(data_dir: Path, expected: int) -> str:
    """Return how many jobs are not there, and how many are there twice; nothing else may have the ledger open."""
    ledger = Ledger.open(data_dir / "ledger.duckdb")
    with contextlib.closing(ledger), ledger.read() as con:
        ((jobs, contents),) = con.execute(JOBS).fetchall()
    return f"{expected - contents} lost, {jobs - contents} twice"


def killed(env: dict[str, str], manifest: Path, after_s: float) -> None:
    """Begin a batch, and kill it."""
    command = [sys.executable, "-m", "flows.cli", "batch", str(manifest)]
    with subprocess.Popen(command, env=env, cwd=REPO, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)


def row(what: str, count: int, measured: Measured, *, bad: int, listed: int, jobs: str) -> str:
    told = f"| {what} | {count:,} | {measured.seconds:.0f} | {1e6 * measured.seconds / count:.0f} "
    told += f"| {1e6 * measured.processor_s / count:.0f} | {bad:,} | {listed:,} | {jobs} "
    return told + f"| {measured.peak_mib:.0f} | {measured.web_mib:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--new", type=int, default=200, help="rows that are new in each run")
    parser.add_argument(
        "--whole", choices=sorted(ENDINGS), default="csv", help="the form of all rows; a tenth has the other"
    )
    asked = parser.parse_args()
    load_before, told, before, jobs = os.getloadavg()[0], list[str](), 0, 0
    with tempfile.TemporaryDirectory(prefix="bench-manifest-") as name:
        folder, data_dir = Path(name, "in"), Path(name, "data")
        folder.mkdir()
        env = environment(REPO, data_dir, "http://127.0.0.1:9")
        with web(REPO, env):
            pass  # makes the ledger and its first account
        (other,) = ENDINGS - {asked.whole}
        for count, ending in ((asked.rows // 10, other), (asked.rows, asked.whole)):
            numbers, step = range(before, count), max(10, (count - before) // asked.new)
            new = {each for each in numbers[::step] if not is_wrong(each)}
            link_files(folder, numbers, new)
            know(data_dir, known_rows(folder, numbers, new), key_of)
            jobs += sum(not is_wrong(each) for each in numbers)
            manifest, rejects = folder / f"rows-{count}.{ending}", Path(name, f"rejects-{len(told)}.jsonl")
            bad = write_manifest(manifest, count)
            print(f"… {manifest.name}: {bad}, {len(new)} new", file=sys.stderr, flush=True)
            with web(REPO, env) as server:
                what = ending.upper()
                if told:
                    killed(env, manifest, after_s := KILLED_AFTER_S_A_ROW * count)
                    what += f", after a run that was killed after {after_s:.0f} s"
                measured = batch(REPO, env, server, str(manifest), "--rejects", str(rejects))
            found = lost_or_twice(data_dir, jobs)
            print(f"… {manifest.name}: {measured}, {found}", file=sys.stderr, flush=True)
            told.append(row(what, count, measured, bad=bad.total(), listed=rejected(rejects), jobs=found))
            before = count
    print(f"## Manifests of {asked.rows:,} rows\n")
    print("| manifest | rows | seconds | µs a row | processor, µs a row | wrong rows | rejected with a reason ", end="")
    print("| jobs | command, MiB | web, MiB |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    print("\n".join(told))
    print("\nNine tenths of the rows name files of a folder; nearly all of these are known. Memory is the peak.")
    print(f"Load average {load_before:.1f} before, {os.getloadavg()[0]:.1f} after. `python -m benchmarks manifest`.")


if __name__ == "__main__":
    main()
