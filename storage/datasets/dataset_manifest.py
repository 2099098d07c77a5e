"""The manifest of exported datasets: which partitions there are, and as of what."""

from dataclasses import dataclass
from datetime import datetime

from storage.datasets.dataset_schema import DATASET_VERSION, DATASETS

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One Parquet file: a month of a dataset. `mark` tells whether the ledger's rows are still these."""

    dataset: str
    year: int
    month: int
    rows: int
    size_bytes: int
    sha256: str
    mark: str

    @property
    def name(self) -> str:
        return partition_name(self.dataset, self.year, self.month)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetColumn:
    """A column as the manifest tells it."""

    name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetManifest:
    """What was exported.

    `origin` says from which ledger, `audit_rows` up to which row of its audit log.
    """

    dataset_version: int = DATASET_VERSION
    program: str
    origin: str
    exported_at: datetime
    audit_rows: int
    columns: dict[str, tuple[DatasetColumn, ...]]
    partitions: tuple[Partition, ...] = ()

    def rows_of(self, dataset: str) -> int:
        return sum(one.rows for one in self.partitions if one.dataset == dataset)


def partition_name(dataset: str, year: int, month: int) -> str:
    """Return where a partition is, below the place of datasets."""
    return f"{dataset}/year={year:04}/month={month}/{dataset}.parquet"


def columns() -> dict[str, tuple[DatasetColumn, ...]]:
    """Return the columns of every dataset."""
    return {one.name: tuple(DatasetColumn(name=c.name, type=c.type) for c in one.columns) for one in DATASETS}
