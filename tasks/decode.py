"""Decode any recording as a stream of 16 kHz mono blocks through PyAV, in memory that its length cannot grow.

Blocks lie on the recording's clock: a track that starts late, or has a hole, gets silence in that place, so that
times found in the samples are times that a player shows.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from storage.errors import AudioUnreadable, EmptyUpload, NoAudioTrack

logger = logging.getLogger(__name__)

SAMPLE_RATE_HZ = 16_000
BLOCK_S = 10.0
HOLE_S = 0.1  # a smaller step of the clock is a container's rounding
LONGEST_HOLE_S = 600.0  # a larger one is a broken clock rather than a pause
MISSING_END_S = 1.0  # a file shorter than its header says by more than this was cut off
PLAYLISTS = {"hls", "concat", "dash", "imf", "webm_dash_manifest", "sdp", "rtsp", "rtp"}

Samples = NDArray[np.float32]


def stream_pcm(
    source: Path | BinaryIO, *, name: str, track: int = 0, notes: list[str] | None = None
) -> Iterator[Samples]:
    """Yield the track's samples as float32 mono blocks of about 10 s at 16 kHz, shape (n,).

    A file that breaks off yields what could be decoded; what is missing is said in `notes`, in plain words.

    Raises:
        EmptyUpload: no bytes, or a track without one sample.
        NoAudioTrack: the container holds no sound, or not so many tracks.
        AudioUnreadable: nothing of it could be decoded.
    """
    said = notes if notes is not None else []
    if isinstance(source, Path):
        if source.stat().st_size == 0:
            raise EmptyUpload(name)
        with source.open("rb") as opened:
            yield from _Track(opened, name, track, said).blocks()
    else:
        yield from _Track(source, name, track, said).blocks()


def check_readable(path: Path, *, name: str, track: int = 0) -> None:
    """Decode the first seconds, to see whether there is anything to transcribe; raises as `stream_pcm` does."""
    blocks = stream_pcm(path, name=name, track=track)
    next(blocks)
    cast(Any, blocks).close()


class _Track:
    """One audio track of one open file, read once from front to back."""

    def __init__(self, source: BinaryIO, name: str, track: int, notes: list[str]) -> None:
        self.source, self.name, self.track, self.notes = source, name, track, notes
        self.samples = 0
        self.broken_packets = 0
        self.shift_s = 0.0
        self.anchored = False
        self.reason = ""

    def blocks(self) -> Iterator[Samples]:
        import av

        try:
            # Bytes reach FFmpeg through our own file object and no other protocol is allowed: a playlist in
            # disguise cannot name other files or addresses.
            container = av.open(self.source, metadata_errors="ignore", options={"protocol_whitelist": "none"})
        except (av.FFmpegError, ValueError, OSError) as error:
            raise self._unreadable(error) from error
        with container:
            yield from self._of_container(container)

    def _of_container(self, container: Any) -> Iterator[Samples]:
        kinds = set(container.format.name.split(","))
        if kinds & PLAYLISTS:
            raise AudioUnreadable(self.name, "it is a playlist rather than a recording")
        if len(container.streams.audio) <= self.track:
            raise NoAudioTrack(self.name)
        stream = container.streams.audio[self.track]
        gathered: list[NDArray[np.int16]] = []
        held = 0
        for piece in self._pieces(container, stream):
            gathered.append(piece)
            held += len(piece)
            if held >= BLOCK_S * SAMPLE_RATE_HZ:
                yield _as_float(gathered)
                gathered, held = [], 0
        if gathered:
            yield _as_float(gathered)
        self._judge_end(_wav_promise_s(self.source, stream) if "wav" in kinds else _promise_s(container, stream))

    def _pieces(self, container: Any, stream: Any) -> Iterator[NDArray[np.int16]]:
        from av import AudioResampler

        resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
        begin_s = (container.start_time or 0) / 1_000_000
        layout: tuple[object, ...] = ()
        for frame in self._frames(container, stream):
            found = (frame.format.name, frame.layout.name, frame.sample_rate)
            if layout and found != layout:  # a stream may change its form midway; a resampler may not
                yield from self._resampled(resampler, None)
                resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
            layout = found
            yield from self._hole_before(frame, begin_s)
            yield from self._resampled(resampler, frame)
        if layout:
            yield from self._resampled(resampler, None)

    def _frames(self, container: Any, stream: Any) -> Iterator[Any]:
        """Yield decoded frames, passing over packets that are damaged."""
        import av

        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.FFmpegError, OSError) as error:  # the container itself breaks off here
                self.reason = _words(error)
                self.broken_packets += 1
                return
            try:
                yield from packet.decode()
            except (av.FFmpegError, ValueError) as error:
                self.reason = _words(error)
                self.broken_packets += 1

    def _resampled(self, resampler: Any, frame: Any) -> Iterator[NDArray[np.int16]]:
        if frame is not None:
            frame.pts = None
        for out in resampler.resample(frame):
            samples = cast(NDArray[np.int16], out.to_ndarray()).reshape(-1)
            self.samples += len(samples)
            yield samples

    def _hole_before(self, frame: Any, begin_s: float) -> Iterator[NDArray[np.int16]]:
        """Fill a step of the track's clock with silence; a jump that no pause explains only moves the clock."""
        if frame.pts is None or frame.time_base is None:
            return
        ahead_s = float(frame.pts * frame.time_base) - begin_s - self.shift_s - self.samples / SAMPLE_RATE_HZ
        first, self.anchored = not self.anchored, True
        if abs(ahead_s) <= HOLE_S:
            return
        if 0 < ahead_s <= LONGEST_HOLE_S:
            hole = int(ahead_s * SAMPLE_RATE_HZ)
            self.samples += hole
            if not first:
                self.notes.append(f"the file has no sound for {ahead_s:.1f} s at {_clock(self.samples)}")
            for start in range(0, hole, SAMPLE_RATE_HZ):
                yield np.zeros(min(SAMPLE_RATE_HZ, hole - start), dtype=np.int16)
        else:
            self.shift_s += ahead_s

    def _judge_end(self, promised_s: float | None) -> None:
        """Say what is missing, or raise when nothing was there."""
        if self.samples == 0:
            if self.broken_packets:
                raise AudioUnreadable(self.name, self.reason)
            raise EmptyUpload(self.name)
        if self.broken_packets:
            self.notes.append(f"{self.broken_packets} damaged parts of the file were passed over ({self.reason})")
        length_s = self.samples / SAMPLE_RATE_HZ
        if promised_s and promised_s - length_s > max(MISSING_END_S, 0.02 * promised_s):
            self.notes.append(f"the file breaks off: {length_s:.1f} s of the {promised_s:.1f} s it announces are there")
        logger.debug("decoded", extra={"action": "decode", "seconds": length_s, "notes": len(self.notes)})

    def _unreadable(self, error: Exception) -> AudioUnreadable:
        return AudioUnreadable(self.name, _words(error))


