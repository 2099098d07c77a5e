"""The facts about export formats."""

from dataclasses import fields

import pytest

from storage.domain.export_formats import ALL_SETTINGS, SINGLE_FORMATS, ExportFormat
from storage.domain.records import CueLimits


def test_every_caption_setting_is_seen_by_some_format() -> None:
    assert {field.name for field in fields(CueLimits)} == ALL_SETTINGS
    assert all(fmt.spec.settings <= ALL_SETTINGS for fmt in ExportFormat)


def test_an_archive_sees_what_its_files_see() -> None:
    assert ExportFormat.ZIP.spec.settings == frozenset[str]().union(*(fmt.spec.settings for fmt in SINGLE_FORMATS))


def test_a_format_is_found_by_its_extension_and_nothing_else() -> None:
    assert [ExportFormat(fmt.spec.extension) for fmt in ExportFormat] == list(ExportFormat)
    with pytest.raises(ValueError, match="exe"):
        ExportFormat("exe")
