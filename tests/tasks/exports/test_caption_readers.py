"""What captions say beside their cues: marks at the beginning, languages, times of words, silence."""

import xml.etree.ElementTree as ET
from codecs import BOM_UTF8
from dataclasses import replace

import pytest

from storage.domain.records import CueLimits
from tasks.exports.writers import export
from tests.tasks.exports import caption_readers as readers
from tests.tasks.exports.test_writers import said, transcript


def test_marks_that_no_reader_mistakes_stay_as_they_are() -> None:
    for text in ("where a < b it holds", "c > d, or {this", "this} or <3"):
        assert text in export(transcript(said(text)), "srt").decode()


def test_the_words_of_a_silent_recording_are_none() -> None:
    for fmt in ("srt", "sbv"):
        assert export(transcript(), fmt).decode().split("\n")[-3:] == ["\u200b", "", ""]


@pytest.mark.parametrize("fmt", ["srt", "vtt", "ass", "sbv", "ttml"])
def test_text_files_start_with_a_byte_order_mark_if_wished(fmt: str) -> None:
    found = transcript(said("Größe zählt"))
    plain, marked = export(found, fmt), export(found, fmt, limits=CueLimits(byte_order_mark=True))
    assert marked == (plain if fmt == "ttml" else BOM_UTF8 + plain)  # XML says its encoding itself


def test_ass_colours_each_word_while_it_is_spoken() -> None:
    found = transcript(said("one two three", word_s=0.5))
    late = replace(found.segments[0].words[2], start_s=2.25)
    found = transcript(replace(found.segments[0], words=(*found.segments[0].words[:2], late)))
    body = export(found, "ass", limits=CueLimits(highlight_words=True))
    assert b"{\\k50}one {\\k75}two {\\k" in body
    assert [text for _, _, text in readers.by_ffmpeg([body], "ass")[0]] == ["one two three"]


def test_ttml_says_its_language_and_that_of_other_cues() -> None:
    english, german = (replace(said(text, start_s=at), language=text[:2]) for text, at in (("en", 1.0), ("de", 9.0)))
    found = transcript(english, german)
    spoken, translated = (
        ET.fromstring(export(replace(found, options=replace(found.options, task=task)), "ttml"))  # noqa: S314
        for task in ("transcribe", "translate")
    )
    language = "{http://www.w3.org/XML/1998/namespace}lang"
    assert [element.get(language) for element in spoken.iter() if element.get(language)] == ["en", "de"]
    assert [element.get(language) for element in translated.iter() if element.get(language)] == ["en"]
