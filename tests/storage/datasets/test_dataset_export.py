"""Datasets exported from a real ledger, and read by other people's libraries."""

import dataclasses
import re
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd  # type: ignore[import-untyped]
import polars as pl
import pyarrow.dataset as arrow_dataset
import pyarrow.parquet as arrow_parquet
import pytest
from duckdb import DuckDBPyConnection

from storage.accounts import canary_account
from storage.datasets import dataset_export
from storage.datasets.dataset_export import Exported
from storage.datasets.dataset_place import DatasetPlace
from storage.datasets.dataset_schema import DATASET_VERSION, DATASETS
from storage.domain.errors import BadRequest, DatasetsOfAnother, DatasetsUnreachable, NoDatasetPlace, StorageUnreachable
from storage.domain.records import Job, User
from storage.domain.settings import Settings
from storage.files.file_store import Files
from storage.jobs import deletion, save_edit
from storage.jobs.annotations import tagging
from storage.ledger import audit
from storage.ledger.database import Ledger
from storage.ledger.database_file import scratch
from storage.transcripts.edits import Draft, Piece
from tests.factories import SEGMENTS, DirectReporter, FlowRun, accept

Export = Callable[..., Exported]


@pytest.fixture
def place(files: Files) -> DatasetPlace:
    return DatasetPlace(files, "datasets")


@pytest.fixture
def export(ledger: Ledger, place: DatasetPlace) -> Export:
    def run(**more: Any) -> Exported:
        return dataset_export.export(ledger, place, actor="system:test", **more)

    return run


@pytest.fixture
def completed(ledger: Ledger, files: Files, reporter: DirectReporter, ann: User) -> Callable[..., Job]:
    """Return a function that completes a recording, uploaded at a time of the test's choice."""

    def make(content: str, at: datetime | None = None, owner: User | None = None) -> Job:
        job = accept(ledger, owner or ann, content=content, name=f"{content}.wav", metadata={"case": content})
        FlowRun(reporter, files, job).whole_way()
        if at is not None:
            ledger.run(
                lambda con: con.execute(
                    "UPDATE jobs SET created_at = ?, finished_at = ? WHERE id = ?", [at, at, job.id]
                )
            )
        return job

    return make


def written(done: Exported) -> set[str]:
    return {f"{one.dataset} {one.year}-{one.month:02}" for one in done.written}


def of(place: DatasetPlace, dataset: str) -> Path:
    folder = place.files.path(f"datasets/{dataset}")
    assert folder is not None
    return folder


MARCH, MAY = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)


def test_months_are_partitions_with_the_documented_columns(
    completed: Callable[..., Job], export: Export, place: DatasetPlace
) -> None:
    march, may = completed("march", MARCH), completed("may", MAY)
    done = export(device_hour_cost=7.2)
    for dataset in DATASETS:
        for path in of(place, dataset.name).rglob("*.parquet"):
            described = arrow_parquet.read_metadata(path).metadata
            assert described[b"dataset"] == dataset.name.encode()
            assert described[b"version"] == str(DATASET_VERSION).encode()
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            with scratch({}) as con:
                found = con.execute(
                    "DESCRIBE SELECT * FROM read_parquet(?, hive_partitioning=false)", [str(path)]
                ).fetchall()
            assert [(row[0], row[1]) for row in found] == [(one.name, one.type) for one in dataset.columns]
    assert written(done) >= {f"{name} 2026-{month}" for name in ("jobs", "words", "usage") for month in ("03", "05")}
    with scratch({}) as con:
        jobs = con.execute(
            "SELECT job_id, year, month, owner, state, device_s, transcript_version, metadata['case'] "
            "FROM read_parquet(?) ORDER BY 3",
            [f"{of(place, 'jobs')}/**/*.parquet"],
        ).fetchall()
        words = con.execute(
            "SELECT segment, word, text, probability, speaker FROM read_parquet(?) WHERE month = 3 ORDER BY ALL",
            [f"{of(place, 'words')}/**/*.parquet"],
        ).fetchall()
        usage = con.execute(
            "SELECT recordings, audio_s, device_s, round(cost, 6) FROM read_parquet(?) WHERE month = 5",
            [f"{of(place, 'usage')}/**/*.parquet"],
        ).fetchall()
    done_once = ("Ann", "completed", 1.0, 1)
    assert jobs == [(march.id, 2026, 3, *done_once, "march"), (may.id, 2026, 5, *done_once, "may")]
    assert words == [(0, 0, " Grüße,", 0.123456789, "A"), (0, 1, ' "Anna"\n😀', 1.0, "A")]
    assert usage == [(1, 20.0, 1.0, 0.002)]


