"""`transcriber export`: any format from a JSON transcript, without a server."""

import json
import subprocess
import sys
from pathlib import Path

import pysubs2
import pytest
import srt
import webvtt
from docx import Document
from typer.testing import CliRunner, Result

from flows.cli.main import app
from storage.domain.records import CueLimits, Options, Segment, Transcript, Word
from tasks.exports.writers import export

TEXT = "Nothing ventured, nothing gained, and then they went home by the old road along the river."


@pytest.fixture
def document(tmp_path: Path) -> Path:
    words = tuple(
        Word(start_s=0.4 * place, end_s=0.4 * place + 0.35, text=f" {part}", probability=0.9)
        for place, part in enumerate(TEXT.split())
    )
    segment = Segment(start_s=0.0, end_s=words[-1].end_s, text=f" {TEXT}", words=words, speaker="Ann")
    transcript = Transcript(
        job_id="",
        media_sha256="0" * 64,
        name="talk.mp3",
        duration_s=9.0,
        speech_s=8.0,
        language="en",
        language_probability=None,
        model="small",
        fingerprint="f",
        engine="e",
        options=Options(cues=CueLimits(max_line_width=30)),
        segments=(segment,),
    )
    path = tmp_path / "talk.json"
    path.write_bytes(export(transcript, "json"))
    return path


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["export", *map(str, arguments)], catch_exceptions=False)


def test_every_format_is_made_from_the_json_file_and_it_stays(document: Path, tmp_path: Path) -> None:
    before = document.read_bytes()
    assert call(document, "-o", tmp_path / "out").exit_code == 0
    made = {path.suffix for path in (tmp_path / "out").iterdir()}
    assert made == {".srt", ".vtt", ".txt", ".tsv", ".docx", ".ass", ".ttml", ".sbv"}
    assert document.read_bytes() == before
    assert "Ann: Nothing ventured" in (tmp_path / "out" / "talk.txt").read_text()
    assert any(TEXT in paragraph.text for paragraph in Document(str(tmp_path / "out" / "talk.docx")).paragraphs)


def test_caption_settings_are_obeyed(document: Path, tmp_path: Path) -> None:
    asked = ("--max-line-width", "16", "--max-line-count", "1", "--max-duration", "3", "--no-speakers")
    assert call(document, "-o", tmp_path, "-f", "srt,vtt", *asked).exit_code == 0
    found = list(srt.parse((tmp_path / "talk.srt").read_text()))
    assert all(len(cue.content) <= 16 and "\n" not in cue.content for cue in found)
    assert " ".join(cue.content for cue in found) == TEXT
    assert [cue.text for cue in webvtt.read(str(tmp_path / "talk.vtt")).captions] == [cue.content for cue in found]


def test_formats_are_asked_for_together_or_one_by_one(document: Path, tmp_path: Path) -> None:
    for folder, asked in (("together", ("-f", "srt,tsv")), ("one by one", ("-f", "srt", "-f", "tsv"))):
        assert call(document, "-o", tmp_path / folder, *asked).exit_code == 0
        assert {path.name for path in (tmp_path / folder).iterdir()} == {"talk.srt", "talk.tsv"}
    assert call(document, "-o", tmp_path / "all", "-f", "srt", "-f", "all").exit_code == 0
    assert len(list((tmp_path / "all").iterdir())) == 8


def test_a_byte_order_mark_is_written_where_it_is_asked_for(document: Path, tmp_path: Path) -> None:
    for asked, start in (((), b"1\n"), (("--byte-order-mark",), b"\xef\xbb\xbf1\n")):
        assert call(document, "-o", tmp_path, "-f", "srt", *asked).exit_code == 0
        assert (tmp_path / "talk.srt").read_bytes().startswith(start)


def test_words_are_highlighted(document: Path, tmp_path: Path) -> None:
    assert call(document, "-o", tmp_path, "-f", "srt", "--highlight-words").exit_code == 0
    texts = [event.text for event in pysubs2.load(str(tmp_path / "talk.srt"), keep_html_tags=True)]
    assert [text.partition("<u>")[2].partition("</u>")[0] for text in texts if "<u>" in text] == TEXT.split()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "cannot be read"),
        ("[]", "is not whisper-transcriber/transcript"),
        ('{"text": "of another program", "segments": []}', "is not whisper-transcriber/transcript"),
        ('{"schema": "whisper-transcriber/transcript", "schema_version": 99}', "update this program"),
        ('{"schema": "whisper-transcriber/transcript", "schema_version": 1}', "cannot be read"),
    ],
)
def test_what_is_no_transcript_is_named_and_harms_no_other(
    document: Path, tmp_path: Path, content: str, says: str
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(content)
    result = call(bad, document, tmp_path / "absent.json", "-o", tmp_path / "out", "-f", "txt")
    assert result.exit_code == 1
    assert says in result.stderr
    assert "absent.json: No such file" in result.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["talk.txt"]


@pytest.mark.parametrize("asked", [("-f", "exe"), ("-f", "json"), ("--min-duration", "9"), ("--max-line-width", "3")])
def test_what_cannot_be_is_refused_before_anything_is_written(
    document: Path, tmp_path: Path, asked: tuple[str, str]
) -> None:
    assert call(document, "-o", tmp_path / "out", *asked).exit_code == 2
    assert not (tmp_path / "out").exists()


def test_the_json_file_reads_back_as_it_was_written(document: Path) -> None:
    from tasks.exports.transcript_json import from_text

    again = export(from_text(document.read_bytes()), "json")
    assert json.loads(again) == json.loads(document.read_bytes())


def test_files_for_the_user_have_the_mode_of_the_users_umask(document: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "flows.cli", "export", str(document), "-o", str(tmp_path / "out"), "-f", "srt"]
    subprocess.run(command, check=True, capture_output=True, umask=0o027)

    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "out", tmp_path / "out" / "talk.srt")}
    assert modes == {"out": 0o750, "talk.srt": 0o640}
