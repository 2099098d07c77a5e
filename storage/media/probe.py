"""Probe a recording before it becomes a job: audio, tracks and duration.

Hostile media can crash a decoder or exhaust its memory or time, so this runs in a child process under limits (`check`).
`python -m storage.media.probe PATH` prints the result as JSON.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

from storage.domain.errors import (
    AudioUnreadable,
    BadRequest,
    CodecUnknown,
    DecoderKilled,
    EmptyUpload,
    HeaderMissing,
    IndexMissing,
    NoAudioTrack,
    NoSuchTrack,
    OpeningTooSlow,
    RecordingEncrypted,
    RecordingTooLong,
    TranscriberError,
)
from storage.domain.records import Options
from storage.media import headerless, sandbox
from storage.media.announced_length import is_guessed, length_s, start_s, wav_length_s
from storage.media.container import (
    TOO_MUCH_MEMORY,
    AudioTrack,
    audio_of,
    decoder_of,
    has_pictures,
    must_be_file,
    opened,
    parts_of,
    rewind,
    tracks_of,
    words_of,
)

NAMED: dict[str, Callable[[str], TranscriberError]] = {
    each.code: each for each in (EmptyUpload, NoAudioTrack, HeaderMissing, IndexMissing, RecordingEncrypted)
}
"""Errors that say nothing but the recording's name."""
WITHIN_S = 30.0
MAX_CPU_S = 20
MAX_PACKETS = 500
MAX_LOOK_BYTES = 256 << 20  # decoding, which has more time, looks for joined files in all of a file
MAX_TOLD_BYTES = 64 << 10
MAX_SPLIT = 8  # channels that a reader can display side by side


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaInfo:
    """What a container says about itself; `duration_s` is None if it does not say.

    Codec and format are the track's. An estimated duration may be wrong by a factor if the bit rate varies.
    `start_s` is the first timestamp, from which times in a transcript count.
    """

    duration_s: float | None
    duration_is_guessed: bool = False
    start_s: float = 0.0
    audio_tracks: int
    has_video: bool
    codec: str
    sample_rate_hz: int
    channels: int
    tracks: tuple[AudioTrack, ...] = ()


def check(
    path: Path,
    name: str,
    *,
    max_hours: float,
    options: Options | None = None,
    within_s: float = WITHIN_S,
    max_cpu_s: int = MAX_CPU_S,
) -> MediaInfo:
    """Probe the file in a child process with limits on time and memory.

    Raises:
        EmptyUpload: no bytes, or no samples.
        NoAudioTrack: there is video, but no audio.
        NoSuchTrack: there is audio, but no track of this number.
        HeaderMissing, IndexMissing, RecordingEncrypted, CodecUnknown: it cannot be read, and this is why.
        AudioUnreadable: nothing could be decoded, or the attempt broke the child.
        DecoderKilled, OpeningTooSlow: not now; nothing is known about the file.
        RecordingTooLong: more than `max_hours`.
        BadRequest: it has too many channels to be split, as `options` ask.
    """
    asked = options or Options()
    must_be_file(path, name)
    try:
        status, output = _outcome_of([str(path.absolute()), json.dumps(asked.audio_track), str(max_cpu_s)], within_s)
    except subprocess.TimeoutExpired as error:
        raise OpeningTooSlow(name, within_s) from error
    if status in sandbox.FROM_OUTSIDE:
        raise DecoderKilled(name)
    info = _info_of(output, path, name)
    if info.duration_s and not info.duration_is_guessed and info.duration_s > max_hours * 3600:
        raise RecordingTooLong(name, info.duration_s / 3600, max_hours)
    if asked.channels == "split":
        must_be_few(info.channels, name)
    return info


def must_be_few(channels: int, name: str) -> None:
    """Check that there are few enough channels to transcribe each on its own.

    Raises:
        BadRequest: there are too many.
    """
    if channels > MAX_SPLIT:
        problem = f"{name} has {channels} channels and at most {MAX_SPLIT} can be transcribed apart; choose mix"
        raise BadRequest("channels", problem)


