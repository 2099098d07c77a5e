"""Decode one audio track in a child process: `python -m tasks.audio.decode_process PATH TRACK CPU_S`.

TRACK is a number, or `null` to let the file decide (`tasks.audio.track_choice`).

Writes messages to standard output, each a `HEADER` and its payload: what the file announces, blocks of 16 kHz samples
with all their channels, and an end with notes or an error. `tasks.audio.decode` starts it and reads them.

Blocks lie on the recording's clock (`tasks.audio.track_clock`): a track that starts late or has a gap is filled with
silence, and a block says by how much the reader has to squeeze or stretch it.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

from storage.domain.errors import AudioUnreadable, EmptyUpload, TranscriberError
from storage.domain.records import FileNote
from storage.media import announced_length, container, probe, sandbox
from storage.media.browser_playback import Playback, playback_after, playback_of
from storage.media.mp3_header import mp3_header
from storage.media.wav_parts import WavPart
from tasks.audio import file_notes, full_scale
from tasks.audio.block_buffer import BYTES_A_SAMPLE, END, ERROR, HEAD, SAMPLE_RATE_HZ, BlockBuffer, MessageWriter
from tasks.audio.track_choice import TrackChoice, choose
from tasks.audio.track_clock import HOLE_S, TrackClock

MAX_CHANNELS = 64
MISSING_END_S = 1.0  # a file that is shorter than its header says by more than this was cut off
MISSING_END = 0.02
PICTURE_CELL_S = 10.0
NOTED_DRIFT_S = 0.3
MP3_FRAME, MP3_RATE_AT = 0xFF, 2  # how a frame begins, and its byte with the bit rate in the upper half
NOTED_PEAK = 1.01
TAGS_BYTES = {b"TAG": 128, b"APETAGEX": 64 << 10, b"LYRICSBEGIN": 5100}
"""How packets begin that are no sound, and how long that goes on at most.

