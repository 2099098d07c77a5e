"""Exported files, read back by independent libraries."""

import io
import itertools
import json
import re
import string
import zipfile
from codecs import BOM_UTF8
from dataclasses import replace
from html import unescape

import pysubs2
import pytest
import srt
import webvtt
from docx import Document
from hypothesis import given
from hypothesis import strategies as st

from storage.domain.records import CueLimits, ExportFormat, Finding, Options, PinnedCue, Segment, Transcript, Word
from tasks.exports import transcript_json
from tasks.exports.cues import cues
from tasks.exports.srt_vtt import milliseconds, vtt_timestamp
from tasks.exports.writers import export

NASTY = "a <i>b</i> & c --> d {laughs} \\N e \\h f"


def said(text: str, *, start_s: float = 1.0, speaker: str | None = None, word_s: float = 0.4) -> Segment:
    words = tuple(
        Word(start_s=start_s + n * word_s, end_s=start_s + (n + 1) * word_s, text=f" {part}", probability=0.9)
        for n, part in enumerate(text.split())
    )
    return Segment(start_s=words[0].start_s, end_s=words[-1].end_s, text=text, words=words, speaker=speaker)


def transcript(*segments: Segment, word_timestamps: bool = True, findings: tuple[Finding, ...] = ()) -> Transcript:
    return Transcript(
        job_id="0190",
        media_sha256="0" * 64,
        name="talk.mp3",
        duration_s=400_000.0,
        speech_s=5.0,
        language="en",
        language_probability=0.97,
        model="small",
        fingerprint="abc",
        engine="faster-whisper",
        options=Options(word_timestamps=word_timestamps),
        segments=segments,
        findings=findings,
    )


def srt_of(found: Transcript) -> list[srt.Subtitle]:
    return list(srt.parse(export(found, "srt").decode()))


def vtt_of(found: Transcript) -> list[webvtt.Caption]:
    return list(webvtt.from_buffer(io.StringIO(export(found, "vtt").decode())).captions)


words = st.text(string.ascii_letters + string.punctuation + "äß漢", min_size=1, max_size=12)


@given(st.lists(st.lists(words, min_size=1, max_size=12).map(" ".join), min_size=1, max_size=5))
def test_srt_reads_back_as_it_was_meant(texts: list[str]) -> None:
    found = transcript(*(said(text, start_s=100.0 * n) for n, text in enumerate(texts)))
    meant, read = cues(found.segments, found.options.cues), srt_of(found)
    assert [(round(cue.start_s * 1000), round(cue.end_s * 1000)) for cue in meant] == [
        (round(cue.start.total_seconds() * 1000), round(cue.end.total_seconds() * 1000)) for cue in read
    ]
    alike = str.maketrans("‹›{}", "<>()")
    assert [cue.text.replace("-->", "→").replace("\\", "⧵").translate(alike) for cue in meant] == [
        cue.content.translate(alike) for cue in read
    ]


@given(st.lists(st.lists(words, min_size=1, max_size=12).map(" ".join), min_size=1, max_size=5))
def test_vtt_reads_back_as_it_was_meant(texts: list[str]) -> None:
    found = transcript(*(said(text, start_s=100.0 * n) for n, text in enumerate(texts)))
    meant, read = cues(found.segments, found.options.cues), vtt_of(found)
    assert [vtt_timestamp(cue.start_s) for cue in meant] == [cue.start for cue in read]
    assert [vtt_timestamp(cue.end_s) for cue in meant] == [cue.end for cue in read]
    plain = [cue.raw_text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for cue in read]
    assert [cue.text for cue in meant] == plain


def test_srt_keeps_braces_and_backslashes_as_words() -> None:
    text = " ".join(cue.content.replace("\n", " ") for cue in srt_of(transcript(said(NASTY))))
    assert text == "a ‹i›b‹/i› & c → d (laughs) ⧵N e ⧵h f"


def test_srt_has_no_arrow_in_its_text_that_two_words_make() -> None:
    pieces = (" a", " --", ">", " b")
    words = tuple(Word(start_s=n, end_s=n + 1, text=text, probability=0.9) for n, text in enumerate(pieces))
    whole = Segment(start_s=0, end_s=4, text=" a --> b", words=words)
    assert [cue.content for cue in srt_of(transcript(whole))] == ["a → b"]


