"""Open media containers with PyAV: no other files, no addresses, no playlists."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from storage.domain.errors import (
    AudioUnreadable,
    CodecUnknown,
    EmptyUpload,
    HeaderMissing,
    IndexMissing,
    NoAudioTrack,
    NoSuchTrack,
    RecordingEncrypted,
)
from storage.media import encryption, mp4_boxes
from storage.media.announced_length import formats_of
from storage.media.chunk_sizes import corrected_parts
from storage.media.wav_parts import WavPart, wav_parts

ENCRYPTION_KEY = "enc_key_id"
"""What FFmpeg notes of an encrypted track of Matroska or WebM, whose packets it hands out as they are."""
MAX_TRACKS = 64
MAX_TITLE_CHARS = 80
LEAST_RATE_HZ = 1000
"""A header that claims less makes hours of a few kilobytes."""
PLAYLISTS = {"hls", "concat", "dash", "imf", "webm_dash_manifest", "sdp", "rtsp", "rtp"}
PCM = {f"{kind}{bits}{order}" for kind in "suf" for bits in (16, 24, 32, 64) for order in ("le", "be")}
HEADERLESS = {
    "amrnb",
    "amrwb",
    "gsm",
    "alaw",
    "mulaw",
    "g722",
    "g723_1",
    "g726",
    "g726le",
    "g729",
    "s8",
    "u8",
    "sbc",
    "adp",
    "ea_cdata",
} | PCM
"""Formats whose files do not say what they are: FFmpeg guesses them from bytes that may be anything.

The last two, of games, are what it takes stereo PCM for.
"""
TOO_MUCH_MEMORY = "opening it takes too much memory"
LATE_TRACKS = {"flv", "live_flv", "mpeg", "mpegts"}
"""Containers that announce no tracks: FFmpeg finds one when its first packet comes."""
LOOK_FURTHER = {"probesize": str(192 << 20), "analyzeduration": str(60_000_000)}
DECODERS = {"amrnb": "libopencore_amrnb", "amrwb": "libopencore_amrwb"}
"""FFmpeg's own AMR decoders refuse comfort noise, which telephones send in pauses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioTrack:
    """One audio track as the container describes it; `index` counts audio tracks from 0."""

    index: int
    codec: str
    channels: int
    sample_rate_hz: int
    language: str | None
    title: str | None

    def __str__(self) -> str:
        said = [part for part in (self.language, self.title) if part] or [self.codec]
        return f"{self.index}: {', '.join(said)}"


class Section:
    """An open file or a part of it, as PyAV reads files.

    It has no name, from which FFmpeg would guess what is in it.
    """

    def __init__(self, file: BinaryIO, size: int, part: WavPart | None) -> None:
        self._file, self._patches = file, part.patches if part else ()
        self._start, self._end = (part.start, part.end) if part else (0, size)
        file.seek(self._start)

    def read(self, count: int) -> bytes:
        at = self.tell()
        data = self._file.read(max(0, min(count, self._end - self._file.tell())))
        for patch in self._patches:
            if at < patch.at + len(patch.data) and patch.at < at + len(data):
                data = _patched(data, patch.at - at, patch.data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: self._start, io.SEEK_CUR: self._file.tell(), io.SEEK_END: self._end}[whence]
        return self._file.seek(max(self._start, origin + offset)) - self._start

    def tell(self) -> int:
        return self._file.tell() - self._start


def _patched(data: bytes, at: int, instead: bytes) -> bytes:
    """Return the data with other bytes at a place, which may begin before it."""
    first, last = max(0, at), min(len(data), at + len(instead))
    return data[:first] + instead[first - at : last - at] + data[last:]


