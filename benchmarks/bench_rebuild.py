"""A ledger made anew from storage: jobs a second, and the memory that it takes.

    python -m benchmarks rebuild [-- --jobs 10000] [--words 1200]

One job goes the whole way in a ledger of its own; its files are written again under so many ids. `rebuild` then reads
them into an empty ledger, as `transcriber admin rebuild` does, and once more when nothing is missing.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from benchmarks.crowd_material import people, vocabulary
from benchmarks.speech_material import peak_memory_mb
from storage.domain.clock import new_id
from storage.domain.records import JobState, Segment, Word
from storage.files.file_store import Files
from storage.jobs import manifests
from storage.ledger.database import Ledger
from storage.maintenance.rebuild import Rebuilt, rebuild
from tests.factories import job_in

WORDS_A_SEGMENT = 12


def spoken(words: int) -> list[Segment]:
    """Return segments of so many words, each a third of a second long."""
    said, made = vocabulary(), []
    for first in range(0, words, WORDS_A_SEGMENT):
        row = [
            Word(start_s=place / 3, end_s=(place + 1) / 3, text=f" {said[place * 7 % len(said)]}", probability=0.9)
            for place in range(first, min(first + WORDS_A_SEGMENT, words))
        ]
        text = "".join(word.text for word in row)
        made.append(Segment(start_s=row[0].start_s, end_s=row[-1].end_s, text=text, words=tuple(row)))
    return made


def stored(folder: Path, jobs: int, words: int) -> Files:
    """Return storage that describes so many completed jobs."""
    root = folder / "storage"
    files = Files(str(root))
    with Ledger.open(folder / "first.duckdb") as ledger:
        (owner,) = people(ledger, 1)
        job = job_in(ledger, files, owner, JobState.COMPLETED, segments=spoken(words), exports={"srt": b"1\n"})
        manifests.keep(ledger, files, job.id)
    bodies = {name: files.read(name) for name in files.list("") if job.id in name}
    for _ in range(jobs - 1):
        other = new_id()
        for name, body in bodies.items():
            copy = root / name.replace(job.id, other)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(body.replace(job.id.encode(), other.encode()))
    return files


def timed(ledger: Ledger, files: Files) -> tuple[Rebuilt, float, float]:
    """Return what was brought in, the seconds, and the MB that it added to the process's peak."""
    began, before_mb = time.monotonic(), peak_memory_mb()
    found = rebuild(ledger, files)
    return found, time.monotonic() - began, peak_memory_mb() - before_mb


def main() -> None:
    """Rebuild a ledger, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--words", type=int, default=1200, help="of each transcript")
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="bench-rebuild-") as name:
        folder = Path(name)
        files = stored(folder, asked.jobs, asked.words)
        print(f"## A ledger of {asked.jobs:,} jobs from storage alone\n")
        print("| | jobs | transcripts | seconds | jobs a second | MB added to the peak |")
        print("|---|---|---|---|---|---|")
        with Ledger.open(folder / "new.duckdb") as ledger:
            for what in ("into an empty ledger", "again, with nothing missing"):
                found, took_s, more_mb = timed(ledger, files)
                row = f"| {what} | {found.jobs:,} | {found.transcripts:,} | {took_s:.1f} "
                print(f"{row}| {asked.jobs / took_s:,.0f} | {more_mb:.0f} |")
                assert not found.skipped
    print(f"\nTranscripts of {asked.words:,} words, on a local disk. Load average {load:.1f} before.")
    print("`python -m benchmarks rebuild`.")


if __name__ == "__main__":
    main()
