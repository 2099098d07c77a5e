"""Names of a batch's results."""

import pytest

from storage.domain.errors import BadRequest
from storage.domain.result_template import ResultTemplate, checked_target

VALUES = {"format": "srt", "language": "en", "model": "base", "job": "j1"}


def filled(template: str, relative: str = "2026/talk one.mp3", **metadata: str) -> str:
    return ResultTemplate.of(template).name_for(relative, VALUES, metadata)


def test_fields_are_filled_from_the_file_its_job_and_the_manifest() -> None:
    assert filled("{path}.{format}") == "2026/talk one.srt"
    assert filled("{dir}/{language}/{stem}.{ext}.{format}") == "2026/en/talk one.mp3.srt"
    assert filled("{dir}/{name}.{format}", "talk.wav") == "talk.wav.srt"
    assert filled("{dir}/{stem}.{format}", "//talk.wav") == "talk.srt"  # of the key `prefix///talk.wav`
    assert filled("x/{path}.{format}", "/talk.wav") == "x/talk.srt"
    assert filled("{meta_speaker}/{job}-{model}.{format}", speaker="a/b\\..") == "a_b_../j1-base.srt"


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{stem.__class__}.{format}", "no field"),
        ("{stem[0]}.{format}", "no field"),
        ("{0}.{format}", "no field"),
        ("{}.{format}", "no field"),
        ("{stem!r}.{format}", "neither a format nor a conversion"),
        ("{stem:>99999999}.{format}", "neither a format nor a conversion"),
        ("{stem.{format}", "no field|expected|fields"),
        ("../{stem}.{format}", "no part may be"),
        ("/etc/{stem}.{format}", "no part may be"),
        ("a//{stem}.{format}", "no part may be"),
        ("{stem}\\{format}", "characters"),
        ("{stem}\n.{format}", "characters"),
        ("result.{format}", "tells files apart"),
        ("{stem}" + "x" * 300, "too long"),
    ],
)
def test_a_hostile_template_is_refused_before_anything_is_written(template: str, problem: str) -> None:
    with pytest.raises(BadRequest, match=problem):
        ResultTemplate.of(template)


def test_several_formats_need_names_of_their_own() -> None:
    with pytest.raises(BadRequest, match="with several formats"):
        ResultTemplate.of("{stem}.txt", formats=2)


@pytest.mark.parametrize("relative", ["a/../../b.wav", "/../b.wav", "x/" + "é" * 200 + ".wav", "a\x1b[2J.wav"])
def test_a_key_that_leads_elsewhere_gets_no_result(relative: str) -> None:
    with pytest.raises(BadRequest):
        filled("x/{path}.{format}", relative)


def test_a_value_that_the_manifest_lacks_is_named() -> None:
    with pytest.raises(BadRequest, match="no meta_speaker"):
        filled("{meta_speaker}.{format}")
    assert checked_target("a/b.srt") == "a/b.srt"
