"""Find the WAV files in a file, whatever the sizes in their headers say.

Recorders write sizes of 0 or all ones before they know the length, sizes above 4 GiB wrap around, and joined files
follow each other. The format is Microsoft's RIFF, with 64-bit sizes in RF64 (EBU Tech 3306).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

MAGIC = {b"RIFF", b"RIFX", b"RF64", b"BW64"}
NEAR = 1 << 16  # sizes this close below 2 or 4 GiB stand for an unknown length
UNKNOWN = (1 << 31, 1 << 32)
LEAST_MORE_BYTES = 4096  # less than this behind the samples is rubbish rather than sound
MAX_PARTS = 1000
MAX_CHUNKS = 1000
LOOK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """Bytes that readers get instead of those in the file."""

    at: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class WavPart:
    """One WAV file inside a file, from byte `start` to `end`.

    `announced_bytes` is the size of its samples by the header, or None if that is unknown or wrong; samples then go on
    to the end. `second_bytes` are those of a second by the header. Readers see the file with its `patches`: behind a
    wrong size, FFmpeg would look for chunks, and in silence find one every eight bytes.
    """

    start: int
    end: int
    samples_start: int
    announced_bytes: int | None
    second_bytes: int | None = None
    patches: tuple[Patch, ...] = ()

    @property
    def samples_bytes(self) -> int:
        """The bytes of samples that are there."""
        there = self.end - self.samples_start
        return there if self.announced_bytes is None else min(there, self.announced_bytes)


def wav_parts(file: BinaryIO, size: int, *, look_bytes: int | None = None) -> list[WavPart]:
    """Return the WAV files in a file; none if it is something else.

    After a wrong size, the next file is looked for in all that follows, or in `look_bytes` of it.
    """
    riff = _Riff(file, size, size if look_bytes is None else look_bytes)
    parts: list[WavPart] = []
    while len(parts) < MAX_PARTS and (part := riff.part(parts[-1].end if parts else 0)) is not None:
        parts.append(part)
    return parts


def _mended(samples_bytes: int, samples_at: int, large_at: int) -> Patch:
    """Return what readers get instead of a wrong size.

    It is the right one where it has 64 bits, else an unknown one.
    """
    if large_at:
        return Patch(at=large_at, data=samples_bytes.to_bytes(8, "little"))
    return Patch(at=samples_at - 4, data=bytes(4))


class _Riff:
    """Reads the chunks of WAV files in a file of `size` bytes."""

    def __init__(self, file: BinaryIO, size: int, look_bytes: int) -> None:
        self._file, self._size, self._look_bytes = file, size, look_bytes
        self._big_endian = False

    def part(self, start: int) -> WavPart | None:
        """Return the WAV file that starts here, if there is one."""
        head = self._bytes(start, 12)
        if head[:4] not in MAGIC or head[8:] != b"WAVE":
            return None
        self._big_endian = head[:4] == b"RIFX"
        large: int | None = None
        large_at = start
        second_bytes: int | None = None
        for kind, content, length in self._chunks(start + 12):
            if kind == b"ds64":
                large_at = content + 8
                large = int.from_bytes(self._bytes(large_at, 8), "little")
            if kind == b"fmt ":
                second_bytes = int.from_bytes(self._bytes(content + 8, 4), "big" if self._big_endian else "little")
            if kind == b"data":
                announced = large if large is not None and length == UNKNOWN[1] - 1 else length
                known = self._known_end(content, announced)
                end = self._next_wave(content) if known is None else known
                return WavPart(
                    start=start,
                    end=end,
                    samples_start=content,
                    announced_bytes=None if known is None else announced,
                    second_bytes=second_bytes,
                    patches=(_mended(end - content, content - start, large_at - start),) if known is None else (),
                )
        return None

    def _known_end(self, samples_start: int, announced: int) -> int | None:
        """Return where the part ends, or None if samples go on behind that."""
        at = samples_start + announced
        if not announced or (at > self._size and any(limit - NEAR <= announced <= limit for limit in UNKNOWN)):
            return None
        if self._size - at < LEAST_MORE_BYTES:
            return self._size
        padded = self._end_of_chunks(at + at % 2)  # chunks are padded to even sizes, by most writers
        return self._end_of_chunks(at) if padded is None else padded

    def _end_of_chunks(self, at: int) -> int | None:
        """Return where the chunks end, before the next WAV file; None without chunks."""
        for kind, content, length in self._chunks(at):
            if kind in MAGIC and self._bytes(content, 4) == b"WAVE":
                return content - 8
            if not all(0x20 <= char < 0x7F for char in kind) or content + length > self._size + 1:
                return None
        return self._size

    def _chunks(self, at: int) -> Iterator[tuple[bytes, int, int]]:
        """Yield each chunk's name, where its content starts, and its length."""
        for _ in range(MAX_CHUNKS):
            if at + 8 > self._size:
                return
            head = self._bytes(at, 8)
            length = int.from_bytes(head[4:], "big" if self._big_endian else "little")
            yield head[:4], at + 8, length
            at += 8 + length + length % 2

    def _next_wave(self, at: int) -> int:
        """Return where the next WAV file starts, or the file's end."""
        last = min(self._size, at + self._look_bytes)
        while at < last:
            block = self._bytes(at, min(LOOK_BYTES, last - at) + 16)
            found = block.find(b"WAVEfmt ", 8)
            if found >= 0 and block[found - 8 : found - 4] in MAGIC:
                return at + found - 8
            at += LOOK_BYTES if found < 0 else found
        return self._size

    def _bytes(self, at: int, count: int) -> bytes:
        self._file.seek(at)
        return self._file.read(count)
