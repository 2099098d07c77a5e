"""Every reader shows the cues that were meant, with their words and times, of hard texts too."""

import itertools
import xml.etree.ElementTree as ET
from codecs import BOM_UTF8
from dataclasses import replace

import pytest

from storage.domain.records import CueLimits
from tasks.exports.cues import cues
from tasks.exports.writers import export
from tests.tasks.exports import caption_readers as readers
from tests.tasks.exports.test_writers import said, transcript

READERS: dict[str, list[readers.Reader]] = {
    "srt": [readers.by_ffmpeg, readers.by_pysubs2, readers.by_srt, readers.by_webvtt],
    "vtt": [readers.by_ffmpeg, readers.by_pysubs2, readers.by_webvtt],
    "ass": [readers.by_ffmpeg, readers.by_pysubs2],
    "ttml": [readers.by_ttconv, readers.by_pysubs2],
    "sbv": [readers.by_webvtt],
}
PAIRS = [(fmt, reader) for fmt, each in READERS.items() for reader in each]
HARD = [
    "I said <inaudible> to him",
    "and then {laughs} she left",
    "where a < b it holds",
    "where a < b and c > d it holds",
    "<3 and <b>bold</b> & more",
    "NOTE this",
    "STYLE of mine",
    "REGION of ours",
    "WEBVTT is a format",
    "1984",
    "42",
]
DIGITS = "1984" * 10  # as wide as a line
SPELLED = str.maketrans("‹›{}", "<>()")


def texts_of(shown: list[readers.Shown]) -> list[list[str]]:
    return [text.translate(SPELLED).split() for _, _, text in shown]


@pytest.mark.parametrize(("fmt", "reader"), [pair for pair in PAIRS if pair[0] != "vtt"])
def test_words_in_angles_and_braces_are_kept_in_every_reader(fmt: str, reader: readers.Reader) -> None:
    found = transcript(*(said(text, start_s=10.0 * place) for place, text in enumerate(HARD)))
    meant = [
        (round(cue.start_s * 1000), round(cue.end_s * 1000), cue.text)
        for cue in cues(found.segments, found.options.cues)
    ]
    shown = reader(export(found, fmt), fmt)
    assert texts_of(shown) == texts_of(meant)
    exact_ms = 10 if fmt == "ass" else 1  # ASS counts hundredths
    assert [(start // exact_ms, end // exact_ms) for start, end, _ in shown] == [
        (start // exact_ms, end // exact_ms) for start, end, _ in meant
    ]


@pytest.mark.parametrize(
    ("fmt", "reader"), [pair for pair in PAIRS if pair[0] in {"srt", "ass"} and pair[1] is not readers.by_srt]
)  # which shows tags
def test_highlighting_hides_no_words(fmt: str, reader: readers.Reader) -> None:
    found = transcript(*(said(text, start_s=10.0 * place) for place, text in enumerate(HARD)))
    shown = texts_of(reader(export(found, fmt, limits=CueLimits(highlight_words=True)), fmt))
    assert [text for text, _ in itertools.groupby(shown)] == [text.translate(SPELLED).split() for text in HARD]


def test_marks_that_no_reader_mistakes_stay_as_they_are() -> None:
    for text in ("where a < b it holds", "c > d, or {this", "this} or <3"):
        assert text in export(transcript(said(text)), "srt").decode()


@pytest.mark.parametrize(("fmt", "reader"), PAIRS)
def test_a_last_line_of_digits_is_text(fmt: str, reader: readers.Reader) -> None:
    found = transcript(said(f"its number is {DIGITS}"), said(f"or else {DIGITS}", start_s=20.0))
    assert [cue.text.count("\n") for cue in cues(found.segments, found.options.cues)] == [1, 1]
    shown = reader(export(found, fmt), fmt)
    assert [text.split()[-1] for _, _, text in shown] == [DIGITS, DIGITS]


@pytest.mark.parametrize(("fmt", "reader"), PAIRS)
def test_every_reader_takes_the_captions_of_a_silent_recording(fmt: str, reader: readers.Reader) -> None:
    assert [text for _, _, text in reader(export(transcript(), fmt), fmt) if text.strip("\u200b")] == []


@pytest.mark.parametrize(("fmt", "reader"), [pair for pair in PAIRS if pair[0] != "vtt"])
def test_cues_after_twelve_hours_have_their_times_and_their_speakers(fmt: str, reader: readers.Reader) -> None:
    late_s = 12 * 3600.0
    found = transcript(
        said("Good evening", start_s=late_s, speaker="Ann, B"), said("Hi", start_s=late_s + 9, speaker="Ben")
    )
    shown = reader(export(found, fmt), fmt)
    assert [(start_ms, text) for start_ms, _, text in shown] == [
        (43_200_000, "Ann, B: Good evening"),
        (43_209_000, "Ben: Hi"),
    ]


@pytest.mark.parametrize(("fmt", "reader"), PAIRS)
def test_every_reader_takes_a_byte_order_mark(fmt: str, reader: readers.Reader) -> None:
    found = transcript(said("Größe zählt"))
    plain, marked = export(found, fmt), export(found, fmt, limits=CueLimits(byte_order_mark=True))
    assert marked == (plain if fmt == "ttml" else BOM_UTF8 + plain)  # XML says its encoding itself
    assert [text for _, _, text in reader(marked, fmt)] == ["Größe zählt"]


def test_ass_colours_each_word_while_it_is_spoken() -> None:
    found = transcript(said("one two three", word_s=0.5))
    late = replace(found.segments[0].words[2], start_s=2.25)
    found = transcript(replace(found.segments[0], words=(*found.segments[0].words[:2], late)))
    body = export(found, "ass", limits=CueLimits(highlight_words=True))
    assert b"{\\k50}one {\\k75}two {\\k" in body
    assert [text for _, _, text in readers.by_ffmpeg(body, "ass")] == ["one two three"]


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
