"""Look into a recording before it becomes a job: is there sound in it, in which tracks, and how long?

Hostile media can take a decoder down, or make it eat memory or time; so this runs in a child process under
limits (`check`). `python -m storage.probe PATH` prints what it finds as JSON.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from storage import confined
from storage.errors import (
    AudioUnreadable,
    BadRequest,
    EmptyUpload,
    NoAudioTrack,
    NoSuchTrack,
    RecordingTooLong,
    TranscriberError,
)
from storage.records import Options

TIMEOUT_S = 30.0
MAX_CPU_S = 20
MAX_PACKETS = 500
MAX_TOLD_BYTES = 64 << 10
MAX_TRACKS = 64
MAX_SPLIT = 8  # channels that a reader holds beside one another
MAX_TITLE_CHARS = 80
PLAYLISTS = {"hls", "concat", "dash", "imf", "webm_dash_manifest", "sdp", "rtsp", "rtp"}
UNTIMED = {"mp3", "aac", "ac3", "eac3", "mpegts", "mpeg", "amr", "adts", "loas", "dts"}
"""Containers without a length of their own: FFmpeg guesses it from the size and the first bit rate that it sees."""
GUESSED = {"amrnb", "amrwb"}  # without a header of their own: FFmpeg takes some texts for them
TOO_MUCH_MEMORY = "opening it takes too much memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioTrack:
    """One audio track as the container describes it; `index` counts the audio tracks alone, from 0."""

    index: int
    codec: str
    channels: int
    sample_rate_hz: int
    language: str | None
    title: str | None

    def __str__(self) -> str:
        said = [part for part in (self.language, self.title) if part] or [self.codec]
        return f"{self.index}: {', '.join(said)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaInfo:
    """What a container says of itself; `duration_s` is None where it does not say. Codec and form are the track's.

    A guessed duration may be wrong by a factor, where the bit rate varies.
    """

    duration_s: float | None
    duration_is_guessed: bool = False
    audio_tracks: int
    has_video: bool
    codec: str
    sample_rate_hz: int
    channels: int
    tracks: tuple[AudioTrack, ...] = ()


def check(path: Path, name: str, *, max_hours: float, options: Options | None = None) -> MediaInfo:
    """Probe the file in a child process under limits of time and memory.

    Raises:
        EmptyUpload: no bytes, or not one sample.
        NoAudioTrack: there are pictures, but no sound.
        NoSuchTrack: there is sound, but not so many tracks.
        AudioUnreadable: nothing could be decoded, or trying it broke the child.
        RecordingTooLong: more than `max_hours`.
        BadRequest: it has too many channels to be split, as `options` ask.
    """
    asked = options or Options()
    must_be_file(path, name)
    try:
        info = _told(_output_of([str(path), str(asked.audio_track), str(MAX_CPU_S)]), name)
    except subprocess.TimeoutExpired as error:
        raise AudioUnreadable(name, f"it could not be opened within {TIMEOUT_S:g} s") from error
    if info.duration_s and not info.duration_is_guessed and info.duration_s > max_hours * 3600:
        raise RecordingTooLong(name, info.duration_s / 3600, max_hours)
    if asked.channels == "split":
        must_be_few(info.channels, name)
    return info


def must_be_few(channels: int, name: str) -> None:
    """Raise where there are too many channels to transcribe each on its own.

    Raises:
        BadRequest: there are.
    """
    if channels > MAX_SPLIT:
        problem = f"{name} has {channels} channels and at most {MAX_SPLIT} can be transcribed apart; choose mix"
        raise BadRequest("channels", problem)


def must_be_file(path: Path, name: str) -> None:
    """Raise where there is nothing to read, or what never ends.

    Raises:
        EmptyUpload: no bytes.
        AudioUnreadable: it is a folder, a device or a pipe.
        OSError: it is not there.
    """
    size_bytes = path.stat().st_size
    if not path.is_file():
        raise AudioUnreadable(name, "it is not a file")
    if size_bytes == 0:
        raise EmptyUpload(name)


def _output_of(arguments: list[str]) -> bytes:
    """Run it without reading while it runs: it cannot say more than a pipe holds."""
    with confined.start("storage.probe", *arguments) as child:
        try:
            child.wait(TIMEOUT_S)
        except BaseException:
            child.kill()
            raise
        assert child.stdout is not None  # noqa: S101
        os.set_blocking(child.stdout.fileno(), False)  # whoever else may hold it open is not waited for
        return child.stdout.read(MAX_TOLD_BYTES) or b""


@contextmanager
def opened(path: Path, name: str) -> Iterator[Any]:
    """Open a container with PyAV, in this process, so that it can name no other file or address.

    Raises:
        EmptyUpload, AudioUnreadable: see `check`.
    """
    import av

    must_be_file(path, name)
    with path.open("rb") as file:
        try:
            # Our own file object and no protocol: a playlist in disguise cannot name other files or addresses.
            container = av.open(file, metadata_errors="ignore", options={"protocol_whitelist": "none"})
        except (av.FFmpegError, ValueError, OSError) as error:
            raise AudioUnreadable(name, words_of(error)) from error
        with container:
            if set(container.format.name.split(",")) & PLAYLISTS:
                raise AudioUnreadable(name, "it is a playlist rather than a recording")
            if container.format.name in GUESSED:
                raise AudioUnreadable(name, "nothing in it says what it is")
            yield container


def audio_of(container: Any, name: str, track: int) -> Any:
    """Return the audio stream that was asked for; packets of the others are passed over.

    Raises:
        NoAudioTrack, NoSuchTrack, AudioUnreadable: see `check`.
    """
    streams = container.streams.audio
    if not streams:
        if not container.streams.video:
            raise AudioUnreadable(name, "it holds neither sound nor pictures")
        raise NoAudioTrack(name)
    if not 0 <= track < len(streams):
        raise NoSuchTrack(name, track, tuple(str(each) for each in tracks_of(container)))
    from av.stream import Discard

    for stream in container.streams:
        if stream.index != streams[track].index:
            stream.discard = Discard.all
    return streams[track]


def tracks_of(container: Any) -> tuple[AudioTrack, ...]:
    """Return what the container says of its first audio tracks."""
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
    """Return what a container says as one short line, without what says nothing."""
    kept = "".join(char for char in text or "" if char.isprintable()).strip()[:MAX_TITLE_CHARS]
    return None if kept.lower() in {"", "und", "soundhandler", "sound handler"} else kept


def probe(path: Path, name: str, track: int = 0) -> MediaInfo:
    """Open the file and decode until the track's first sound, in this process; raises as `check` does."""
    from av.stream import Disposition

    with opened(path, name) as container:
        stream = audio_of(container, name, track)
        frame = _first_frame(container, stream, name)
        pictures = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
        return MediaInfo(
            duration_s=duration_s(container, stream),
            duration_is_guessed=guesses_duration(container),
            audio_tracks=len(container.streams.audio),
            has_video=bool(pictures),
            codec=stream.codec_context.name,
            sample_rate_hz=frame.sample_rate,
            channels=len(frame.layout.channels),
            tracks=tracks_of(container),
        )


