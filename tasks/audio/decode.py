"""Decode any recording as a stream of 16 kHz blocks, in constant memory.

Decoding runs in a child process under resource limits (`tasks.audio.decode_process`): a file that crashes the decoder
or exhausts its memory or time is an unreadable file and nothing worse. Blocks lie on the recording's clock, so times in
the samples are the times that a player shows.
"""

import json
import logging
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from storage.domain.errors import AudioUnreadable, DecoderKilled
from storage.domain.job_messages import Sentence, decode, encode, text_of
from storage.domain.records import FileNote
from storage.domain.transcript_notes import FileMessage
from storage.media import container, probe, sandbox
from storage.media.browser_playback import Playback
from tasks.audio import block_buffer, channels
from tasks.audio.block_buffer import BLOCK, END, ERROR, HEAD, HEADER
from tasks.audio.decode_process import MAX_CHANNELS

logger = logging.getLogger(__name__)

SAMPLE_RATE_HZ = block_buffer.SAMPLE_RATE_HZ
TIMES_REAL = 10.0
MAX_PAYLOAD_BYTES = 64 << 20
MAX_NOTES = 50
MAX_NOTE_CHARS = 500
MAX_TOGETHER = 16  # tracks that are decoded together

Samples = channels.Samples
Ints = channels.Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a decoder may take before it counts as stuck.

    A tenth of the time that it has decoded comes on top.
    """

    least_s: float = 120.0
    bytes_a_second: int = 2 << 20

    def for_file(self, path: Path) -> float:
        return self.least_s + path.stat().st_size / self.bytes_a_second


PATIENCE = Patience()


class Decoding:
    """Decodes one track of one file in a child process; a context manager.

    Without a number, the file decides which track, or tracks, to decode.

    `announced_s` is the length in the header (None if there is none; headers may be wrong), or FFmpeg's estimate
    (`guessed`). `start_s` is the file's first timestamp, from which the blocks count. `playback` is what browsers play
    of it; it may be a copy after all once all blocks have been read. From then on, `notes` say in plain words what was
    missing or changed.

    Raises:
        EmptyUpload: no bytes, or a track without samples.
        NoAudioTrack: the container has no audio.
        NoSuchTrack: it has audio, but no track of this number.
        AudioUnreadable: nothing could be decoded, or it took too much time or memory.
        DecoderKilled: something else ended the child.
    """

    def __init__(self, path: Path, *, name: str, track: int | None = None, patience: Patience = PATIENCE) -> None:
        self.path, self.name, self.track, self._patience = path, name, track, patience
        self.announced_s: float | None = None
        self.guessed = False
        self.channel_names: tuple[str, ...] = ()
        self.start_s = 0.0
        self.playback = Playback.SOURCE
        self.notes: list[FileNote] = []
        self._others: list[Decoding] = []
        self._stack = ExitStack()
        self._waited_s = 0.0
        self._read_s = 0.0

    def __enter__(self) -> Self:
        container.must_be_file(self.path, self.name)
        self._patience_s = self._patience.for_file(self.path)
        cpu_s = int(self._patience_s + 24 * 3600 / TIMES_REAL)
        self._child = sandbox.fork(
            "tasks.audio.decode_process", str(self.path.absolute()), json.dumps(self.track), str(cpu_s)
        )
        try:
            head = self._said(HEAD)
            self.announced_s, self.guessed = head.get("announced_s"), bool(head.get("guessed"))
            self.start_s = float(head.get("start_s") or 0.0)
            self.playback = Playback(head.get("playback") or Playback.SOURCE)
            self.channel_names = tuple(head.get("channel_names") or ())
            for track in (head.get("tracks") or [])[1:MAX_TOGETHER]:
                self._others.append(self._stack.enter_context(Decoding(self.path, name=self.name, track=int(track))))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def blocks(self) -> Iterator[Ints]:
        """Yield blocks of about 10 s, shape (samples, channels).

        The number of channels may change midway. Tracks that belong together are channels.
        """
        if not self._others:
            return self._blocks()
        self.channel_names = ()
        return together([each._blocks() for each in (self, *self._others)])

    def _blocks(self) -> Iterator[Ints]:
        while True:
            kind, payload, channels, surplus = self._message()
            if kind == END:
                end = json.loads(payload)
                self.notes += [_note(said) for said in end["notes"][:MAX_NOTES]]
                self.playback = Playback(end["playback"])
                return
            if kind != BLOCK or not 0 < channels <= MAX_CHANNELS or len(payload) % (2 * channels):
                raise AudioUnreadable(self.name, sandbox.GIVES_UP)
            block = np.frombuffer(payload, dtype=np.int16).reshape(-1, channels)
            self._read_s += len(block) / SAMPLE_RATE_HZ
            yield squeezed(block, surplus)

    def _said(self, expected_kind: bytes) -> dict[str, Any]:
        kind, payload, _, _ = self._message()
        if kind != expected_kind:
            raise AudioUnreadable(self.name, sandbox.GIVES_UP)
        message: dict[str, Any] = json.loads(payload)
        return message

    def _message(self) -> tuple[bytes, bytes, int, int]:
        kind, length, channels, surplus = HEADER.unpack(self._bytes(HEADER.size))
        if length > MAX_PAYLOAD_BYTES:
            raise AudioUnreadable(self.name, sandbox.GIVES_UP)
        payload = self._bytes(length)
        if kind == ERROR:
            raise probe.raised(json.loads(payload), self.name)
        return kind, payload, channels, surplus

    def _bytes(self, count: int) -> bytes:
        """Read this many bytes; only time spent waiting here counts against the child."""
        assert self._child.stdout is not None  # noqa: S101
        pipe, data, ready = self._child.stdout.fileno(), bytearray(), select.poll()
        ready.register(pipe, select.POLLIN)
        while len(data) < count:
            began = time.monotonic()
            left_s = self._patience_s + self._read_s / TIMES_REAL - self._waited_s
            if left_s <= 0 or not ready.poll(1000 * left_s):
                raise AudioUnreadable(self.name, "decoding it takes too long")
            self._waited_s += time.monotonic() - began
            chunk = os.read(pipe, min(count - len(data), 1 << 20))
            if not chunk:
                raise self._lost()
            data += chunk
        return bytes(data)

    def _lost(self) -> Exception:
        """Return why the child ended before its last message."""
        try:
            status = self._child.wait(10)
        except subprocess.TimeoutExpired:
            status = 0
        logger.info("the decoder of %s ended with %d", self.name, status)
        if status == -signal.SIGXCPU:
            return AudioUnreadable(self.name, "decoding it takes too long")
        if status in sandbox.FROM_OUTSIDE:
            return DecoderKilled(self.name)
        return AudioUnreadable(self.name, sandbox.GIVES_UP)

    def _end(self) -> None:
        self._stack.close()
        self._child.kill()
        self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()


def together(tracks: Sequence[Iterator[Ints]]) -> Iterator[Ints]:
    """Yield blocks with a channel for each mono track; tracks that end early are silent."""
    held: list[Ints] = [np.zeros(0, dtype=np.int16) for _ in tracks]
    while True:
        for place, track in enumerate(tracks):
            while not len(held[place]) and (block := next(track, None)) is not None:
                held[place] = block[:, 0]
        lengths = [len(samples) for samples in held if len(samples)]
        if not lengths:
            return
        merged = np.zeros((min(lengths), len(tracks)), dtype=np.int16)
        for place, samples in enumerate(held):
            merged[: len(samples), place] = samples[: len(merged)]
            held[place] = samples[len(merged) :]
        yield merged


def _note(said: dict[str, Any]) -> FileNote:
    """Return a note of the child, whose content is not trusted."""
    start_s, end_s = (None if said[name] is None else float(said[name]) for name in ("start_s", "end_s"))
    message = decode(str(said["message"]))
    if not isinstance(message, FileMessage) or len(encode(message)) > MAX_NOTE_CHARS:
        message = Sentence(text=text_of(said["message"])[:MAX_NOTE_CHARS])
    return FileNote(message=encode(message), damaged=bool(said["damaged"]), start_s=start_s, end_s=end_s)


def squeezed(block: Ints, surplus: int) -> Ints:
    """Return the block shortened by `surplus` samples, or stretched if that is below 0."""
    if not 0 < abs(surplus) < len(block) // 2:
        return block
    places, resampled = np.arange(len(block)), np.linspace(0, len(block) - 1, len(block) - surplus)
    columns = [np.interp(resampled, places, block[:, channel]) for channel in range(block.shape[1])]
    return np.rint(np.stack(columns, axis=1)).astype(np.int16)
