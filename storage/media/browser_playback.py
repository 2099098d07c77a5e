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
    "mp3": {"mp3"},
    "flac": {"flac"},
    "wav": {"pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_f32le"},
    "ogg": {"flac", "opus", "vorbis"},
    "mp4": {"aac", "flac", "mp3", "opus"},
    "webm": {"opus", "vorbis"},
}
"""The codecs that Chromium, Firefox and Safari all play, by container."""
LONGEST_STEP_S, LONGEST_STEP_OF_A_FILM_S = 0.2, 1.0


class Playback(StrEnum):
    """What a browser plays of a recording.

    It is the source, the source or else a copy of its sound, or the copy alone.
    """

    SOURCE = "source"
    EITHER = "either"
    COPY = "copy"


def playback_of(container: Any, path: Path, tracks: Sequence[int]) -> Playback:
    """Return what browsers play, if these tracks of an open container are transcribed.

    In an MP3 file with a table of a hundred places they begin seconds beside the moment that is asked for.
    """
    if tuple(tracks) != (0,):
        return Playback.COPY
    codec, formats = container.streams.audio[0].codec_context.codec.canonical_name, _formats(container, path)
    if "mp3" in formats and mp3_header(path) not in {None, Mp3Header.CONSTANT_RATE}:
        return Playback.COPY
    if any(codec in CODECS.get(name, ()) for name in formats):
        return Playback.SOURCE
    return Playback.EITHER if has_pictures(container) else Playback.COPY


def playback_after(playback: Playback, *, moved_s: float, pictures: bool, bit_rates: int) -> Playback:
    """Return what browsers play of a track that was moved by so much.

    Browsers play on where samples are missing, and their clock runs on with what they play, so that from there on they
    show a time before that of the sound, until somebody seeks. In an MP3 file without a table they seek by its first
    bit rate: it must be the only one. A film keeps its picture if its sound is not far off.
    """
    longest_s = LONGEST_STEP_OF_A_FILM_S if pictures else LONGEST_STEP_S
    return Playback.COPY if moved_s > longest_s or bit_rates > 1 else playback


def _formats(container: Any, path: Path) -> set[str]:
    """Return the names of the container's format; FFmpeg does not tell WebM from Matroska."""
    formats = formats_of(container)
    if "webm" in formats:
        with path.open("rb") as opened:
            return formats if b"webm" in opened.read(HEAD_BYTES) else formats - {"webm"}
    return formats
