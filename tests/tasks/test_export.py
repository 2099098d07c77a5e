"""The files that people download, read back by libraries of other hands."""

import io
import json
import string

import pytest
import srt
import webvtt
from hypothesis import given
from hypothesis import strategies as st

from storage.records import CueLimits, ExportFormat, Finding, Options, Segment, Transcript, Word
from tasks.captions import milliseconds, vtt_timestamp
from tasks.cues import cues
from tasks.export import export

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
        model="demo",
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
    assert [cue.text.replace("-->", "→").replace("\\", "⧵") for cue in meant] == [cue.content for cue in read]


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
    assert text == "a <i>b</i> & c → d {laughs} ⧵N e ⧵h f"


def test_vtt_escapes_what_would_be_markup() -> None:
    body = export(transcript(said(NASTY)), "vtt").decode()
    assert "&lt;i&gt;b&lt;/i&gt; &amp; c --&gt; d {laughs}" in body.replace("\n", " ")
    assert body.count("-->") == body.count(" --> ")


def test_vtt_names_the_speaker() -> None:
    body = export(transcript(said("Yes indeed", speaker="Ann <b>")), "vtt").decode()
    assert "<v Ann &lt;b&gt;>Yes indeed" in body


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
    assert srt_of(empty) == []
    assert vtt_of(empty) == []
    assert export(empty, "txt") == b""
    assert export(empty, "tsv") == b"start\tend\ttext\n"
    assert json.loads(export(empty, "json"))["segments"] == []


def test_tsv_is_in_milliseconds_and_without_stray_tabs() -> None:
    rows = export(transcript(said("one\ttwo\nthree")), "tsv").decode().splitlines()
    assert rows == ["start\tend\ttext", "1000\t2200\tone two three"]


def test_txt_has_a_line_for_each_segment() -> None:
    assert export(transcript(said("One."), said("Two.", start_s=9.0)), "txt") == b"One.\nTwo.\n"


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


def test_any_format_can_be_made_again_with_other_limits() -> None:
    found = transcript(said("one two three four five six seven eight nine ten"))
    narrow = export(found, ExportFormat.SRT, limits=CueLimits(max_line_width=12))
    assert all(len(line) <= 12 for cue in srt.parse(narrow.decode()) for line in cue.content.split("\n"))


def test_times_are_never_negative() -> None:
    assert milliseconds(-0.2) == 0
