"""Caption files as independent readers show them: cues with whole milliseconds and text without markup."""

import io
import itertools
import xml.etree.ElementTree as ET
from collections.abc import Callable

import av
import pysubs2
import srt
import webvtt
from ttconv import isd
from ttconv.imsc import reader as imsc_reader
from ttconv.model import Br, ContentElement, Text

Shown = tuple[int, int, str]
Reader = Callable[[bytes, str], list[Shown]]


def by_ffmpeg(body: bytes, _: str) -> list[Shown]:
    """Return what FFmpeg reads, shown as libass shows it (and with it mpv): without `{…}`."""
    shown = []
    with av.open(io.BytesIO(body), mode="r") as captions:
        for packet in captions.demux(captions.streams.subtitles[0]):
            for subtitle in packet.decode():
                text = subtitle.ass.decode().split(",", 8)[8]  # type: ignore[union-attr] # all are of type ASS
                start_ms, length_ms = (
                    round((at or 0) * packet.time_base * 1000) for at in (packet.pts, packet.duration)
                )
                shown.append((start_ms, start_ms + length_ms, pysubs2.SSAEvent(text=text).plaintext))
    return shown


def by_pysubs2(body: bytes, fmt: str) -> list[Shown]:
    read = pysubs2.SSAFile.from_string(body.decode("utf-8-sig"))
    if fmt == "ttml":  # where braces are text
        return [(event.start, event.end, event.text.replace("\\N", "\n")) for event in read]
    return [(event.start, event.end, event.plaintext) for event in read]


def by_srt(body: bytes, _: str) -> list[Shown]:
    cues = srt.parse(body.decode("utf-8-sig"))
    return [
        (round(cue.start.total_seconds() * 1000), round(cue.end.total_seconds() * 1000), cue.content) for cue in cues
    ]


def by_webvtt(body: bytes, fmt: str) -> list[Shown]:
    captions = webvtt.from_buffer(io.BytesIO(body), format=fmt).captions
    return [(_ms(caption.start), _ms(caption.end), caption.text) for caption in captions]


def by_ttconv(body: bytes, _: str) -> list[Shown]:
    """Return what stands on the screen between the moments at which it changes."""
    document = imsc_reader.to_model(ET.ElementTree(ET.fromstring(body)))  # noqa: S314 - our own file
    moments = isd.ISD.significant_times(document)
    shown = []
    for begin, end in itertools.pairwise(moments):
        frame = isd.ISD.from_model(document, begin)
        if text := "".join(_text(region) for region in frame.iter_regions()):
            shown.append((round(begin * 1000), round(end * 1000), text))
    return shown


def _text(element: ContentElement) -> str:
    if isinstance(element, Text):
        return element.get_text() or ""
    return "\n" if isinstance(element, Br) else "".join(map(_text, element))


def _ms(stamp: str) -> int:
    hours, minutes, seconds = stamp.split(":")
    return round((int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1000)
