"""Decode one audio track of one file, in a process of its own: `python -m tasks.decoder PATH TRACK CPU_S`.

Says what it finds on standard output, as messages of a `HEADER` and its payload: what the file announces, blocks of
16 kHz samples with all their channels, and an end with notes or an error. `tasks.decode` starts it and reads them.
No NumPy here: it would take longer to load than most files take to decode.

Blocks lie on the recording's clock. A track that starts late, or has a hole, gets silence in that place; one whose
samples run ahead of its clock says by how many, and the reader squeezes them.
"""

import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from storage import confined, probe
from storage.errors import AudioUnreadable, EmptyUpload, TranscriberError

SAMPLE_RATE_HZ = 16_000
BLOCK_S = 10.0
BYTES_A_SAMPLE = 2
MAX_CHANNELS = 64
HOLE_S = 0.1  # a smaller step of the clock is a container's rounding
LONGEST_HOLE_S = 600.0  # a larger one that the header does not announce is a broken clock rather than a pause
LONGEST_LAG_S = 2.0  # samples further ahead of the clock than this: the clock has been set back
SQUEEZE = 0.02  # of a block at most, which no listener hears
MISSING_END_S = 1.0  # a file shorter than its header says by more than this was cut off
MAX_NOTES = 20

HEADER = struct.Struct("<cIHI")
"""Kind, bytes of payload, channels (of a block), samples too many (of a block)."""
HEAD, BLOCK, END, ERROR = b"h", b"b", b"e", b"x"


class Speaker:
    """Writes messages to the reader."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def say(self, kind: bytes, payload: bytes, channels: int = 0, surplus: int = 0) -> None:
        self._out.write(HEADER.pack(kind, len(payload), channels, surplus))
        self._out.write(payload)
        self._out.flush()


class Gathering:
    """Samples of all channels, interleaved, until they make a block."""

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker
        self._pieces: list[bytes] = []
        self._bytes = 0
        self.channels = 0
        self.samples = 0  # on the clock, so far

    def take(self, piece: bytes, channels: int) -> None:
        if channels != self.channels:
            self.flush()
            self.channels = channels
        self._pieces.append(piece)
        self._bytes += len(piece)
        self.samples += len(piece) // (BYTES_A_SAMPLE * channels)

    @property
    def full(self) -> bool:
        return self._bytes >= BLOCK_S * SAMPLE_RATE_HZ * BYTES_A_SAMPLE * max(1, self.channels)

    def flush(self, lag_s: float = 0.0) -> None:
        """Send what there is; `lag_s` is how far it runs ahead of the clock."""
        if not self._bytes:
            return
        samples = self._bytes // (BYTES_A_SAMPLE * self.channels)
        surplus = min(int(lag_s * SAMPLE_RATE_HZ), int(SQUEEZE * samples)) if lag_s > HOLE_S else 0
        self._speaker.say(BLOCK, b"".join(self._pieces), self.channels, surplus)
        self.samples -= surplus
        self._pieces, self._bytes = [], 0


class Track:
    """One audio track, read once from front to back."""

    def __init__(self, container: Any, stream: Any, name: str, speaker: Speaker) -> None:
        self.container, self.stream, self.name = container, stream, name
        self.gathering = Gathering(speaker)
        self.notes: list[str] = []
        self.begin_s = (container.start_time or 0) / 1_000_000
        self.announced_s = probe.duration_s(container, stream) or 0.0
        self.shift_s = 0.0
        self.lag_s = 0.0
        self.broken_packets = 0
        self.reason = ""
        self.anchored = False

    def read(self) -> None:
        """Send all blocks."""
        from av import AudioResampler

        resampler: Any = None
        form: tuple[object, ...] = ()
        for frame in self._frames():
            found = (frame.format.name, frame.layout.name, frame.sample_rate)
            if found != form:  # a stream may change its form midway; a resampler may not
                self._resample(resampler, None)
                if len(frame.layout.channels) > MAX_CHANNELS:
                    raise AudioUnreadable(self.name, f"it has {len(frame.layout.channels)} channels")
                resampler, form = AudioResampler(format="s16", rate=SAMPLE_RATE_HZ), found
            self._keep_time(frame)
            self._resample(resampler, frame)
        self._resample(resampler, None)
        self.gathering.flush(self.lag_s)

    def _frames(self) -> Iterator[Any]:
        """Yield decoded frames, passing over packets that are damaged."""
        import av

        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.FFmpegError, OSError) as error:  # the container itself breaks off here
                self._damaged(error)
                return
            try:
                yield from packet.decode()
            except (av.FFmpegError, ValueError) as error:
                self._damaged(error)

    def _damaged(self, error: Exception) -> None:
        self.reason = probe.words_of(error)
        self.broken_packets += 1

    def _resample(self, resampler: Any, frame: Any) -> None:
        if resampler is None:
            return
        if frame is not None:
            frame.pts = None
        for out in resampler.resample(frame):
            channels = len(out.layout.channels)
            self.gathering.take(bytes(out.planes[0])[: out.samples * channels * BYTES_A_SAMPLE], channels)
            if self.gathering.full:
                self.gathering.flush(self.lag_s)
                self.lag_s = 0.0  # until the next frame says how far it is

    def _keep_time(self, frame: Any) -> None:
        """Fill a step of the track's clock with silence; a jump that nothing explains only moves the clock."""
        if frame.pts is None or frame.time_base is None or not frame.samples:
            return
        at_s = float(frame.pts * frame.time_base) - self.begin_s
        ahead_s = at_s - self.shift_s - self.gathering.samples / SAMPLE_RATE_HZ
        first, self.anchored = not self.anchored, True
        self.lag_s = 0.0
        if abs(ahead_s) <= HOLE_S:
            if first and ahead_s > 0:
                self._silence(ahead_s, len(frame.layout.channels))
        elif ahead_s > 0 and (ahead_s <= LONGEST_HOLE_S or at_s <= self.announced_s):
            if not first:
                self._note(f"the file has no sound for {ahead_s:.1f} s at {_clock(self.gathering.samples)}")
            self._silence(ahead_s, len(frame.layout.channels))
        elif -LONGEST_LAG_S <= ahead_s < 0 and not first:
            self.lag_s = -ahead_s
        else:
            self.shift_s += ahead_s

    def _silence(self, length_s: float, channels: int) -> None:
        left = round(length_s * SAMPLE_RATE_HZ)
        second = bytes(SAMPLE_RATE_HZ * channels * BYTES_A_SAMPLE)
        while left > 0:
            piece = min(left, SAMPLE_RATE_HZ)
            self.gathering.take(second[: piece * channels * BYTES_A_SAMPLE], channels)
            left -= piece
            if self.gathering.full:
                self.gathering.flush()

    def _note(self, note: str) -> None:
        if len(self.notes) < MAX_NOTES:
            self.notes.append(note)

    def judge_end(self, promised_s: float | None) -> list[str]:
        """Return what is missing, in plain words.

        Raises:
            AudioUnreadable, EmptyUpload: nothing was there.
        """
        if self.gathering.samples == 0:
            if self.broken_packets:
                raise AudioUnreadable(self.name, self.reason)
            raise EmptyUpload(self.name)
        if self.broken_packets:
            parts = "a damaged part" if self.broken_packets == 1 else f"{self.broken_packets} damaged parts"
            self.notes.append(f"{parts} of the file could not be read ({self.reason})")
        length_s = self.gathering.samples / SAMPLE_RATE_HZ
        if promised_s and promised_s - length_s > max(MISSING_END_S, 0.02 * promised_s):
            there = f"{length_s:.1f} s of the {promised_s:.1f} s it announces are there"
            self.notes.append(f"the file breaks off: {there}")
        return self.notes