def _outcome_of(arguments: list[str], within_s: float) -> tuple[int, bytes]:
    """Run the child, and return its exit status and output, which fits into a pipe."""
    with sandbox.fork("storage.media.probe", *arguments) as child:
        try:
            status = child.wait(within_s)
        except BaseException:
            child.kill()
            raise
        assert child.stdout is not None  # noqa: S101
        os.set_blocking(child.stdout.fileno(), False)  # do not wait for other processes that hold it open
        return status, child.stdout.read(MAX_TOLD_BYTES) or b""


def probe(path: Path, name: str, track: int | None = None) -> MediaInfo:
    """Open the file and decode the track's first audio in this process; raises like `check`."""
    parts = parts_of(path, look_bytes=MAX_LOOK_BYTES)
    with opened(path, name, parts[0]) as container:
        stream, frame = _first_sound(container, name, track)
        return MediaInfo(
            duration_s=wav_length_s(parts, stream) or length_s(container, stream),
            duration_is_guessed=is_guessed(container, path),
            start_s=start_s(container),
            audio_tracks=len(container.streams.audio),
            has_video=has_pictures(container),
            codec=stream.codec_context.name,
            sample_rate_hz=frame.sample_rate,
            channels=len(frame.layout.channels),
            tracks=tracks_of(container),
        )


def _first_sound(container: Any, name: str, track: int | None) -> tuple[Any, Any]:
    """Return the track and its first frame; by default the first that has one."""
    tracks = range(max(1, len(container.streams.audio))) if track is None else [track]
    for index in tracks[:-1]:
        try:
            stream = audio_of(container, name, index)
            return stream, _first_frame(container, stream, name)
        except TranscriberError:
            rewind(container, container.streams.audio[index + 1])
    stream = audio_of(container, name, tracks[-1])
    return stream, _first_frame(container, stream, name)


def _first_frame(container: Any, stream: Any, name: str) -> Any:
    import av

    reason, decoder = "", decoder_of(stream)
    try:
        for count, packet in enumerate(container.demux(stream)):
            try:
                for frame in decoder.decode(packet):
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


def told(error: TranscriberError) -> dict[str, Any]:
    """Return an error as the sandboxed child reports it; the parent adds the recording's name."""
    return {"code": error.code, "arguments": list(error.args[1:])}


def raised(said: dict[str, Any], name: str) -> TranscriberError:
    """Return the error that a sandboxed child reported; its content is not trusted."""
    arguments = said.get("arguments") or [""]
    match said.get("code"):
        case code if code in NAMED:
            return NAMED[code](name)
        case CodecUnknown.code:
            return CodecUnknown(name, str(arguments[0])[:80])
        case NoSuchTrack.code if len(arguments) == 2 and isinstance(arguments[1], list):
            return NoSuchTrack(name, int(arguments[0]), tuple(str(each)[:200] for each in arguments[1]))
        case _:
            return AudioUnreadable(name, str(arguments[0])[:300])


def _info_of(output: bytes, path: Path, name: str) -> MediaInfo:
    """Return what the child found of a file that may lack a header.

    A file that is named as such, and in which FFmpeg finds frames without a header, may be anything.
    """
    is_named_raw = PurePath(name).suffix.lower() in headerless.ENDINGS
    try:
        info = _told(output, name)
    except (AudioUnreadable, NoAudioTrack) as error:
        if is_named_raw or (isinstance(error, AudioUnreadable) and headerless.may_be_raw(name, _first_bytes(path))):
            raise HeaderMissing(name) from error
        raise
    if is_named_raw and info.duration_is_guessed:
        raise HeaderMissing(name)
    return info


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def _told(output: bytes, name: str) -> MediaInfo:
    try:
        said: dict[str, Any] = json.loads(output)
        if "code" not in said:
            return MediaInfo(**said | {"tracks": tuple(AudioTrack(**each) for each in said["tracks"])})
        error = raised(said, name)
    except (ValueError, TypeError, KeyError):
        raise AudioUnreadable(name, sandbox.GIVES_UP) from None
    raise error


def main() -> None:
    """Probe the file on the command line (path, track, CPU seconds) under limits; print JSON."""
    path, track, cpu_s = Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3])
    sandbox.confine(cpu_s)
    try:
        said = asdict(probe(path, path.name, track))
    except MemoryError:
        said = told(AudioUnreadable(path.name, TOO_MUCH_MEMORY))
    except TranscriberError as error:
        said = told(error)
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
