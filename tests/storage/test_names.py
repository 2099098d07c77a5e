"""Names on storage: equal work has an equal name, other work another."""

import dataclasses
from typing import Any

import pytest

from storage import names
from storage.files import checked
from storage.records import CueLimits, ExportFormat, Options

SHA = "abcd" * 16


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
        names.transcript_name("01a206c6-138a-7000-b90b-8b102bd49235"),
        names.export_name("01a206c6-138a-7000-b90b-8b102bd49235", "srt"),
        names.job_manifest_name("01a206c6-138a-7000-b90b-8b102bd49235"),
    ],
)
def test_every_name_is_allowed_on_storage(name: str) -> None:
    assert checked(name) == name


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
    ],
)
def test_what_does_not_change_the_hearing_does_not_change_the_name(change: dict[str, Any]) -> None:
    assert result(dataclasses.replace(Options(), **change)) == result()


def test_an_unknown_format_has_no_name() -> None:
    with pytest.raises(ValueError, match="exe"):
        names.export_name("j1", "exe")
    assert names.export_name("j1", ExportFormat.VTT) == "exports/j1/j1.vtt"
