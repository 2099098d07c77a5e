"""Look into an uploaded file before it becomes a job: is there sound in it, and how long?

Hostile media can take a decoder down, or make it eat memory or time; so this runs in a child process under
limits (`check`). `python -m storage.probe PATH` prints what it finds as JSON.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from storage.errors import AudioUnreadable, EmptyUpload, NoAudioTrack, RecordingTooLong, TranscriberError

TIMEOUT_S = 30.0
MAX_MEMORY_BYTES = 3 << 30
MAX_CPU_S = 20
MAX_PACKETS = 500
MAX_TOLD_BYTES = 64 << 10
PASSED_ON = {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
"""Environment that Python and the decoder's libraries may need; tokens and passwords are for nobody's decoder."""
PLAYLISTS = {"hls", "concat", "dash", "imf", "webm_dash_manifest", "sdp", "rtsp", "rtp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaInfo:
    """What a container says of itself; `duration_s` is None where it does not say."""

    duration_s: float | None
    audio_tracks: int
    has_video: bool
    codec: str
    sample_rate_hz: int
    channels: int


def check(path: Path, name: str, *, max_hours: float) -> MediaInfo:
    """Probe the file in a child process under limits of time and memory.

    Raises:
        EmptyUpload: no bytes, or not one sample.
        NoAudioTrack: there are pictures, but no sound.
        AudioUnreadable: nothing could be decoded, or trying it broke the child.
        RecordingTooLong: more than `max_hours`.
    """
    if path.stat().st_size == 0:
        raise EmptyUpload(name)
    command = [sys.executable, "-m", "storage.probe", str(path), str(MAX_CPU_S)]
    try:
        info = _told(_output_of(command), name)
    except subprocess.TimeoutExpired as error:
        raise AudioUnreadable(name, f"it could not be opened within {TIMEOUT_S:g} s") from error
    if info.duration_s and info.duration_s > max_hours * 3600:
        raise RecordingTooLong(name, info.duration_s / 3600, max_hours)
    return info


def _output_of(command: list[str]) -> bytes:
    """Run it without our secrets, and without reading while it runs: it cannot say more than a pipe holds."""
    env = {name: value for name, value in os.environ.items() if name in PASSED_ON}
    devnull = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=devnull, stdout=subprocess.PIPE, stderr=devnull, bufsize=0, env=env) as child:
        try:
            child.wait(TIMEOUT_S)
        except BaseException:
            child.kill()
            raise
        assert child.stdout is not None  # noqa: S101
        os.set_blocking(child.stdout.fileno(), False)  # whoever else may hold it open is not waited for
        return child.stdout.read(MAX_TOLD_BYTES) or b""


def probe(path: Path, name: str) -> MediaInfo:
    """Open the file and decode until the first sound, in this process.

    Raises:
        EmptyUpload: no bytes, or not one sample.
        NoAudioTrack: there are pictures, but no sound.
        AudioUnreadable: nothing could be decoded.
    """
    import av

    if path.stat().st_size == 0:
        raise EmptyUpload(name)
    with path.open("rb") as file:
        try:
            # Our own file object and no protocol: a playlist in disguise cannot name other files or addresses.
            container = av.open(file, metadata_errors="ignore", options={"protocol_whitelist": "none"})
        except (av.FFmpegError, ValueError, OSError) as error:
            raise AudioUnreadable(name, _words(error)) from error
        with container:
            return _look(container, name)


def _look(container: Any, name: str) -> MediaInfo:
    from av.stream import Disposition

    if set(container.format.name.split(",")) & PLAYLISTS:
        raise AudioUnreadable(name, "it is a playlist rather than a recording")
    tracks = container.streams.audio
    if not tracks:
        if not container.streams.video:
            raise AudioUnreadable(name, "it holds neither sound nor pictures")
        raise NoAudioTrack(name)
    frame = _first_frame(container, name)
    stream = tracks[0]
    pictures = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    return MediaInfo(
        duration_s=_duration_s(container, stream),
        audio_tracks=len(tracks),
        has_video=bool(pictures),
        codec=stream.codec_context.name,
        sample_rate_hz=frame.sample_rate,
        channels=len(frame.layout.channels),
    )


def _first_frame(container: Any, name: str) -> Any:
    import av

    reason = ""
    try:
        for count, packet in enumerate(container.demux(audio=0)):
            try:
                for frame in packet.decode():
                    if frame.samples:
                        return frame
            except (av.FFmpegError, ValueError) as error:
                reason = _words(error)
            if count >= MAX_PACKETS:
                break
    except (av.FFmpegError, ValueError, OSError) as error:
        reason = _words(error)
    if reason:
        raise AudioUnreadable(name, reason)
    raise EmptyUpload(name)


def _duration_s(container: Any, stream: Any) -> float | None:
    if container.duration and container.duration > 0:
        return float(container.duration) / 1_000_000
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return None


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _told(output: bytes, name: str) -> MediaInfo:
    try:
        told: dict[str, Any] = json.loads(output)
    except ValueError:
        raise AudioUnreadable(name, "it is damaged so that the decoder gives up") from None
    if "code" not in told:
        return MediaInfo(**told)
    if told["code"] == EmptyUpload.code:
        raise EmptyUpload(name)
    if told["code"] == NoAudioTrack.code:
        raise NoAudioTrack(name)
    raise AudioUnreadable(name, str(told["reason"]))


def _limit(cpu_s: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def main() -> None:
    """Probe the file named on the command line, under limits (seconds of CPU may follow), and print JSON."""
    path = Path(sys.argv[1])
    _limit(int(sys.argv[2]) if len(sys.argv) > 2 else MAX_CPU_S)
    try:
        told = asdict(probe(path, path.name))
    except MemoryError:
        told = {"code": AudioUnreadable.code, "reason": "opening it takes too much memory"}
    except TranscriberError as error:
        told = {"code": error.code, "reason": getattr(error, "reason", "")}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