def decode(path: Path, track: int, speaker: Speaker) -> None:
    """Decode the track and say all of it; raises as `tasks.decode.Decoding` does."""
    name = path.name
    with probe.opened(path, name) as container:
        stream = probe.audio_of(container, name, track)
        reading = Track(container, stream, name, speaker)
        names = [channel.name for channel in stream.codec_context.layout.channels] if stream.codec_context else []
        head = {
            "announced_s": probe.duration_s(container, stream),
            "guessed": probe.guesses_duration(container),
            "channel_names": names[:MAX_CHANNELS],
        }
        speaker.say(HEAD, json.dumps(head).encode())
        reading.read()
        is_wav = "wav" in container.format.name.split(",")
        promised_s = _wav_promise_s(path, stream) if is_wav else _promise_s(container, stream)
        speaker.say(END, json.dumps({"notes": reading.judge_end(promised_s)}).encode())


def _promise_s(container: Any, stream: Any) -> float | None:
    """Return how long the header says that the track is; headers may say nothing."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if container.duration and len(container.streams) == 1:
        return float(container.duration) / 1_000_000
    return None


def _wav_promise_s(path: Path, stream: Any) -> float | None:
    """Return how long a WAV file says it is; FFmpeg trusts the size of the file instead.

    Sizes of 0 and of all ones are written by programs that do not know yet.
    """
    if not stream.codec_context.name.startswith("pcm_"):
        return None
    with path.open("rb") as opened:
        head = opened.read(65_536)
    at = head.find(b"data", 12)
    size = int.from_bytes(head[at + 4 : at + 8], "little") if at > 0 else 0
    bytes_a_second = (stream.codec_context.bit_rate or 0) / 8
    return size / bytes_a_second if 0 < size < 0x7FFFFFFF and bytes_a_second else None


def _clock(samples: int) -> str:
    minutes, seconds = divmod(samples // SAMPLE_RATE_HZ, 60)
    return f"{minutes}:{seconds:02d}"


def main() -> None:
    """Decode what the command line names, under limits."""
    path, track, cpu_s = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    confined.confine(cpu_s)
    speaker = Speaker(sys.stdout.buffer)
    try:
        decode(path, track, speaker)
    except MemoryError:
        speaker.say(ERROR, json.dumps(probe.told(AudioUnreadable(path.name, probe.TOO_MUCH_MEMORY))).encode())
    except TranscriberError as error:
        speaker.say(ERROR, json.dumps(probe.told(error)).encode())


if __name__ == "__main__":
    main()
