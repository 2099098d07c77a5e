"""A backup and its drill while others read and write the ledger.

    python -m benchmarks.bench_backup [--rows 1000000] [--jobs 100000] [--changes-per-s 20] [--no-drill]

Only the time of others' requests needs a quiet machine. With `--folder`, the ledger and its backup stay there, and each
part may have a run of its own: `--only fill`, then `--only backup`, then `--only drill`.
"""

import argparse
import contextlib
import hashlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import SecretStr

from benchmarks import crowd_material
from storage.backup import backup_work, packing
from storage.backup.backup_manifest import BackupManifest
from storage.backup.backup_process import Order
from storage.backup.backup_store import NEWEST, BackupStore, DrillReport
from storage.domain.records import from_json
from storage.domain.settings import BackupSettings, Settings, StorageSettings
from storage.ledger import audit
from storage.ledger.database import Ledger

Step = tuple[str, float, str]
FILL = "COPY audit (seq, happened_at, actor, action, subject, detail, hash) FROM '{}' (FORMAT csv, HEADER false)"
CHAINED = r'["%s", %d, "%s", "worker:gpu-1", "span.heard", "%s", "{\"ms\":1234}"]'
ROW = '%d,%s,worker:gpu-1,span.heard,%s,"{""ms"":1234}",%s\n'
"""A row as `audit` hashes it, and as a line of the file; json.dumps took four times as long."""
HEAD = "UPDATE audit_head SET count = $count, hash = $hash"


def fill(ledger: Ledger, rows: int, folder: Path) -> None:
    """Give the ledger a sound audit chain of so many rows."""
    digest, at, path, step = "", datetime(2026, 1, 1, tzinfo=UTC), folder / "rows.csv", timedelta(milliseconds=1)
    with path.open("w") as file:
        for seq in range(1, rows + 1):
            at += step
            instant, subject = at.isoformat(timespec="microseconds"), f"01a22507-6235-7000-a52a-{seq:012x}"
            values = CHAINED % (digest, seq, instant, subject)
            digest = hashlib.sha256(values.encode()).hexdigest()
            file.write(ROW % (seq, instant, subject, digest))
    with ledger.write() as con:
        con.execute(FILL.format(path))
        con.execute(HEAD, {"count": rows, "hash": digest})
    path.unlink()
    ledger.checkpoint()


class Traffic:
    """Changes and reads of others, with the time that each took."""

    def __init__(self, ledger: Ledger, per_s: float) -> None:
        self._ledger, self._pause_s, self._stop = ledger, 1 / per_s, threading.Event()
        self.took_ms: dict[str, list[float]] = {"change": [], "read": []}
        self._threads = [
            threading.Thread(target=self._repeat, args=("change", self._change)),
            threading.Thread(target=self._repeat, args=("read", self._read)),
        ]

    def _repeat(self, kind: str, work: Callable[[], object]) -> None:
        while not self._stop.wait(self._pause_s):
            began = time.perf_counter()
            work()
            self.took_ms[kind].append(1000 * (time.perf_counter() - began))

    def _change(self) -> None:
        self._ledger.run(audit.record, actor="user:x", action="job.rename", subject="x")

    def _read(self) -> None:
        with self._ledger.read() as con:
            audit.page(con, limit=20)

    def __enter__(self) -> "Traffic":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def child(order: Order) -> bytes:
    """Let the process of backups do it, as the web process does."""
    command = [sys.executable, "-m", "storage.backup.backup_process"]
    return subprocess.run(command, input=order.to_bytes(), capture_output=True, check=True).stdout


def packed(ledger: Ledger, settings: Settings) -> Iterator[Step]:
    """Take a backup; yield each step with its time."""
    with backup_work.alone(ledger.path) as work:
        began = time.perf_counter()
        taken = backup_work.snapshot(ledger, work)
        yield "snapshot", time.perf_counter() - began, f"{taken.path.stat().st_size >> 20} MiB"
        began = time.perf_counter()
        made = from_json(BackupManifest, child(Order.of(settings, "pack", taken.id, taken.made_at, work)))
        yield "packed, encrypted, stored", time.perf_counter() - began, f"{made.stored.size_bytes >> 20} MiB"