def test_pandas_polars_and_pyarrow_read_them(
    completed: Callable[..., Job], export: Export, place: DatasetPlace
) -> None:
    completed("march", MARCH)
    completed("may", MAY)
    export()
    frame = pd.read_parquet(of(place, "segments"))
    assert len(frame) == 2 * len(SEGMENTS)
    assert frame["text"].tolist()[:2] == [one.text for one in SEGMENTS]
    lazy = pl.scan_parquet(of(place, "jobs"), hive_partitioning=True)
    assert lazy.filter(pl.col("month") == 5).select("name", "created_at").collect().rows() == [("may.wav", MAY)]
    table = arrow_dataset.dataset(of(place, "words"), partitioning="hive").to_table(
        filter=arrow_dataset.field("month") == 3
    )
    assert table.column("text").to_pylist() == [" Grüße,", ' "Anna"\n😀']


def test_only_what_changed_is_written_again(
    ledger: Ledger, files: Files, completed: Callable[..., Job], export: Export, place: DatasetPlace
) -> None:
    march, may = completed("march", MARCH), completed("may", MAY)
    first = export()
    assert {name.split()[0] for name in written(export())} == {"audit"}

    pieces = tuple(Piece(start_s=one.start_s, end_s=one.end_s, text=one.text, speaker=one.speaker) for one in SEGMENTS)
    corrected = dataclasses.replace(pieces[1], text=" Das Ende.")
    save_edit.edit(ledger, files, may.id, Draft(base=1, segments=(pieces[0], corrected)), actor="user:ann")
    changed = written(export())
    assert {name for name in changed if not name.startswith("audit")} == {
        "jobs 2026-05",
        "segments 2026-05",
        "words 2026-05",
        "speakers 2026-05",
    }
    assert " Das Ende." in pd.read_parquet(of(place, "segments"))["text"].tolist()

    ledger.run(deletion.delete, march.id, actor="user:ann")
    done = export()
    assert sorted(name.split("/")[0] for name in done.deleted) == ["jobs", "segments", "speakers", "usage", "words"]
    assert pd.read_parquet(of(place, "jobs"))["job_id"].tolist() == [may.id]
    assert {name.split()[0] for name in written(export(full=True))} == {one.dataset for one in first.written}


def test_tags_names_and_costs_rewrite_only_what_has_them(
    ledger: Ledger, files: Files, completed: Callable[..., Job], export: Export, place: DatasetPlace
) -> None:
    march, may = completed("march", MARCH), completed("may", MAY)
    export()

    def others(**more: Any) -> set[str]:
        return {name for name in written(export(**more)) if not name.startswith("audit")}

    ledger.run(tagging.set_tags, may.id, ["board"], actor="user:ann")
    assert others() == {"jobs 2026-05"}
    assert others(device_hour_cost=7.2) == {"usage 2026-03", "usage 2026-05"}
    ledger.run(lambda con: con.execute("UPDATE users SET name = 'Anna' WHERE id = ?", [may.owner_id]))
    assert others() == {f"{name} 2026-{month}" for name in ("jobs", "usage") for month in ("03", "05")}
    ledger.run(deletion.delete, march.id, actor="user:ann")
    export()
    ledger.run(deletion.purge, march.id, actor="user:ann")
    assert others() == set()
    assert {one.month for one in place.manifest().partitions if one.dataset != "audit"} == {5}  # type: ignore[union-attr]


