"""Caption files as independent readers show them: cues with whole milliseconds and text without markup."""

import base64
import html
import io
import itertools
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from functools import cache, wraps
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import pysubs2
import pytest
import srt
import ttconv.srt.reader
import ttconv.vtt.reader
import webvtt
from ttconv import isd
from ttconv.imsc import reader as imsc_reader
from ttconv.model import Br, ContentDocument, ContentElement, Text

Shown = tuple[int, int, str]
Reader = Callable[[Sequence[bytes], str], list[list[Shown]]]
"""Reads files of one format: returns the cues of each."""

SIDE_REQUIREMENTS = Path(__file__).with_name("side_readers.txt")
SIDE_PROGRAM = Path(__file__).with_name("side_readers.py")
UNDERLINED = re.compile("</?u>")
ESCAPED_BRACE, HELD_BACKSLASH = "\\{", "\\\u2060"


def one_by_one(read: Callable[[bytes, str], Iterator[Shown]]) -> Reader:
    @wraps(read)
    def read_all(bodies: Sequence[bytes], fmt: str) -> list[list[Shown]]:
        return [list(read(body, fmt)) for body in bodies]

    return read_all


@one_by_one
def by_ffmpeg(body: bytes, _: str) -> Iterator[Shown]:
    """Yield what FFmpeg reads, shown as libass shows it (and with it mpv): without `{…}`."""
    with av.open(io.BytesIO(body), mode="r") as captions:
        for packet in captions.demux(captions.streams.subtitles[0]):
            for subtitle in packet.decode():
                text = subtitle.ass.decode().split(",", 8)[8]  # type: ignore[union-attr] # all are of type ASS
                start_ms, length_ms = (
                    round((at or 0) * packet.time_base * 1000) for at in (packet.pts, packet.duration)
                )
                yield start_ms, start_ms + length_ms, drawn(text)


def drawn(text: str) -> str:
    """Return the text of an ASS event as libass draws it; FFmpeg escapes `{` and holds `\\` apart from a letter."""
    kept = text.replace(ESCAPED_BRACE, "\0").replace(HELD_BACKSLASH, "\1")
    return pysubs2.SSAEvent(text=kept).plaintext.replace("\0", "{").replace("\1", "\\")


@one_by_one
def by_pysubs2(body: bytes, fmt: str) -> Iterator[Shown]:
    for event in pysubs2.SSAFile.from_string(body.decode("utf-8-sig")):
        text = event.text.replace("\\N", "\n") if fmt == "ttml" else event.plaintext  # in TTML, braces are text
        yield event.start, event.end, text


@one_by_one
def by_srt(body: bytes, _: str) -> Iterator[Shown]:
    """Yield what `srt` reads, without the tags, which it leaves to its caller."""
    for cue in srt.parse(body.decode("utf-8-sig")):
        start_ms, end_ms = (round(at.total_seconds() * 1000) for at in (cue.start, cue.end))
        yield start_ms, end_ms, UNDERLINED.sub("", cue.content)


@one_by_one
def by_webvtt(body: bytes, fmt: str) -> Iterator[Shown]:
    """Yield what webvtt-py reads; it leaves the entities of VTT, and the tags of SRT, to its caller."""
    for caption in webvtt.from_buffer(io.BytesIO(body), format=fmt).captions:
        text = html.unescape(caption.text) if fmt == "vtt" else UNDERLINED.sub("", caption.text)
        yield in_ms(caption.start), in_ms(caption.end), text


@one_by_one
def by_ttconv(body: bytes, fmt: str) -> Iterator[Shown]:
    """Yield what stands on the screen between the moments at which it changes."""
    document = _ttconv_document(body, fmt)
    for begin, end in itertools.pairwise(isd.ISD.significant_times(document)):
        frame = isd.ISD.from_model(document, begin)
        if text := "".join(_text(region) for region in frame.iter_regions()):
            yield round(begin * 1000), round(end * 1000), text


def _ttconv_document(body: bytes, fmt: str) -> ContentDocument:
    if fmt == "ttml":
        return imsc_reader.to_model(ET.ElementTree(ET.fromstring(body)))  # noqa: S314 - our own file
    reader = {"srt": ttconv.srt.reader, "vtt": ttconv.vtt.reader}[fmt]
    return reader.to_model(io.StringIO(body.decode("utf-8-sig")))


def _text(element: ContentElement) -> str:
    if isinstance(element, Text):
        return element.get_text() or ""
    return "\n" if isinstance(element, Br) else "".join(map(_text, element))


def by_older_webvtt(bodies: Sequence[bytes], fmt: str) -> list[list[Shown]]:
    return _read_aside("webvtt", bodies, fmt)


def by_pycaption(bodies: Sequence[bytes], fmt: str) -> list[list[Shown]]:
    return _read_aside("pycaption", bodies, fmt)


def in_ms(stamp: str) -> int:
    hours, minutes, seconds = stamp.replace(",", ".").split(":")
    return round((int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1000)


def _read_aside(reader: str, bodies: Sequence[bytes], fmt: str) -> list[list[Shown]]:
    """Return what a reader of `side_readers.txt` reads, in a process of its own."""
    asked = json.dumps([base64.b64encode(body).decode() for body in bodies])
    answer = subprocess.run(
        [sys.executable, SIDE_PROGRAM, reader, fmt],
        input=asked,
        env=os.environ | {"PYTHONPATH": str(_side_folder()), "PYTHONSAFEPATH": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [[(start, end, text) for start, end, text in each] for each in json.loads(answer.stdout)]


@cache
def _side_folder() -> Path:
    """Return the folder with the packages of `side_readers.txt`, installed once on a machine."""
    named = f"readers-{sha256(SIDE_REQUIREMENTS.read_bytes()).hexdigest()[:12]}"
    folder = Path.home() / ".cache" / "whisper-transcriber-tests" / named
    if folder.exists():
        return folder
    if os.environ.get("TRANSCRIBER_TESTS_OFFLINE"):
        pytest.skip("TRANSCRIBER_TESTS_OFFLINE is set, and this reader comes from the package index")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent) as temporary:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        pinned = ["--require-hashes", "--only-binary", ":all:", "--requirement", str(SIDE_REQUIREMENTS)]
        subprocess.run([*pip, *pinned, "--target", f"{temporary}/packages"], check=True)
        Path(temporary, "packages").rename(folder)
    return folder
