"""Any recording as a stream of 16 kHz blocks, in memory that its length cannot grow, whatever is in the file.

Decoding itself happens in a child process under limits (`tasks.decoder`): a file that crashes the decoder, or makes
it eat memory or time, is an unreadable file and nothing worse. Blocks lie on the recording's clock, so that times
found in the samples are times that a player shows.
"""

import json
import logging
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np

from storage import confined, probe
from storage.errors import AudioUnreadable, DecoderKilled
from tasks import channels, decoder
from tasks.decoder import BLOCK, END, ERROR, HEAD, HEADER, MAX_CHANNELS

logger = logging.getLogger(__name__)

SAMPLE_RATE_HZ = decoder.SAMPLE_RATE_HZ
PATIENCE_S = 120.0
BYTES_A_SECOND = 2 << 20  # slower than this is no file that is read, and no decoder that decodes
TIMES_REAL = 10.0
MAX_PAYLOAD_BYTES = 64 << 20

Samples = channels.Samples
Ints = channels.Ints


class Decoding:
    """One track of one file on its way through a child process; use it by `with`.

    `announced_s` is what the header says of the length (None: nothing; headers may lie), or what FFmpeg guesses where
    there is none (`guessed`); `notes` say in plain words what was missing or damaged, once all blocks have been read.

    Raises:
        EmptyUpload: no bytes, or a track without one sample.
        NoAudioTrack: the container holds no sound.
        NoSuchTrack: it holds sound, but not so many tracks.
        AudioUnreadable: nothing could be decoded, or trying it took too much time or memory.
        DecoderKilled: somebody else ended the child.
    """

    def __init__(self, path: Path, *, name: str, track: int = 0) -> None:
        self.path, self.name, self.track = path, name, track
        self.announced_s: float | None = None
        self.guessed = False
        self.channel_names: tuple[str, ...] = ()
        self.notes: list[str] = []
        self._waited_s = 0.0
        self._read_s = 0.0

    def __enter__(self) -> Self:
        probe.must_be_file(self.path, self.name)
        self._patience_s = PATIENCE_S + self.path.stat().st_size / BYTES_A_SECOND
        cpu_s = int(self._patience_s + 24 * 3600 / TIMES_REAL)
        self._child = confined.start("tasks.decoder", str(self.path), str(self.track), str(cpu_s))
        try:
            head = self._said(HEAD)
            self.announced_s, self.guessed = head.get("announced_s"), bool(head.get("guessed"))
            self.channel_names = tuple(head.get("channel_names") or ())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def blocks(self) -> Iterator[Ints]:
        """Yield blocks of about 10 s, shape (samples, channels); the number of channels may change midway."""
        while True:
            kind, payload, channels, surplus = self._message()
            if kind == END:
                self.notes += [str(note)[:300] for note in json.loads(payload)["notes"]][:50]
                return
            if kind != BLOCK or not 0 < channels <= MAX_CHANNELS or len(payload) % (2 * channels):
                raise AudioUnreadable(self.name, confined.GIVES_UP)
            block = np.frombuffer(payload, dtype=np.int16).reshape(-1, channels)
            self._read_s += len(block) / SAMPLE_RATE_HZ
            yield squeezed(block, surplus)

    def _said(self, wanted: bytes) -> dict[str, Any]:
        kind, payload, _, _ = self._message()
        if kind != wanted:
            raise AudioUnreadable(self.name, confined.GIVES_UP)
        found: dict[str, Any] = json.loads(payload)
        return found

    def _message(self) -> tuple[bytes, bytes, int, int]:
        kind, length, channels, surplus = HEADER.unpack(self._bytes(HEADER.size))
        if length > MAX_PAYLOAD_BYTES:
            raise AudioUnreadable(self.name, confined.GIVES_UP)
        payload = self._bytes(length)
        if kind == ERROR:
            raise probe.raised(json.loads(payload), self.name)
        return kind, payload, channels, surplus

    def _bytes(self, count: int) -> bytes:
        """Read so many bytes; only time spent waiting here counts against the child."""
        assert self._child.stdout is not None  # noqa: S101
        pipe, found, ready = self._child.stdout.fileno(), bytearray(), select.poll()
        ready.register(pipe, select.POLLIN)
        while len(found) < count:
            began = time.monotonic()
            left_s = self._patience_s + self._read_s / TIMES_REAL - self._waited_s
            if left_s <= 0 or not ready.poll(1000 * left_s):
                raise AudioUnreadable(self.name, "decoding it takes too long")
            self._waited_s += time.monotonic() - began
            piece = os.read(pipe, min(count - len(found), 1 << 20))
            if not piece:
                raise self._lost()
            found += piece
        return bytes(found)

    def _lost(self) -> Exception:
        """Say why the child ended before its last word."""
        try:
            status = self._child.wait(10)
        except subprocess.TimeoutExpired:
            status = 0
        logger.info("the decoder of %s ended with %d", self.name, status)
        if status == -signal.SIGXCPU:
            return AudioUnreadable(self.name, "decoding it takes too long")
        if status in {-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT}:
            return DecoderKilled(self.name)
        return AudioUnreadable(self.name, confined.GIVES_UP)

    def _end(self) -> None:
        self._child.kill()
        self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()


def squeezed(block: Ints, surplus: int) -> Ints:
    """Return the block with `surplus` samples less, for a track that runs ahead of its own clock."""
    if not 0 < surplus < len(block) // 2:
        return block
    places, kept = np.arange(len(block)), np.linspace(0, len(block) - 1, len(block) - surplus)
    columns = [np.interp(kept, places, block[:, channel]) for channel in range(block.shape[1])]
    return np.rint(np.stack(columns, axis=1)).astype(np.int16)


def stream_pcm(path: Path, *, name: str, track: int = 0, notes: list[str] | None = None) -> Iterator[Samples]:
    """Yield the track's samples as float32 mono blocks of about 10 s at 16 kHz, shape (n,); see `Decoding`.

    A file that breaks off yields what could be decoded; what is missing is said in `notes`, in plain words.
    """
    with Decoding(path, name=name, track=track) as decoding:
        mixer = channels.Mixer(decoding.channel_names)
        yield from map(mixer.mono, decoding.blocks())
        if notes is not None:
            notes += decoding.notes