def test_vtt_escapes_what_would_be_markup() -> None:
    body = export(transcript(said(NASTY)), "vtt").decode()
    assert "&lt;i&gt;b&lt;/i&gt; &amp; c --&gt; d {laughs}" in body.replace("\n", " ")
    assert body.count("-->") == body.count(" --> ")


def test_vtt_names_the_speaker() -> None:
    body = export(transcript(said("Yes indeed", speaker="Ann <b>")), "vtt").decode()
    assert "<v Ann &lt;b&gt;>Yes indeed" in body


def in_two_languages() -> Transcript:
    english, german = said("Good morning to all"), said("Guten Morgen an alle", start_s=2.8)
    return transcript(replace(english, language="en"), replace(german, language="de", speaker="Ben"))


def test_vtt_names_another_language_than_the_recordings() -> None:
    first, second = vtt_of(in_two_languages())
    assert (first.raw_text, second.raw_text) == ("Good morning to all", "<v Ben><lang de>Guten Morgen an alle</lang>")
    assert (second.voice, second.text) == ("Ben", "Guten Morgen an alle")
    assert pysubs2.SSAFile.from_string(export(in_two_languages(), "vtt").decode())[1].plaintext.endswith("an alle")


def test_a_cue_is_in_one_language_and_srt_says_nothing_of_it() -> None:
    found = in_two_languages()
    together = replace(found, segments=tuple(replace(each, speaker=None) for each in found.segments))
    assert [cue.content for cue in srt_of(together)] == ["Good morning to all", "Guten Morgen an alle"]


def test_a_translation_is_in_english_whatever_was_spoken() -> None:
    found = in_two_languages()
    translated = replace(found, language="de", options=replace(found.options, task="translate"))
    assert b"<lang" not in export(translated, "vtt")


def test_what_is_no_language_code_stays_out_of_vtt() -> None:
    found = transcript(replace(said("Hello"), language="de><script"))
    assert b"script" not in export(found, "vtt")


def test_json_says_which_language_a_segment_is_in() -> None:
    told = json.loads(export(in_two_languages(), "json"))
    assert [segment["language"] for segment in told["segments"]] == ["en", "de"]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(59.9996, "00:01:00.000"), (3661.5, "01:01:01.500"), (0.0004, "00:00:00.000"), (360_000.25, "100:00:00.250")],
)
def test_timestamps_round_once_and_carry(seconds: float, expected: str) -> None:
    assert vtt_timestamp(seconds) == expected


def test_srt_rounds_once_and_carries() -> None:
    (cue,) = srt_of(transcript(said("now", start_s=59.9996)))
    assert cue.start.total_seconds() == 60.0


def test_srt_stops_counting_at_a_hundred_hours() -> None:
    assert b"99:59:59,999" in export(transcript(said("late", start_s=380_000.0)), "srt")


def test_nothing_said_gives_valid_files() -> None:
    empty = transcript()
    assert [cue.content for cue in srt_of(empty)] == ["\u200b"]
    assert vtt_of(empty) == []
    assert export(empty, "txt") == b""
    assert export(empty, "tsv") == b"start\tend\ttext\n"
    assert json.loads(export(empty, "json"))["segments"] == []


def test_tsv_is_in_milliseconds_and_without_stray_tabs() -> None:
    rows = export(transcript(said("one\ttwo\nthree")), "tsv").decode().splitlines()
    assert rows == ["start\tend\ttext", "1000\t2200\tone two three"]


def test_txt_has_a_line_for_each_segment() -> None:
    assert export(transcript(said("One."), said("Two.", start_s=9.0)), "txt") == b"One.\nTwo.\n"


def test_only_files_of_text_can_start_with_a_byte_order_mark() -> None:
    limits = CueLimits(byte_order_mark=True)
    marked = {fmt for fmt in ExportFormat if export(transcript(said("Ä")), fmt, limits=limits).startswith(BOM_UTF8)}
    assert marked == {"srt", "vtt", "ass", "sbv", "txt", "tsv"}
    with zipfile.ZipFile(io.BytesIO(export(transcript(said("Ä")), "zip", limits=limits))) as packed:
        assert {name for name in packed.namelist() if packed.read(name).startswith(BOM_UTF8)} == {
            f"talk.{fmt}" for fmt in marked
        }