def _first_frame(container: Any, stream: Any, name: str) -> Any:
    import av

    reason = ""
    try:
        for count, packet in enumerate(container.demux(stream)):
            try:
                for frame in packet.decode():
                    if frame.samples:
                        return frame
            except (av.FFmpegError, ValueError) as error:
                reason = words_of(error)
            if count >= MAX_PACKETS:
                break
    except (av.FFmpegError, ValueError, OSError) as error:
        reason = words_of(error)
    if reason:
        raise AudioUnreadable(name, reason)
    raise EmptyUpload(name)


def duration_s(container: Any, stream: Any) -> float | None:
    """Return the duration that the header announces, in seconds, or None; headers may lie."""
    if container.duration and container.duration > 0:
        return float(container.duration) / 1_000_000
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return None


def guesses_duration(container: Any) -> bool:
    """Return whether the announced duration is FFmpeg's guess."""
    return bool(set(container.format.name.split(",")) & UNTIMED)


def words_of(error: BaseException) -> str:
    """Return the reason of a decoder's error, as part of a sentence."""
    if isinstance(error, MemoryError):
        return TOO_MUCH_MEMORY
    return str(getattr(error, "strerror", None) or error or type(error).__name__).strip().rstrip(".")


def told(error: TranscriberError) -> dict[str, Any]:
    """Return an error as a confined child says it; the parent puts the recording's name in."""
    return {"code": error.code, "arguments": list(error.args[1:])}


def raised(said: dict[str, Any], name: str) -> TranscriberError:
    """Return the error that a confined child has said, which is not to be trusted."""
    arguments = said.get("arguments") or [""]
    match said.get("code"):
        case EmptyUpload.code:
            return EmptyUpload(name)
        case NoAudioTrack.code:
            return NoAudioTrack(name)
        case NoSuchTrack.code if len(arguments) == 2 and isinstance(arguments[1], list):
            return NoSuchTrack(name, int(arguments[0]), tuple(str(each)[:200] for each in arguments[1]))
        case _:
            return AudioUnreadable(name, str(arguments[0])[:300])


def _told(output: bytes, name: str) -> MediaInfo:
    try:
        said: dict[str, Any] = json.loads(output)
        if "code" not in said:
            return MediaInfo(**said | {"tracks": tuple(AudioTrack(**each) for each in said["tracks"])})
        error = raised(said, name)
    except (ValueError, TypeError, KeyError):
        raise AudioUnreadable(name, confined.GIVES_UP) from None
    raise error


def main() -> None:
    """Probe the file named on the command line (path, track, seconds of CPU), under limits, and print JSON."""
    path, track, cpu_s = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    confined.confine(cpu_s)
    try:
        said = asdict(probe(path, path.name, track))
    except MemoryError:
        said = told(AudioUnreadable(path.name, TOO_MUCH_MEMORY))
    except TranscriberError as error:
        said = told(error)
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
