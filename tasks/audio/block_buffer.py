"""Collect decoded samples into blocks and send them to the reader of a decoding process.

It does not import NumPy, which takes longer to load than most files take to decode.
"""

import struct
from typing import BinaryIO

SAMPLE_RATE_HZ = 16_000
BLOCK_S = 10.0
BYTES_A_SAMPLE = 2

HEADER = struct.Struct("<cIHi")
"""Kind, bytes of payload, channels, and by how many samples to squeeze (or stretch, below 0) a block."""
HEAD, BLOCK, END, ERROR = b"h", b"b", b"e", b"x"


class MessageWriter:
    """Writes messages to the reader."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, kind: bytes, payload: bytes, channels: int = 0, surplus: int = 0) -> None:
        self._out.write(HEADER.pack(kind, len(payload), channels, surplus))
        self._out.write(payload)
        self._out.flush()


class BlockBuffer:
    """Interleaved samples of all channels, collected into blocks."""

    def __init__(self, writer: MessageWriter) -> None:
        self._writer = writer
        self._pieces: list[bytes] = []
        self._bytes = 0
        self.channels = 0
        self.samples = 0  # on the clock, so far

    @property
    def length_s(self) -> float:
        """The length on the clock so far."""
        return self.samples / SAMPLE_RATE_HZ

    @property
    def block_s(self) -> float:
        """The length of the block that is being collected."""
        return self._bytes / (BYTES_A_SAMPLE * max(1, self.channels)) / SAMPLE_RATE_HZ

    @property
    def full(self) -> bool:
        return self.block_s >= BLOCK_S

    def take(self, piece: bytes, channels: int) -> None:
        """Add samples; the channels are those of the block."""
        self._pieces.append(piece)
        self._bytes += len(piece)
        self.channels = channels
        self.samples += len(piece) // (BYTES_A_SAMPLE * channels)

    def flush(self, longer_s: float = 0.0) -> None:
        """Send the collected samples, to be stretched by this many seconds."""
        if not self._bytes:
            return
        surplus = -round(longer_s * SAMPLE_RATE_HZ)
        self._writer.write(BLOCK, b"".join(self._pieces), self.channels, surplus)
        self.samples -= surplus
        self._pieces, self._bytes = [], 0
