"""Names on storage: equal work has equal names, different work different ones."""

import dataclasses
from typing import Any

import pytest

from storage.backup import backup_store
from storage.datasets import dataset_place
from storage.domain import names
from storage.domain.records import CueLimits, ExportFormat, Options
from storage.files.file_store import checked
from storage.maintenance import audit_heads

SHA = "abcd" * 16
JOB = "01a206c6-138a-7000-b90b-8b102bd49235"


def result(options: Options | None = None, **more: Any) -> str:
    asked = {"fingerprint": "f00d", "engine_version": "engine 1", "language": "en"} | more
    return names.result_name(SHA, options=options or Options(), **asked)


@pytest.mark.parametrize(
    "name",
    [
        names.media_name(SHA),
        names.span_name(SHA),
        names.plan_name(SHA, "k1"),
        names.plans_folder(SHA)[:-1],
        result(),
        names.results_folder(SHA)[:-1],
        names.transcript_name(JOB),
        names.export_name(JOB, names.transcript_name(JOB), "srt", CueLimits()),
        names.exports_folder(JOB)[:-1],
        names.job_manifest_name(JOB),
    ],
)
def test_every_name_is_allowed_on_storage(name: str) -> None:
    assert checked(name) == name


@pytest.mark.parametrize(
    "name",
    [
        names.media_name(SHA),
        names.span_name(SHA),
        names.plans_folder(SHA),
        names.results_folder(SHA),
        names.transcript_name(JOB),
        names.partial_folder(JOB),
        names.peaks_folder(SHA),
        names.alignments_folder(JOB),
        names.proposals_folder(JOB),
        names.exports_folder(JOB),
        names.summaries_folder(JOB),
        names.job_manifest_name(JOB),
        f"{audit_heads.FOLDER}/",
        f"{backup_store.FOLDER}/",
        f"{dataset_place.FOLDER}/",
    ],
)
def test_parts_that_are_left_in_any_folder_of_the_platform_are_swept(name: str) -> None:
    assert name.partition("/")[0] in names.WRITTEN


def test_folders_are_spread_over_shards() -> None:
    assert names.media_name(SHA) == f"media/ab/{SHA}"
    assert names.plan_name(SHA, "k").startswith(names.plans_folder(SHA))
    assert result().startswith(names.results_folder(SHA))


@pytest.mark.parametrize(
    "change",
    [
        {"task": "translate"},
        {"prompt": "names"},
        {"hotwords": "x"},
        {"beam_size": 1},
        {"temperature": 0.2},
        {"word_timestamps": False},
    ],
)
def test_what_changes_the_hearing_changes_the_name(change: dict[str, Any]) -> None:
    assert result(dataclasses.replace(Options(), **change)) != result()


@pytest.mark.parametrize(
    "change", [{"fingerprint": "x"}, {"engine_version": "x"}, {"language": "de"}, {"language": None}]
)
def test_who_listens_changes_the_name(change: dict[str, Any]) -> None:
    assert result(**change) != result()


@pytest.mark.parametrize(
    "change",
    [
        {"cues": CueLimits(max_line_width=20)},
        {"model": "small"},
        {"language": "en"},
        {"audio_track": 1},
        {"channels": "split"},
        {"language_per_span": True},
        {"formats": (ExportFormat.DOCX,)},
    ],
)
def test_what_does_not_change_the_hearing_does_not_change_the_name(change: dict[str, Any]) -> None:
    assert result(dataclasses.replace(Options(), **change)) == result()


def test_an_unknown_format_has_no_name() -> None:
    with pytest.raises(ValueError, match="exe"):
        export(fmt="exe")


def export(
    *, stored_as: str = "transcripts/35/a.json", fmt: str = "srt", version: int = names.EXPORTER_VERSION, **cues: Any
) -> str:
    return names.export_name(JOB, stored_as, fmt, CueLimits(**cues), version=version)


def test_an_export_is_named_by_all_that_its_bytes_depend_on() -> None:
    usual = export()
    assert usual.startswith(names.exports_folder(JOB))
    assert usual.endswith(".srt")
    assert export() == usual
    others = [
        export(stored_as="transcripts/35/a.v2.json"),
        export(fmt="vtt"),
        export(max_line_width=20),
        export(highlight_words=True),
        export(speakers=False),
    ]
    later = export(version=names.EXPORTER_VERSION + 1)
    assert len({usual, *others, later}) == 7


def test_settings_that_a_format_does_not_show_make_no_second_file() -> None:
    assert export(fmt="json", max_line_width=20, speakers=False) == export(fmt="json")
    assert export(fmt="txt", max_line_width=20) == export(fmt="txt")
    assert export(fmt="txt", speakers=False) != export(fmt="txt")