def parts_of(path: Path, *, look_bytes: int | None = None) -> list[WavPart | None]:
    """Return the parts to open one after another; None stands for the whole file.

    Behind a wrong size, `look_bytes` are searched for a next part; by default all.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        found = wav_parts(file, size, look_bytes=look_bytes) or corrected_parts(file, size, look_bytes=look_bytes)
    return [*found] or [None]


@contextmanager
def opened(path: Path, name: str, part: WavPart | None = None) -> Iterator[Any]:
    """Open a container with PyAV in this process, without access to other files or URLs.

    Raises:
        EmptyUpload, AudioUnreadable, HeaderMissing, IndexMissing, RecordingEncrypted: see `storage.media.probe.check`.
    """
    must_be_file(path, name)
    with path.open("rb") as file:
        _must_be_readable(file, path.stat().st_size, name)
        container = _open(file, name, part)
        if not container.streams.audio and formats_of(container) & LATE_TRACKS:
            container.close()
            file.seek(0)
            container = _open(file, name, part, **LOOK_FURTHER)
        with container:
            if formats_of(container) & PLAYLISTS:
                raise AudioUnreadable(name, "it is a playlist rather than a recording")
            if container.format.name in HEADERLESS:
                raise HeaderMissing(name)
            yield container


def _must_be_readable(file: BinaryIO, size_bytes: int, name: str) -> None:
    if mp4_boxes.is_mp4(file) and not mp4_boxes.has_index(file, size_bytes):
        raise IndexMissing(name)
    if encryption.is_encrypted(file, size_bytes):
        raise RecordingEncrypted(name)
    file.seek(0)


def _open(file: BinaryIO, name: str, part: WavPart | None, **options: str) -> Any:
    import av

    # Our own file object and no protocol: a disguised playlist cannot refer to other files or addresses.
    options |= {"protocol_whitelist": "none"}
    if part is not None and part.announced_bytes is None:  # an option of WAV alone
        options |= {"ignore_length": "1"}
    source: Any = Section(file, os.fstat(file.fileno()).st_size, part)
    try:
        return av.open(source, metadata_errors="ignore", options=options)
    except (av.FFmpegError, ValueError, OSError) as error:
        raise AudioUnreadable(name, words_of(error)) from error


def must_be_file(path: Path, name: str) -> None:
    """Check that the path is a file with content.

    Raises:
        EmptyUpload: no bytes.
        AudioUnreadable: it is a folder, a device or a pipe.
        OSError: it does not exist.
    """
    size_bytes = path.stat().st_size
    if not path.is_file():
        raise AudioUnreadable(name, "it is not a file")
    if size_bytes == 0:
        raise EmptyUpload(name)


def audio_of(container: Any, name: str, track: int) -> Any:
    """Return the requested audio stream; packets of the others are skipped.

    Raises:
        NoAudioTrack, NoSuchTrack, CodecUnknown, RecordingEncrypted: see `storage.media.probe.check`.
    """
    streams = container.streams.audio
    if not streams:
        if not container.streams.video:
            raise AudioUnreadable(name, "it holds neither sound nor pictures")
        raise NoAudioTrack(name)
    if not 0 <= track < len(streams):
        raise NoSuchTrack(name, track, tuple(str(each) for each in tracks_of(container)))
    if ENCRYPTION_KEY in streams[track].metadata:
        raise RecordingEncrypted(name)
    codec = streams[track].codec_context
    if codec is None:
        raise CodecUnknown(name, container.format.long_name)
    if 0 < codec.sample_rate < LEAST_RATE_HZ:
        raise AudioUnreadable(name, f"by its header it has {codec.sample_rate} samples a second, too few for speech")
    only(container, [streams[track]])
    return streams[track]


def only(container: Any, streams: list[Any]) -> None:
    """Skip the packets of all other streams."""
    from av.stream import Discard

    wanted = {stream.index for stream in streams}
    for stream in container.streams:
        stream.discard = Discard.default if stream.index in wanted else Discard.all


def rewind(container: Any, stream: Any) -> None:
    """Go back to the start of a stream, where the format can."""
    import av

    with suppress(av.FFmpegError, OSError):
        container.seek(0, stream=stream)


def decoder_of(stream: Any) -> Any:
    """Return what decodes the stream's packets."""
    import av

    other = DECODERS.get(stream.codec_context.name)
    if other is None:
        return stream.codec_context
    decoder = av.Codec(other, "r").create("audio")
    decoder.extradata = stream.codec_context.extradata
    return decoder


def has_pictures(container: Any) -> bool:
    """Return whether there is video; a cover is none."""
    from av.stream import Disposition

    return any(not one.disposition & Disposition.attached_pic for one in container.streams.video)


def tracks_of(container: Any) -> tuple[AudioTrack, ...]:
    """Return the container's description of its first audio tracks."""
    return tuple(
        AudioTrack(
            index=index,
            codec=stream.codec_context.name if stream.codec_context else "unknown",
            channels=stream.codec_context.channels if stream.codec_context else 0,
            sample_rate_hz=stream.codec_context.sample_rate if stream.codec_context else 0,
            language=_shown(stream.metadata.get("language")),
            title=_shown(stream.metadata.get("title") or stream.metadata.get("handler_name")),
        )
        for index, stream in enumerate(container.streams.audio[:MAX_TRACKS])
    )


def _shown(text: str | None) -> str | None:
    """Return a container's text as one short line, or None if it says nothing."""
    kept = "".join(char for char in text or "" if char.isprintable()).strip()[:MAX_TITLE_CHARS]
    return None if kept.lower() in {"", "und", "soundhandler", "sound handler"} else kept


def words_of(error: BaseException) -> str:
    """Return the reason of a decoder's error, as part of a sentence."""
    if isinstance(error, MemoryError):
        return TOO_MUCH_MEMORY
    return str(getattr(error, "strerror", None) or error or type(error).__name__).strip().rstrip(".")
