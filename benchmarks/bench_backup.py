"""A backup and its drill while others read and write the ledger.

python -m benchmarks.bench_backup [--rows 1000000] [--jobs 100000] [--changes-per-s 20] [--no-drill]
"""

import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks import crowd_material
from storage.backup import backup_work, packing
from storage.backup.backup_manifest import BackupManifest
from storage.backup.backup_process import Order
from storage.backup.backup_store import DrillReport
from storage.domain.records import from_json
from storage.domain.settings import BackupSettings, Settings, StorageSettings
from storage.jobs import listing
from storage.ledger import audit
from storage.ledger.database import Ledger

OWNERS = 100
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
            listing.page(con, listing.JobFilter(), limit=20)

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


def steps(ledger: Ledger, settings: Settings, *, drill: bool) -> Iterator[tuple[str, float, str]]:
    """Take a backup and try it; yield each step with its time."""
    with backup_work.alone(ledger.path) as work:
        began = time.perf_counter()
        taken = backup_work.snapshot(ledger, work)
        yield "snapshot", time.perf_counter() - began, f"{taken.path.stat().st_size >> 20} MiB"
        began = time.perf_counter()
        made = from_json(BackupManifest, child(Order.of(settings, "pack", taken.id, taken.made_at, work)))
        yield "packed, encrypted, stored", time.perf_counter() - began, f"{made.stored.size_bytes >> 20} MiB"
        if not drill:
            return
        began = time.perf_counter()
        report = from_json(DrillReport, child(Order.of(settings, "drill", made.id, made.made_at, work)))
        yield "restored on trial", time.perf_counter() - began, "passed" if report.passed else str(report.problems)


def main() -> None:
    """Fill a ledger, then back it up while others work."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--changes-per-s", type=float, default=20.0)
    parser.add_argument("--no-drill", action="store_true", help="without the trial restore, which takes longest")
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="bench-backup-") as folder:
        settings = Settings()
        settings.__dict__["storage"] = StorageSettings(data_dir=Path(folder), _env_file=None)
        settings.__dict__["backup"] = BackupSettings(backup_key=packing.new_key(), _env_file=None)
        with Ledger.open(Path(folder) / "ledger.duckdb") as ledger:
            fill(ledger, asked.rows, Path(folder))
            crowd_material.jobs(ledger, crowd_material.people(ledger, OWNERS), asked.jobs)
            with Traffic(ledger, asked.changes_per_s) as quiet:
                time.sleep(5)
            with Traffic(ledger, asked.changes_per_s) as busy:
                found = list(steps(ledger, settings, drill=not asked.no_drill))
    print(f"## Backup of {asked.rows:,} audit rows and {asked.jobs:,} jobs")
    print(f"\n{asked.changes_per_s:g} changes and reads (a page of the audit log and a page of jobs) a second go on.\n")
    print("| step | seconds | |\n|---|---|---|")
    for name, took_s, what in found:
        print(f"| {name} | {took_s:.1f} | {what} |")
    print("\n| of others, ms | median | 99% | longest, wanted < 500 |\n|---|---|---|---|")
    for when, traffic in (("before", quiet), ("meanwhile", busy)):
        for kind, took in traffic.took_ms.items():
            p99 = statistics.quantiles(took, n=100, method="inclusive")[-1]
            print(f"| {kind}, {when} | {statistics.median(took):.1f} | {p99:.1f} | {max(took):.1f} |")
    print(f"\nLoad average {load:.1f} before. `python -m benchmarks backup`.")


if __name__ == "__main__":
    main()
