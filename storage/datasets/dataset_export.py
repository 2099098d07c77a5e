"""Export datasets: each month that changed is written again, then the manifest.

A partition is copied by DuckDB into a local file and takes the place of the former one whole. If the export is
interrupted, the manifest still has the marks of before, and the next export writes the rest.
"""

import calendar
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from duckdb import DuckDBPyConnection

from storage.backup.backup_manifest import origin_of, program_version
from storage.backup.packing import digest_of
from storage.datasets import dataset_sql
from storage.datasets.dataset_manifest import DatasetManifest, Partition, columns
from storage.datasets.dataset_place import DatasetPlace
from storage.datasets.dataset_schema import BY_NAME, DATASET_VERSION
from storage.domain.clock import utc_now
from storage.domain.errors import DatasetsOfAnother, DatasetsRunning, DatasetsUnreachable, StorageUnreachable
from storage.ledger import audit
from storage.ledger.database import Ledger

WORK = "datasets-work-"
_running = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export did."""

    manifest: DatasetManifest
    url: str
    written: tuple[Partition, ...]
    deleted: tuple[str, ...]
    took_s: float

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.written)


Month = tuple[str, date]
"""A dataset, and the first day of a month of it."""
Bounds = tuple[datetime, datetime]
"""From when until before when."""
ALWAYS: Bounds = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))


def export(
    ledger: Ledger, place: DatasetPlace, *, actor: str, full: bool = False, device_hour_cost: float | None = None
) -> Exported:
    """Export what changed since the last export, or everything, and record it.

    Raises:
        DatasetsRunning: another export of this process is running.
        DatasetsOfAnother: the place has the datasets of another ledger; `full` replaces them.
        NoDatasetPlace: the place has a manifest of something else.
        StorageFull, DatasetsUnreachable: the place does not take them; what is there stays readable.
    """
    with _alone(ledger.path) as work:
        try:
            done = _Export(ledger=ledger, place=place, work=work, full=full, device_hour_cost=device_hour_cost).run()
        except StorageUnreachable as error:
            raise DatasetsUnreachable(place.url, error.reason) from error
    told = {"url": done.url, "partitions": len(done.written), "deleted": len(done.deleted), "rows": done.rows}
    ledger.run(audit.record, actor=actor, action="datasets.export", subject="datasets", detail=told | {"full": full})
    return done


@contextmanager
def _alone(ledger_path: Path) -> Iterator[Path]:
    """Hold the lock of exports, and provide a private folder beside the ledger."""
    if not _running.acquire(blocking=False):
        raise DatasetsRunning
    try:
        folder = ledger_path.absolute().parent
        for left in folder.glob(f"{WORK}*"):  # of a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        with TemporaryDirectory(prefix=WORK, dir=folder, ignore_cleanup_errors=True) as work:
            yield Path(work)
    finally:
        _running.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Export:
    """One export: from which ledger, to which place, with files in which folder."""

    ledger: Ledger
    place: DatasetPlace
    work: Path
    full: bool
    device_hour_cost: float | None

    def run(self) -> Exported:
        began, before, there = utc_now(), self.place.manifest(), self.place.partitions()
        if before is None:
            self.place.check_unclaimed(there)
        known = self._known(before, there)
        with self.ledger.read() as con:
            origin, audit_rows = origin_of(con), audit.head(con)[0]
            marks = self._marks(con, tuple(BY_NAME), ALWAYS)
        kept = {key: one for key, one in known.items() if marks.get(key) == one.mark}
        if before and before.origin not in {"", origin} and not self.full:  # "" is that of an unused ledger
            raise DatasetsOfAnother(self.place.url)
        written = self._write(marks.keys() - kept.keys())
        current = kept | written
        gone = sorted(there - {one.name for one in current.values()})
        for name in gone:
            self.place.delete(name)
        manifest = DatasetManifest(
            program=program_version(),
            origin=origin,
            exported_at=began,
            audit_rows=audit_rows,
            columns=columns(),
            partitions=tuple(current[key] for key in sorted(current)),
        )
        self.place.keep_manifest(manifest)
        return Exported(
            manifest=manifest,
            url=self.place.url,
            written=tuple(written[key] for key in sorted(written)),
            deleted=tuple(gone),
            took_s=round((utc_now() - began).total_seconds(), 3),
        )

    def _known(self, before: DatasetManifest | None, there: set[str]) -> dict[Month, Partition]:
        """Return the partitions that need not be written if their rows are the same."""
        if self.full or before is None or before.dataset_version != DATASET_VERSION:
            return {}
        whole = [one for one in before.partitions if one.name in there and self.place.size(one) == one.size_bytes]
        return {(one.dataset, date(one.year, one.month, 1)): one for one in whole}

    def _write(self, due: set[Month]) -> dict[Month, Partition]:
        """Write these months, each month's partitions from one snapshot of the ledger.

        A partition may have no rows, so that its columns are there. While a month is read, the ledger's log cannot be
        checkpointed.
        """
        written: dict[Month, Partition] = {}
        for month in sorted({month for _, month in due}):
            with self.ledger.read() as con:
                named = tuple(one for one in BY_NAME if (one, month) in due)
                marks = self._marks(con, named, _bounds(month))
                made = [self._copy(con, one, month, marks.get((one, month), "")) for one in named]
            for one in made:
                self.place.put(one, self._file(one.dataset))
                written[one.dataset, month] = one
        return written

    def _file(self, dataset: str) -> Path:
        return self.work / f"{dataset}.parquet"

    def _copy(self, con: DuckDBPyConnection, dataset: str, month: date, mark: str) -> Partition:
        path = self._file(dataset)
        asked = values(con, dataset, *_bounds(month), self.device_hour_cost) | {"path": str(path)}
        statement = dataset_sql.COPY.format(dataset_sql.OF[dataset].rows, dataset, DATASET_VERSION)
        rows = int(con.execute(statement, asked).fetchall()[0][0])
        path.chmod(0o600)
        packed = digest_of(path)
        return Partition(
            dataset=dataset,
            year=month.year,
            month=month.month,
            rows=rows,
            size_bytes=packed.size_bytes,
            sha256=packed.sha256,
            mark=mark,
        )

    def _marks(self, con: DuckDBPyConnection, names: tuple[str, ...], bounds: Bounds) -> dict[Month, str]:
        """Return the mark of each month of datasets; what several share is asked for once."""
        found: dict[str, dict[date, str]] = {}
        for name in names:
            if (statement := dataset_sql.OF[name].marks) not in found:
                asked = values(con, name, *bounds, self.device_hour_cost)
                found[statement] = dict(con.execute(statement, asked).fetchall())
        return {(name, month): mark for name in names for month, mark in found[dataset_sql.OF[name].marks].items()}


def _bounds(month: date) -> Bounds:
    since = datetime(month.year, month.month, 1, tzinfo=UTC)
    return since, since + timedelta(days=calendar.monthrange(month.year, month.month)[1])


def values(
    con: DuckDBPyConnection, dataset: str, since: datetime, until: datetime, device_hour_cost: float | None
) -> dict[str, Any]:
    """Return the values of a dataset's statements for [since, until)."""
    found: dict[str, Any] = {"since": since, "until": until}
    bounds = dataset_sql.OF[dataset].bounds
    row = con.execute(bounds, found).fetchone() if bounds else None
    if row is not None:
        found |= {"first": row[0], "last": row[1]}
    return found | ({"cost": device_hour_cost} if dataset == "usage" else {})