def test_what_changed_is_asked_for_all_months_at_once(
    completed: Callable[..., Job], export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    values = dataset_export.values

    def counted(con: DuckDBPyConnection, dataset: str, *more: Any) -> dict[str, Any]:
        asked.append(dataset)
        return values(con, dataset, *more)

    def unchanged() -> list[str]:
        export()
        asked.clear()
        export()
        return list(asked)

    monkeypatch.setattr(dataset_export, "values", counted)
    completed("march", MARCH)
    with_one_month = unchanged()
    completed("may", MAY)
    assert unchanged() == with_one_month


def test_recordings_of_the_canary_are_left_out(ledger: Ledger, completed: Callable[..., Job], export: Export) -> None:
    completed("canary", owner=ledger.run(canary_account.ensure))
    assert {one.dataset for one in export().written} == {"audit"}


def test_an_interrupted_export_is_finished_by_the_next(
    completed: Callable[..., Job], export: Export, place: DatasetPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    completed("march", MARCH)
    export()
    completed("may", MAY)
    put, calls = place.put, []

    def fails_at_the_second(*args: Any) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise StorageUnreachable("datasets", "cut off")
        put(*args)

    monkeypatch.setattr(place, "put", fails_at_the_second)
    before = place.manifest()
    with pytest.raises(StorageUnreachable):
        export()
    assert place.manifest() == before
    monkeypatch.undo()
    assert {name for name in written(export()) if "05" in name} >= {"jobs 2026-05", "words 2026-05", "usage 2026-05"}
    assert {one.name for one in place.manifest().partitions} == place.partitions()  # type: ignore[union-attr]
    assert not list(Path(place.files.url).parent.glob("datasets-work-*"))


def test_a_file_that_was_cut_or_lost_is_written_again(
    completed: Callable[..., Job], export: Export, place: DatasetPlace
) -> None:
    completed("may", MAY)
    export()
    (of(place, "words") / "year=2026/month=5/words.parquet").write_bytes(b"PAR1")
    (of(place, "jobs") / "year=2026/month=5/jobs.parquet").unlink()
    assert {name for name in written(export()) if "audit" not in name} == {"words 2026-05", "jobs 2026-05"}


def test_an_unreadable_manifest_means_a_full_export(
    completed: Callable[..., Job], export: Export, place: DatasetPlace
) -> None:
    completed("may", MAY)
    first = export()
    place.files.write("datasets/manifest.json", b'{"partitions": "')
    assert written(export()) == written(first)


def test_another_ledgers_datasets_are_not_written_over(
    completed: Callable[..., Job], export: Export, place: DatasetPlace
) -> None:
    completed("may", MAY)
    export()
    manifest = place.manifest()
    assert manifest is not None
    place.keep_manifest(dataclasses.replace(manifest, origin="f00d"))
    with pytest.raises(DatasetsOfAnother, match="--full"):
        export()
    assert export(full=True).manifest.origin == manifest.origin


def test_files_of_something_else_are_never_replaced(export: Export, place: DatasetPlace) -> None:
    settings = Settings()
    place.files.write("datasets/manifest.json", b'{"name": "an installable page"}')
    for full in (False, True):
        with pytest.raises(NoDatasetPlace, match="something else"):
            export(full=full)
    assert place.files.read("datasets/manifest.json") == b'{"name": "an installable page"}'
    for own in (settings.storage.data_dir, f"{settings.storage.root_url}/"):
        with pytest.raises(NoDatasetPlace, match="own files"):
            DatasetPlace.at(str(own), settings)
    with pytest.raises(BadRequest, match="no bucket"):
        DatasetPlace.at("s3://", settings)


def test_a_place_that_takes_no_files_is_named(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatasetsUnreachable, match="file"):
        dataset_export.export(ledger, DatasetPlace(Files(str(tmp_path / "file"))), actor="system:test")


def test_an_export_is_audited(ledger: Ledger, export: Export) -> None:
    done = export()
    with ledger.read() as con:
        (row,) = audit.page(con, action="datasets.export")
    assert (row.actor, row.detail["url"], row.detail["partitions"]) == ("system:test", done.url, len(done.written))


def test_the_columns_are_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "datasets.md").read_text()
    for dataset in DATASETS:
        part = text.partition(f"### `{dataset.name}`\n")[2].partition("\n### ")[0]
        rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", part, re.MULTILINE)
        assert rows == [(one.name, one.type, one.meaning) for one in dataset.columns]
        assert dataset.holds in part