def tried(ledger_path: Path, settings: Settings) -> Step:
    """Restore the newest backup on trial; return the step with its time."""
    made = BackupStore.from_settings(settings).manifest(NEWEST)
    with backup_work.alone(ledger_path) as work:
        began = time.perf_counter()
        report = from_json(DrillReport, child(Order.of(settings, "drill", made.id, made.made_at, work)))
        took_s = time.perf_counter() - began
    of_processor_s = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = f"{of_processor_s.ru_utime + of_processor_s.ru_stime:.1f} s of processor, with what made the backup"
    return "restored on trial", took_s, f"{'passed' if report.passed else report.problems}; {spent}"


def settings_for(folder: Path) -> Settings:
    """Return settings with a key, which stays in the folder for a later run."""
    key = folder / "key"
    if not key.exists():
        key.write_text(packing.new_key())
    settings = Settings()
    settings.__dict__["storage"] = StorageSettings(data_dir=folder, _env_file=None)
    settings.__dict__["backup"] = BackupSettings(backup_key=SecretStr(key.read_text()), _env_file=None)
    return settings


def measured(folder: Path, asked: argparse.Namespace) -> None:
    """Do the parts that are asked for, and print their times."""
    settings, path = settings_for(folder), folder / "ledger.duckdb"
    found: list[Step] = []
    traffic: dict[str, Traffic] = {}
    with Ledger.open(path) as ledger:
        if "fill" in asked.only:
            fill(ledger, asked.rows, folder)
            crowd_material.jobs(ledger, crowd_material.people(ledger, 10), asked.jobs, done=asked.jobs)
        if "backup" in asked.only:
            with Traffic(ledger, asked.changes_per_s) as traffic["before"]:
                time.sleep(5)
            with Traffic(ledger, asked.changes_per_s) as traffic["meanwhile"]:
                found += packed(ledger, settings)
                if "drill" in asked.only:
                    found.append(tried(path, settings))
    if "drill" in asked.only and "backup" not in asked.only:
        found.append(tried(path, settings))
    print("| step | seconds | |\n|---|---|---|")
    for name, took_s, what in found:
        print(f"| {name} | {took_s:.1f} | {what} |")
    if traffic:
        print("\n| of others, ms | median | 99% | longest, wanted < 500 |\n|---|---|---|---|")
    for when, others in traffic.items():
        for kind, took in others.took_ms.items():
            p99 = statistics.quantiles(took, n=100, method="inclusive")[-1]
            print(f"| {kind}, {when} | {statistics.median(took):.1f} | {p99:.1f} | {max(took):.1f} |")


def main() -> None:
    """Fill a ledger, then back it up while others work."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--changes-per-s", type=float, default=20.0)
    parser.add_argument("--no-drill", action="store_true", help="without the trial restore, which takes longest")
    parser.add_argument("--folder", type=Path, help="keep everything here, for a run of another part")
    parser.add_argument("--only", action="append", choices=["fill", "backup", "drill"], help="do this part")
    asked = parser.parse_args()
    asked.only = asked.only or ["fill", "backup", *([] if asked.no_drill else ["drill"])]
    load = os.getloadavg()[0]
    print(f"## Backup of {asked.rows:,} audit rows and {asked.jobs:,} jobs,", end="")
    print(f" with {asked.changes_per_s:g} changes and reads a second\n")
    with contextlib.ExitStack() as kept:
        if asked.folder:
            asked.folder.mkdir(parents=True, exist_ok=True)
        folder = asked.folder or Path(kept.enter_context(tempfile.TemporaryDirectory(prefix="bench-backup-")))
        measured(folder, asked)
    print(f"\nLoad average {load:.1f} before. `python -m benchmarks backup`.")


if __name__ == "__main__":
    main()
