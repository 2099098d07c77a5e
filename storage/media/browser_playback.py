"""Whether browsers play a recording's sound, or need a copy of it.

Browsers play a file's first audio track alone, and few of the formats that FFmpeg reads.
"""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from storage.media.announced_length import formats_of
from storage.media.container import has_pictures
from storage.media.mp3_header import Mp3Header, mp3_header

HEAD_BYTES = 64
CODECS = {
    "flac": {"flac"},
    "wav": {"pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_f32le"},
    "ogg": {"flac", "opus", "vorbis"},
    "mp4": {"aac", "flac", "mp3", "opus"},
    "webm": {"opus", "vorbis"},
}
"""The codecs that Chromium, Firefox and Safari all play, by container; and MP3 files, if their bit rate is constant."""

COUNTED = {"flac", "mp3", "wav"}
"""Containers without timestamps: a browser's clock and the transcript's both count samples."""
LONGEST_STEP_S = 0.2


class Playback(StrEnum):
    """What a browser plays of a recording.

    It is the source, the source or else a copy of its sound, or the copy alone.
    """

    SOURCE = "source"
    EITHER = "either"
    COPY = "copy"


def playback_of(container: Any, path: Path, tracks: Sequence[int]) -> Playback:
    """Return what browsers play, if these tracks of an open container are transcribed.

    In an MP3 file whose bit rate varies they begin seconds beside the moment that is asked for: they go by a table of a
    hundred places, or by the first bit rate.
    """
    if tuple(tracks) != (0,):
        return Playback.COPY
    codec, formats = container.streams.audio[0].codec_context.codec.canonical_name, _formats(container, path)
    if "mp3" in formats:
        return Playback.SOURCE if mp3_header(path) is Mp3Header.CONSTANT_RATE else Playback.COPY
    if any(codec in CODECS.get(name, ()) for name in formats):
        return Playback.SOURCE
    return Playback.EITHER if has_pictures(container) else Playback.COPY


def may_step(container: Any) -> bool:
    """Return whether a container's clock may differ from the count of its samples."""
    return not formats_of(container) & COUNTED


def playback_on(moved_s: float, playback: Playback) -> Playback:
    """Return what browsers play of a track that was moved by so much.

    Browsers play on where samples are missing, and their clock runs on with what they play, so that from there on they
    show a time before that of the sound, until somebody seeks.
    """
    return Playback.COPY if moved_s > LONGEST_STEP_S else playback


def _formats(container: Any, path: Path) -> set[str]:
    """Return the names of the container's format; FFmpeg does not tell WebM from Matroska."""
    formats = formats_of(container)
    if "webm" in formats:
        with path.open("rb") as opened:
            return formats if b"webm" in opened.read(HEAD_BYTES) else formats - {"webm"}
    return formats