def announced_s(source: Path) -> float | None:
    """Return the duration that the file's header announces, in seconds, or None; headers may lie."""
    import av

    try:
        with source.open("rb") as opened, av.open(opened, "r", metadata_errors="ignore") as container:
            return container.duration / 1_000_000 if container.duration else None
    except (av.FFmpegError, ValueError, OSError):
        return None


def _promise_s(container: Any, stream: Any) -> float | None:
    """Return how long the header says that the track is; headers may say nothing."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if container.duration and len(container.streams) == 1:
        return float(container.duration) / 1_000_000
    return None


def _wav_promise_s(source: BinaryIO, stream: Any) -> float | None:
    """Return how long a WAV file says it is; FFmpeg trusts the size of the file instead.

    Sizes of 0 and of all ones are written by programs that do not know yet.
    """
    if not source.seekable():
        return None
    source.seek(0)
    head = source.read(65_536)
    at = head.find(b"data", 12)
    size = int.from_bytes(head[at + 4 : at + 8], "little") if at > 0 else 0
    bytes_a_second = (stream.codec_context.bit_rate or 0) / 8
    return size / bytes_a_second if 0 < size < 0x7FFFFFFF and bytes_a_second else None


def _as_float(pieces: list[NDArray[np.int16]]) -> Samples:
    return np.concatenate(pieces).astype(np.float32) / np.float32(32768.0)


def _clock(samples: int) -> str:
    minutes, seconds = divmod(samples // SAMPLE_RATE_HZ, 60)
    return f"{minutes}:{seconds:02d}"


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__).strip().rstrip(".")