def test_json_holds_all_that_is_known() -> None:
    finding = Finding(kind="too fast", start_s=1.0, end_s=2.0, detail="40 characters a second")
    found = json.loads(export(transcript(said("One two."), findings=(finding,)), "json"))
    assert (found["schema"], found["schema_version"]) == ("whisper-transcriber/transcript", 1)
    assert found["text"] == "One two."
    assert found["segments"][0]["words"][1] == {"start": 1.4, "end": 1.8, "word": " two.", "probability": 0.9}
    assert found["findings"] == [
        {"rank": 1, "kind": "too fast", "start": 1.0, "end": 2.0, "detail": "40 characters a second"}
    ]


def test_json_leaves_word_times_out_when_asked_to() -> None:
    found = json.loads(export(transcript(said("One two."), word_timestamps=False), "json"))
    assert "words" not in found["segments"][0]


def highlighted(fmt: str) -> bytes:
    found = transcript(said("Nothing <ventured>, nothing gained.", speaker="Ann", word_s=0.5))
    return export(found, fmt, limits=CueLimits(highlight_words=True))


def test_srt_underlines_each_word_while_it_is_spoken() -> None:
    found = list(srt.parse(highlighted("srt").decode()))
    assert [cue.content for cue in found[:2]] == [
        "Ann: <u>Nothing</u> ‹ventured›, nothing gained.",
        "Ann: Nothing <u>‹ventured›,</u> nothing gained.",
    ]
    assert all(one.end <= other.start for one, other in itertools.pairwise(found))
    assert [cue.content.partition("<u>")[2].partition("</u>")[0] for cue in found] == [
        *("Nothing", "‹ventured›,", "nothing", "gained.")
    ]


def test_vtt_has_the_time_of_each_word_inside_its_cue() -> None:
    body = highlighted("vtt").decode()
    assert "<v Ann>Nothing <00:00:01.500>&lt;ventured&gt;, <00:00:02.000>nothing <00:00:02.500>gained." in body
    (cue,) = webvtt.from_buffer(io.StringIO(body)).captions
    assert (cue.voice, unescape(cue.text)) == ("Ann", "Nothing <ventured>, nothing gained.")


@given(
    st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3)), min_size=1, max_size=40),
    st.integers(8, 60),
)
def test_highlighting_keeps_time_in_order_and_every_word(steps: list[tuple[float, float]], width: int) -> None:
    now, spoken = 0.0, []
    for number, (pause_s, length_s) in enumerate(steps):
        spoken.append(Word(start_s=now + pause_s, end_s=now + pause_s + length_s, text=f" w{number}", probability=0.9))
        now += pause_s + length_s
    whole = Segment(start_s=0, end_s=now, text="", words=tuple(spoken))
    limits = CueLimits(highlight_words=True, max_line_width=width)
    found = list(srt.parse(export(transcript(whole), "srt", limits=limits).decode()))
    assert all(cue.start < cue.end for cue in found)
    assert all(one.end <= other.start for one, other in itertools.pairwise(found))
    stamps = re.findall(r"[<\n](\d\d:\d\d:\d\d\.\d{3})", export(transcript(whole), "vtt", limits=limits).decode())
    assert stamps == sorted(stamps)
    body = export(transcript(whole), "vtt", limits=limits).decode()
    said_in_vtt = " ".join(caption.text for caption in webvtt.from_buffer(io.StringIO(body)).captions).split()
    assert said_in_vtt == [f"w{number}" for number in range(len(steps))]


def test_pysubs2_reads_both_captions_alike() -> None:
    found = transcript(said("One two three."), said("Four five.", start_s=20.0))
    read = [pysubs2.SSAFile.from_string(export(found, fmt).decode(), format_=fmt) for fmt in ("srt", "vtt")]
    assert [(e.start, e.end, e.text) for e in read[0]] == [(e.start, e.end, e.text) for e in read[1]]


def test_txt_and_srt_name_the_speaker_where_it_changes() -> None:
    found = transcript(
        said("Yes.", speaker="Ann"), said("Indeed.", start_s=3, speaker="Ann"), said("No.", start_s=9, speaker="Ben")
    )
    assert export(found, "txt") == b"Ann: Yes.\nIndeed.\nBen: No.\n"
    assert [cue.content for cue in srt_of(found)] == ["Ann: Yes.", "Indeed.", "Ben: No."]
    assert export(found, "txt", limits=CueLimits(speakers=False)) == b"Yes.\nIndeed.\nNo.\n"