They are the tags between MP3 files, which FFmpeg takes for frames. That of ID3v2 says its length.
"""


class TrackReader:
    """Reads one audio track of a file, or of several files in a row."""

    def __init__(self, path: Path, track: int | None, writer: MessageWriter) -> None:
        self.path, self.name = path, path.name
        self.parts: list[WavPart | None] = container.parts_of(path)
        self.choice = TrackChoice(indices=(track or 0,))
        self._may_choose = track is None
        self.buffer, self._writer = BlockBuffer(writer), writer
        self.clock = TrackClock(0.0, self._confirms)
        self.scale = full_scale.Scale()
        self.announced_s = 0.0
        self._missing_end: FileNote | None = None
        self.broken_packets = self._broken_last = 0  # of these, how many no sound came after
        self.reason = ""
        self._tag_bytes, self._is_cut = 0, False  # how much of a tag is left
        self._unbroken = (0.0, 0.0)  # the clock's latest stretch that packets cover
        self._bit_rates: set[int] = set()  # of an MP3 without a header: their codes in its frames

    @property
    def track(self) -> int:
        return self.choice.indices[0]

    def decode(self) -> list[FileNote]:
        """Send everything that is there, and return notes about the file."""
        for number, part in enumerate(self.parts):
            with container.opened(self.path, self.name, part) as opened:
                if self._may_choose and not number and len(opened.streams.audio) > 1:
                    self.choice = choose(self.path, self.name, part)
                stream = container.audio_of(opened, self.name, self.track)
                if number:
                    self.clock.restart(self.buffer.length_s)
                else:
                    self._announce(opened, stream)
                    self._find_scale(stream)
                before_s = self.buffer.length_s
                self._read(opened, stream)
                self._look_for_end(opened, stream, part, self.buffer.length_s - before_s)
        return self._notes()

    def _announce(self, opened: Any, stream: Any) -> None:
        begin_s = announced_length.start_s(opened)
        self.clock = TrackClock(begin_s, self._confirms)
        length_s = announced_length.wav_length_s(self.parts, stream) or announced_length.length_s(opened, stream)
        self.announced_s = begin_s + (length_s or 0.0)
        self._playback, self._pictures = self._playback_of(opened), container.has_pictures(opened)
        self._is_bare_mp3 = "mp3" in announced_length.formats_of(opened) and mp3_header(self.path) is None
        head = {
            "announced_s": length_s,
            "guessed": announced_length.is_guessed(opened, self.path),
            "start_s": begin_s,
            "tracks": self.choice.indices,
            "playback": self._playback,
            "channel_names": [channel.name for channel in stream.codec_context.layout.channels][:MAX_CHANNELS],
        }
        self._writer.write(HEAD, json.dumps(head).encode())

    @property
    def playback(self) -> Playback:
        """Return what browsers play, once all has been read."""
        moved_s, bit_rates = self.clock.moved_s, len(self._bit_rates)
        return playback_after(self._playback, moved_s=moved_s, pictures=self._pictures, bit_rates=bit_rates)

    def _playback_of(self, opened: Any) -> Playback:
        """Return what browsers play.

        Of several files in a row it is the first one alone.
        """
        return Playback.COPY if len(self.parts) > 1 else playback_of(opened, self.path, self.choice.indices)

    def _find_scale(self, stream: Any) -> None:
        """Read floating-point samples once to find their peak."""
        if not full_scale.is_float(stream):
            return
        for part in self.parts:
            with container.opened(self.path, self.name, part) as opened:
                for frame in self._frames(opened, container.audio_of(opened, self.name, self.track)):
                    self.scale.look(frame)
        self.broken_packets = self._broken_last = 0

    def _read(self, opened: Any, stream: Any) -> None:
        from av import AudioResampler

        resampler: Any = None
        current_format: tuple[object, ...] = ()
        for frame in self._frames(opened, stream):
            frame_format = (frame.format.name, frame.layout.name, frame.sample_rate)
            if frame_format != current_format:  # a stream may change its format midway; a resampler may not
                self._resample(resampler, None)
                if len(frame.layout.channels) > MAX_CHANNELS:
                    raise AudioUnreadable(self.name, f"it has {len(frame.layout.channels)} channels")
                resampler, current_format = AudioResampler(format="s16", rate=SAMPLE_RATE_HZ), frame_format
            self._keep_time(frame)
            self._resample(resampler, self.scale.applied(frame) if self.scale.is_needed else frame)
        self._resample(resampler, None)
        self._flush()

    def _frames(self, opened: Any, stream: Any) -> Iterator[Any]:
        """Yield decoded frames, skipping damaged packets."""
        import av

        decoder, packets = container.decoder_of(stream), opened.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.FFmpegError, OSError) as error:  # the container itself is truncated
                self._damaged(error)
                return
            self._note_packet(packet)
            try:
                for frame in decoder.decode(packet):
                    self._broken_last, self._tag_bytes, self._is_cut = 0, 0, False
                    yield frame
            except (av.FFmpegError, ValueError) as error:
                self._tag_bytes = self._tag_bytes or _tag_bytes(bytes(packet))
                if not self._tag_bytes:
                    self._damaged(error)
                self._tag_bytes = max(0, self._tag_bytes - packet.size)
                self._is_cut = packet.is_corrupt  # the file ends inside it

    def _damaged(self, error: Exception) -> None:
        self.reason = container.words_of(error)
        self.broken_packets += 1
        self._broken_last += 1

    def _note_packet(self, packet: Any) -> None:
        """Remember which part of the clock packets cover, and an MP3's bit rates."""
        if self._is_bare_mp3 and packet.size > MP3_RATE_AT and memoryview(packet)[0] == MP3_FRAME:
            self._bit_rates.add(memoryview(packet)[MP3_RATE_AT] >> 4)
        if packet.pts is None or packet.time_base is None:
            return
        at_s, length_s = float(packet.pts * packet.time_base), float((packet.duration or 0) * packet.time_base)
        begin_s = self._unbroken[0] if abs(at_s - self._unbroken[1]) <= HOLE_S else at_s
        self._unbroken = (begin_s, at_s + length_s)

    def _confirms(self, from_s: float, to_s: float) -> bool:
        """Return whether the header, this track's packets or the pictures confirm a gap."""
        if to_s <= self.announced_s or self._unbroken[0] <= from_s + HOLE_S:
            return True
        first, last = round(from_s / PICTURE_CELL_S), round(to_s / PICTURE_CELL_S)
        third = max(1, (last - first) // 3)
        return all(
            any(cell in self._picture_cells for cell in range(start, start + third))
            for start in range(first, last - third + 1, third)
        )

    @cached_property
    def _picture_cells(self) -> set[int]:
        """The stretches of ten seconds in which the file has a picture."""
        import av

        cells: set[int] = set()
        with container.opened(self.path, self.name) as opened:
            pictures = opened.streams.video[:1]
            if not pictures:
                return cells
            container.only(opened, pictures)
            try:
                for packet in opened.demux(pictures[0]):
                    if packet.pts is not None:
                        cells.add(int(packet.pts * packet.time_base / PICTURE_CELL_S))
            except (av.FFmpegError, OSError):
                return cells
        return cells

    def _resample(self, resampler: Any, frame: Any) -> None:
        if resampler is None:
            return
        if frame is not None:
            frame.pts = None
        for out in resampler.resample(frame):
            channels = len(out.layout.channels)
            self._take(bytes(out.planes[0])[: out.samples * channels * BYTES_A_SAMPLE], channels)

    def _keep_time(self, frame: Any) -> None:
        """Fill a gap in the track's clock with silence."""
        if frame.pts is None or frame.time_base is None or not frame.samples:
            return
        channels = len(frame.layout.channels)
        silence_s = self.clock.silence_before(
            float(frame.pts * frame.time_base),
            frame_s=frame.samples / frame.sample_rate,
            written_s=self.buffer.length_s,
            block_s=self.buffer.block_s,
        )
        second = bytes(SAMPLE_RATE_HZ * channels * BYTES_A_SAMPLE)
        left = round(silence_s * SAMPLE_RATE_HZ)
        while left > 0:
            self._take(second[: min(left, SAMPLE_RATE_HZ) * channels * BYTES_A_SAMPLE], channels)
            left -= SAMPLE_RATE_HZ

    def _take(self, piece: bytes, channels: int) -> None:
        if channels != self.buffer.channels:
            self._flush()
        self.buffer.take(piece, channels)
        if self.buffer.full:
            self._flush()

    def _flush(self) -> None:
        self.buffer.flush(self.clock.correction(self.buffer.block_s))

    def _look_for_end(self, opened: Any, stream: Any, part: WavPart | None, length_s: float) -> None:
        """Remember where the file breaks off, if its header says that there should be more."""
        if part is not None:
            promised_s = announced_length.wav_promise_s(part, stream)
        else:
            promised_s = announced_length.promised_s(opened, stream, self.path)
        there_s = self.buffer.length_s
        if promised_s and promised_s - length_s > max(MISSING_END_S, MISSING_END * promised_s):
            self._missing_end = file_notes.missing_end(there_s, there_s - length_s + promised_s)
        elif self._is_cut or announced_length.breaks_off(opened, self.path):
            self._missing_end = file_notes.missing_end(there_s)

    def _notes(self) -> list[FileNote]:
        """Return notes on what is missing or was changed.

        Raises:
            AudioUnreadable, EmptyUpload: nothing was decoded.
        """
        if self.buffer.samples == 0:
            if self.broken_packets:
                raise AudioUnreadable(self.name, self.reason)
            raise EmptyUpload(self.name)
        notes = [self.choice.note] if self.choice.note else []
        notes += file_notes.gaps(self.clock.gaps)
        if damaged := self.broken_packets - (self._broken_last if self._missing_end else 0):
            notes.append(file_notes.damage(damaged, self.reason))
        if self._missing_end:
            notes.append(self._missing_end)
        if abs(self.clock.corrected_s) > NOTED_DRIFT_S:
            notes.append(file_notes.drift(self.clock.corrected_s, self.buffer.length_s))
        if self.scale.peak > NOTED_PEAK:
            notes.append(file_notes.too_loud(self.scale.peak))
        return notes


def _tag_bytes(data: bytes) -> int:
    """Return how long the tag is that begins here; 0 if none does (https://id3.org/id3v2.4.0-structure)."""
    if data.startswith(b"ID3") and len(data) >= 10:
        return 10 + sum((byte & 0x7F) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
    return next((most for begin, most in TAGS_BYTES.items() if data.startswith(begin)), 0)


def main() -> None:
    """Decode the track named by the command line, under resource limits."""
    path, track, cpu_s = Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3])
    sandbox.confine(cpu_s)
    writer = MessageWriter(sys.stdout.buffer)
    try:
        reader = TrackReader(path, track, writer)
        end = {"notes": [asdict(note) for note in reader.decode()], "playback": reader.playback}
        writer.write(END, json.dumps(end).encode())
    except MemoryError:
        writer.write(ERROR, json.dumps(probe.told(AudioUnreadable(path.name, container.TOO_MUCH_MEMORY))).encode())
    except TranscriberError as error:
        writer.write(ERROR, json.dumps(probe.told(error)).encode())


if __name__ == "__main__":
    main()
