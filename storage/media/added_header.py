"""Give recordings the header that they lack.

WAV is Microsoft's RIFF; above 4 GiB it is RF64 (EBU Tech 3306), whose sizes have 64 bits. CAF is Apple's, for what
readers do not find in WAV.
"""

import hashlib
import struct
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from storage.media.headerless import PCM_TAG, Headerless

BLOCK_BYTES = 3 << 18  # of whole samples, whatever their size
LARGEST_RIFF = (1 << 32) - 1
CAF_HEAD = b"caff" + struct.pack(">HH4sQ", 1, 0, b"desc", 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteRange:
    """Bytes of a raw file, from `start` up to `end`."""

    start: int
    end: int


@contextmanager
def with_header(path: Path, headerless: Headerless | None) -> Iterator[Path]:
    """Provide the recording as a file with a header while the block runs."""
    if headerless is None:
        yield path
        return
    with TemporaryDirectory(prefix="transcriber-") as folder:
        copy = Path(folder) / headerless.name_with_header(path.name)
        write(path, copy, headerless)
        yield copy


def write(
    raw: Path, target: Path, headerless: Headerless, parts: tuple[ByteRange, ...] | None = None
) -> tuple[str, int]:
    """Write a raw file behind its header; return the SHA-256 and size.

    Bytes behind the last whole block are left out.
    """
    whole = raw.stat().st_size // headerless.block_bytes * headerless.block_bytes
    parts = parts or (ByteRange(start=0, end=whole),)
    data_bytes = sum(part.end - part.start for part in parts)
    in_caf = headerless.format.spec.wav_tag is None
    header = caf_header(headerless, data_bytes) if in_caf else wav_header(headerless, data_bytes)
    padding = b"" if in_caf else bytes(data_bytes % 2)
    digest = hashlib.sha256()
    with raw.open("rb") as source, target.open("wb") as sink:
        for block in chain([header], _blocks(source, headerless, parts), [padding]):
            sink.write(block)
            digest.update(block)
    return digest.hexdigest(), len(header) + data_bytes + len(padding)


def wav_header(headerless: Headerless, data_bytes: int) -> bytes:
    """Return the header of a WAV file with this many bytes of sound."""
    spec, samples = headerless.format.spec, headerless.samples(data_bytes)
    rates = (headerless.rate_hz, headerless.second_bytes, headerless.block_bytes)
    fmt = struct.pack("<HHIIHH", spec.wav_tag, headerless.channels, *rates, spec.bits)
    chunks = _chunk(b"fmt ", fmt)
    if spec.wav_tag != PCM_TAG:
        chunks = _chunk(b"fmt ", fmt + bytes(2)) + _chunk(b"fact", struct.pack("<I", min(samples, LARGEST_RIFF)))
    riff_bytes = 4 + len(chunks) + 8 + data_bytes + data_bytes % 2
    if riff_bytes <= LARGEST_RIFF:
        return struct.pack("<4sI4s", b"RIFF", riff_bytes, b"WAVE") + chunks + _chunk_head(b"data", data_bytes)
    ds64 = _chunk(b"ds64", struct.pack("<QQQI", riff_bytes + 36, data_bytes, samples, 0))
    return struct.pack("<4sI4s", b"RF64", LARGEST_RIFF, b"WAVE") + ds64 + chunks + _chunk_head(b"data", LARGEST_RIFF)


def caf_header(headerless: Headerless, data_bytes: int) -> bytes:
    """Return the header of a CAF file with this many bytes of GSM 06.10."""
    spec = headerless.format.spec
    blocks = (0, headerless.block_bytes, spec.block_samples, headerless.channels, spec.bits)
    description = struct.pack(">d4s5I", headerless.rate_hz, b"agsm", *blocks)
    return CAF_HEAD + description + struct.pack(">4sQI", b"data", 4 + data_bytes, 0)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return _chunk_head(kind, len(content)) + content


def _chunk_head(kind: bytes, size: int) -> bytes:
    return kind + size.to_bytes(4, "little")


def _blocks(source: BinaryIO, headerless: Headerless, parts: tuple[ByteRange, ...]) -> Iterator[bytes]:
    for part in parts:
        source.seek(part.start)
        for at in range(part.start, part.end, BLOCK_BYTES):
            block = source.read(min(BLOCK_BYTES, part.end - at))
            yield _swapped(block) if headerless.format.spec.big_endian else block


def _swapped(block: bytes) -> bytes:
    samples = array("h", block)
    samples.byteswap()
    return samples.tobytes()
