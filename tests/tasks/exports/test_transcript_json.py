"""The JSON document: valid by its schema, in review order, readable again."""

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from storage.domain.errors import BadRequest
from storage.domain.records import (
    CueLimits,
    ExportFormat,
    Finding,
    LanguageGuess,
    Options,
    PinnedCue,
    Redecoding,
    Seam,
    Segment,
    Transcript,
    Word,
)
from tasks.exports.transcript_json import REVIEW_ORDER, document, from_text, to_text

ROOT = Path(__file__).parents[3]
SCHEMA: dict[str, Any] = json.loads((ROOT / "docs" / "transcript.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)

FULL = Transcript(
    job_id="0190",
    media_sha256="0f" * 32,
    name="talk.mp3",
    duration_s=60.0,
    speech_s=41.25,
    language="en",
    language_probability=0.97,
    model="small",
    fingerprint="abc",
    engine="faster-whisper 1.2.1",
    options=Options(prompt="Nuuk", cues=CueLimits(max_line_width=30), formats=(ExportFormat.DOCX,)),
    segments=(
        Segment(
            start_s=1.0,
            end_s=2.0004,
            text=" Good day.",
            speaker="Ann",
            language="en",
            words=(
                Word(start_s=1.0, end_s=1.5, text=" Good", probability=0.9),
                Word(start_s=1.5, end_s=2.0004, text=" day.", probability=0.4),
            ),
        ),
        Segment(start_s=3.0, end_s=4.0, text=" Said without word times."),
    ),
    pinned_cues=(PinnedCue(start_s=0.9, end_s=2.1, from_s=1.0, until_s=1.5, speaker="Ann"),),
    findings=(
        Finding(kind="low confidence", start_s=1.0, end_s=2.0, detail="1 of 2 words are uncertain"),
        Finding(kind="repetition", start_s=5.0, end_s=6.0, detail="the text repeats itself"),
        Finding(kind="repetition", start_s=7.0, end_s=20.0, detail="the text repeats itself"),
        Finding(kind="of a later version", start_s=0.0, end_s=60.0, detail="something new"),
        Finding(kind="speech with no text", start_s=30.0, end_s=31.0, detail="1.0 s of speech have no text"),
    ),
    given_up=("a larger batch",),
    reheard=(
        Redecoding(
            start_s=1.0,
            end_s=2.0,
            doubts=("low confidence",),
            first_text="Good die.",
            second_text="Good day.",
            kept="second",
        ),
    ),
    version=2,
    seams=(
        Seam(
            at_s=20.0,
            overlap_s=0.0,
            silence_s=0.6,
            before="word times.",
            after="",
            before_gap_s=0.3,
            after_gap_s=None,
            doubt="a word reaches to the cut",
        ),
    ),
    other_languages=(LanguageGuess(language="de", probability=0.02),),
)


def properties(schema: dict[str, Any], *path: str) -> set[str]:
    for step in path:
        schema = schema["properties"][step]
        schema = schema.get("items", schema)
    return set(schema["properties"])


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_a_file_is_as_the_schema_says_and_the_schema_knows_every_field() -> None:
    written = json.loads(to_text(FULL))
    VALIDATOR.validate(written)
    assert written == json.loads(json.dumps(document(FULL)))
    assert set(written) == properties(SCHEMA)
    assert set(written["settings"]) == properties(SCHEMA, "settings")
    assert set(written["settings"]["cues"]) == properties(SCHEMA, "settings", "cues")
    assert set(written["segments"][0]) == properties(SCHEMA, "segments")
    assert set(written["segments"][0]["words"][0]) == properties(SCHEMA, "segments", "words")
    assert set(written["quality"]) == properties(SCHEMA, "quality")
    for several in ("findings", "reheard", "other_languages", "seams", "pinned_cues"):
        assert set(written[several][0]) == properties(SCHEMA, several)


def test_the_schema_names_all_formats_and_kinds_of_findings() -> None:
    assert SCHEMA["properties"]["settings"]["properties"]["formats"]["items"]["enum"] == [*ExportFormat]
    kinds = SCHEMA["properties"]["findings"]["items"]["properties"]["kind"]["description"]
    assert all(kind in kinds for kind in REVIEW_ORDER)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"schema_version": 2},
        {"duration": "60"},
        {"segments": [{"id": 0, "start": 1.0}]},
        {"findings": [{"kind": "repetition", "start": 0, "end": 1, "detail": "unranked"}]},
        {"settings": {}},
    ],
)
def test_the_schema_refuses_what_is_otherwise(spoilt: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(json.loads(to_text(FULL)) | spoilt)


def test_what_to_review_first_comes_first() -> None:
    found = document(FULL)["findings"]
    assert [(one["rank"], one["kind"], one["start"]) for one in found] == [
        (1, "speech with no text", 30.0),
        (2, "repetition", 7.0),
        (3, "repetition", 5.0),
        (4, "low confidence", 1.0),
        (5, "of a later version", 0.0),
    ]


def test_quality_is_measured() -> None:
    assert document(FULL)["quality"] == {
        "words": 2,
        "word_probability": 0.65,
        "unsure_words": 0.5,
        "speech_with_text": 0.9758,
        "speech_without_text": 1.0,
        "text_without_speech": 0.0,
        "highest_compression_ratio": 0.0,
        "chars_per_second": round(len(FULL.text) / 41.25, 2),
        "to_review": 60.0,
    }
    nothing = replace(FULL, segments=(), findings=(), speech_s=0.0)
    told = document(nothing)["quality"]
    assert (told["words"], told["speech_with_text"], told["to_review"]) == (0, None, 0.0)
    VALIDATOR.validate(json.loads(to_text(nothing)))


def test_a_file_reads_back_with_all_that_exports_need() -> None:
    again = from_text(to_text(FULL))
    assert again.segments[0].words[1].end_s == 2.0
    assert (again.segments[0].speaker, again.options, again.version) == ("Ann", FULL.options, 2)
    kept = {name: document(FULL)[name] for name in ("reheard", "seams", "quality")}  # of the hearing, not of the text
    told = document(again) | kept
    assert json.dumps(told) == json.dumps(document(FULL))


def test_fields_of_a_later_writer_harm_nothing() -> None:
    told = document(FULL) | {"chapters": []}
    told["settings"] |= {"new_setting": 1}
    told["settings"]["cues"] |= {"colour": "red"}
    assert from_text(json.dumps(told)).options == FULL.options


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda some: st.lists(some) | st.dictionaries(st.text(), some),
    max_leaves=8,
)


@given(anything, st.sampled_from([*document(FULL)]))
def test_a_spoilt_file_is_refused_in_words_or_read(spoilt: Any, where: str) -> None:
    told = json.loads(to_text(FULL)) | {where: spoilt}
    with suppress(BadRequest):
        from_text(json.dumps(told))