def docx_of(found: Transcript, **shown: bool) -> list[str]:
    read = Document(io.BytesIO(export(found, "docx", limits=CueLimits(**shown))))
    assert read.core_properties.title == "talk"
    return [paragraph.text for paragraph in read.paragraphs]


def test_docx_has_title_provenance_and_paragraphs_by_pause_and_speaker() -> None:
    found = transcript(
        said("Good morning.", speaker="Ann"),
        said("Welcome.", start_s=2.0, speaker="Ann"),
        said("Thank you.", start_s=3.0, speaker="Ben"),
        said("Much later.", start_s=3700.0, speaker="Ben"),
    )
    title, provenance, *text = docx_of(found)
    assert title == "talk"
    assert "Recording: talk.mp3, 111:06:40" in provenance
    assert "Transcribed by: model small" in provenance
    assert "Speakers: Ann, Ben" in provenance
    assert text == ["[0:00:01] Ann: Good morning. Welcome.", "[0:00:03] Ben: Thank you.", "[1:01:40] Much later."]
    assert docx_of(found, speakers=False)[2] == "[0:00:01] Good morning. Welcome."


def test_docx_takes_text_that_xml_cannot_hold() -> None:
    nasty = Segment(start_s=0, end_s=1, text="a\x00b\x0b\ud800c\ufffe & <d> 漢")
    assert docx_of(transcript(nasty))[2] == "[0:00:00] ab c & <d> 漢"
    for fmt in ExportFormat:
        assert export(transcript(nasty), fmt)


def test_paragraphs_of_a_document_run_as_their_letters_do() -> None:
    found = transcript(said("نعم، هذا هو الاجتماع.", speaker="Ann"), said("It is.", start_s=9.0, speaker="Ben"))
    *_, arabic, english = Document(io.BytesIO(export(found, "docx"))).paragraphs
    assert [bool(each.paragraph_format.element.xpath("w:pPr/w:bidi")) for each in (arabic, english)] == [True, False]
    assert [each.runs[-1].font.rtl for each in (arabic, english)] == [True, None]


@pytest.mark.parametrize(("name", "stem"), [("talk.mp3", "talk"), ("../../etc/passwd", "passwd"), ("a:b?.wav", "a_b_")])
def test_zip_holds_every_other_format_under_a_safe_name(name: str, stem: str) -> None:
    found = replace(transcript(said("One two.")), name=name)
    with zipfile.ZipFile(io.BytesIO(export(found, "zip"))) as packed:
        assert packed.namelist() == [f"{stem}.{fmt}" for fmt in ExportFormat if fmt != "zip"]
        assert packed.read(f"{stem}.srt") == export(found, "srt")
        assert packed.testzip() is None


def test_any_format_can_be_made_again_with_other_limits() -> None:
    found = transcript(said("one two three four five six seven eight nine ten"))
    narrow = export(found, ExportFormat.SRT, limits=CueLimits(max_line_width=12))
    assert all(len(line) <= 12 for cue in srt.parse(narrow.decode()) for line in cue.content.split("\n"))


def test_times_are_never_negative() -> None:
    assert milliseconds(-0.2) == 0


def test_every_subtitle_format_keeps_a_pinned_cue_and_json_says_it() -> None:
    pinned = PinnedCue(start_s=1.25, end_s=2.75, from_s=1.0, until_s=1.5)
    plain = transcript(said("One two three."))
    found = replace(plain, pinned_cues=(pinned,))
    stamps = {
        ExportFormat.SRT: "00:00:01,250 --> 00:00:02,750",
        ExportFormat.VTT: "00:00:01.250 --> 00:00:02.750",
        ExportFormat.ASS: "0:00:01.25,0:00:02.75",
        ExportFormat.TTML: 'begin="00:00:01.250" end="00:00:02.750"',
        ExportFormat.SBV: "0:00:01.250,0:00:02.750",
    }
    for fmt, stamp in stamps.items():
        assert stamp in export(found, fmt).decode(), fmt
    told = json.loads(export(found, "json"))
    assert told["pinned_cues"] == [{"start": 1.25, "end": 2.75, "from": 1.0, "until": 1.5, "speaker": None}]
    assert transcript_json.from_text(export(found, "json")).pinned_cues == (pinned,)
    assert "pinned_cues" not in json.loads(export(plain, "json"))
