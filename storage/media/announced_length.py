"""How long a recording is by its container, and whether that is known.

Some formats have no length, so that FFmpeg guesses one from the size and the first bit rate; others count from 0
although they start later. See the duration estimation in FFmpeg's libavformat/demux.c.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from storage.media.mp3_header import mp3_header
from storage.media.wav_parts import WavPart

UNTIMED = {"mp3", "aac", "ac3", "eac3", "mpegts", "mpeg", "amr", "amrnb", "amrwb", "adts", "loas", "dts", "gsm"}
"""Containers without a length: FFmpeg estimates it from the size and the first bit rate."""
FROM_ZERO = {"matroska", "webm", "flv", "asf"}
"""Containers whose length counts from 0, however late their first timestamp is; so does Opus in Ogg."""
TAIL_BYTES = 1 << 17
OGG_PAGE, OGG_LAST = 27, 4  # bytes of a page's header, and the flag of a stream's last page
CLOCK = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


def formats_of(container: Any) -> set[str]:
    """Return FFmpeg's names of the container's format."""
    return set(container.format.name.split(","))


def start_s(container: Any) -> float:
    """Return the container's first timestamp, in seconds."""
    return (container.start_time or 0) / 1_000_000


def length_s(container: Any, stream: Any) -> float | None:
    """Return the length from the first timestamp on, or None; headers may be wrong."""
    if container.duration and container.duration > 0:
        return _from_start(float(container.duration) / 1_000_000, container, stream)
    return _track_s(container, stream)


def wav_length_s(parts: Sequence[WavPart | None], stream: Any) -> float | None:
    """Return the length of WAV files by their bytes, or None if that is unknown.

    `stream` is that of the first one.
    """
    bytes_a_second = (stream.codec_context.bit_rate or 0) / 8
    if not bytes_a_second or not stream.codec_context.name.startswith("pcm_"):
        return None
    lengths_s = [
        part.samples_bytes / (bytes_a_second if number == 0 else part.second_bytes or bytes_a_second)
        for number, part in enumerate(parts)
        if part is not None
    ]
    return sum(lengths_s) if lengths_s else None


def wav_promise_s(part: WavPart, stream: Any) -> float | None:
    """Return the length in a WAV header; FFmpeg trusts the size of the file instead."""
    bytes_a_second = (stream.codec_context.bit_rate or 0) / 8
    if part.announced_bytes is None or not bytes_a_second or not stream.codec_context.name.startswith("pcm_"):
        return None
    return part.announced_bytes / bytes_a_second


def is_guessed(container: Any, path: Path) -> bool:
    """Return whether the length is FFmpeg's estimate."""
    formats = formats_of(container)
    return bool(formats & UNTIMED) and not ("mp3" in formats and mp3_header(path))


def promised_s(container: Any, stream: Any, path: Path) -> float | None:
    """Return the length that the track's header promises, or None."""
    if is_guessed(container, path):
        return None
    clock = CLOCK.match(stream.metadata.get("DURATION", ""))
    if clock and _counts_from_zero(container, stream):
        hours, minutes, seconds = clock.groups()
        return _from_start(int(hours) * 3600 + int(minutes) * 60 + float(seconds), container, stream)
    if stream.duration and stream.time_base:
        return _track_s(container, stream)
    return length_s(container, stream) if len(container.streams) == 1 else None


def _track_s(container: Any, stream: Any) -> float | None:
    if not (stream.duration and stream.time_base):
        return None
    return _from_start(float(stream.duration * stream.time_base), container, stream)


def _from_start(end_s: float, container: Any, stream: Any) -> float | None:
    if not _counts_from_zero(container, stream):
        return end_s
    return end_s - start_s(container) if end_s > start_s(container) else None


def _counts_from_zero(container: Any, stream: Any) -> bool:
    formats, codec = formats_of(container), stream.codec_context
    return bool(formats & FROM_ZERO) or ("ogg" in formats and codec is not None and codec.name == "opus")


def breaks_off(container: Any, path: Path) -> bool:
    """Return whether a file lacks its end, where its format tells."""
    formats = formats_of(container)
    return ("ogg" in formats and _ogg_breaks_off(path)) or ("avi" in formats and _avi_breaks_off(path))


def _avi_breaks_off(path: Path) -> bool:
    with path.open("rb") as opened:
        return int.from_bytes(opened.read(8)[4:], "little") > path.stat().st_size


def _ogg_breaks_off(path: Path) -> bool:
    """Return whether an Ogg file lacks its last page (RFC 3533)."""
    size = path.stat().st_size
    with path.open("rb") as opened:
        opened.seek(max(0, size - TAIL_BYTES))
        tail = opened.read()
    at = tail.rfind(b"OggS\0")
    page = tail[at:]
    if at < 0 or len(page) < OGG_PAGE:
        return True
    segments = page[OGG_PAGE : OGG_PAGE + page[26]]
    complete = len(segments) == page[26] and len(page) >= OGG_PAGE + len(segments) + sum(segments)
    return not (complete and page[5] & OGG_LAST)
