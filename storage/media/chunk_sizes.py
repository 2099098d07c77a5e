"""Mend the sizes in headers of AIFF, AU, CAF and W64 files.

As with WAV (`storage.media.wav_parts`), recorders leave sizes that are too small, unknown or never written, and joined
files follow each other. A mended size runs to the next file or to the end.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

from storage.media.wav_parts import LEAST_MORE_BYTES, LOOK_BYTES, MAX_CHUNKS, MAX_PARTS, Patch, WavPart

W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
W64_RIFF = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
PLACEHOLDER = 0x7F000000  # sizes from here on, in a file that is shorter, were never known
MOST_32 = 0x7FFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a format's chunks are laid out, and where its samples are.

    `outer_at` is where the size of the whole stands, if there is one.
    """

    magic: bytes
    first_chunk: int
    name_bytes: int
    size_bytes: int
    order: Literal["big", "little"]
    data: bytes
    data_head: int  # bytes of the chunk before the samples
    outer_at: int | None = None
    own_head: bool = False  # a chunk's size includes its name and size
    padded_to: int = 1


LAYOUTS = (
    Layout(
        magic=b"FORM",
        first_chunk=12,
        name_bytes=4,
        size_bytes=4,
        order="big",
        data=b"SSND",
        data_head=8,
        outer_at=4,
        padded_to=2,
    ),
    Layout(magic=b"caff", first_chunk=8, name_bytes=4, size_bytes=8, order="big", data=b"data", data_head=4),
    Layout(
        magic=W64_RIFF,
        first_chunk=40,
        name_bytes=16,
        size_bytes=8,
        order="little",
        data=b"data" + W64_TAIL,
        data_head=0,
        outer_at=16,
        own_head=True,
        padded_to=8,
    ),
)


def corrected_parts(file: BinaryIO, size: int, *, look_bytes: int | None = None) -> list[WavPart]:
    """Return the files in a file; none if it is one whose sizes are right.

    After a wrong size, the next file is looked for in all that follows, or in `look_bytes` of it.
    """
    file.seek(0)
    head = file.read(16)
    if head[:4] == b".snd":
        return [_au(head, size)] if _is_wrong(int.from_bytes(head[8:12]), size - int.from_bytes(head[4:8])) else []
    layout = next((each for each in LAYOUTS if head.startswith(each.magic)), None)
    if layout is None:
        return []
    reader = _ChunkReader(file, size, layout, size if look_bytes is None else look_bytes)
    parts: list[WavPart] = []
    while len(parts) < MAX_PARTS:
        part = reader.part(parts[-1].end if parts else 0)
        if part is None:
            break
        parts.append(part)
    is_odd = any(part.patches or part.samples_bytes < (part.announced_bytes or 0) for part in parts)
    return parts if len(parts) > 1 or is_odd else []


def _is_wrong(announced: int, there: int) -> bool:
    """Return whether a size is neither that of the samples nor of a truncated file."""
    if announced == 0xFFFFFFFF:  # how AU says that the size is unknown
        return False
    return announced == 0 or there - announced >= LEAST_MORE_BYTES or announced > max(there, PLACEHOLDER)


def _au(head: bytes, size: int) -> WavPart:
    return WavPart(
        start=0,
        end=size,
        samples_start=int.from_bytes(head[4:8]),
        announced_bytes=None,
        patches=(Patch(at=8, data=b"\xff\xff\xff\xff"),),
    )


def _begins(head: bytes) -> bool:
    """Return whether a file begins with these bytes."""
    return head[8:12] in {b"AIFF", b"AIFC", b"desc"} or head.startswith(W64_RIFF)


class _ChunkReader:
    """Reads the chunks of one file inside a file."""

    def __init__(self, file: BinaryIO, size: int, layout: Layout, look_bytes: int) -> None:
        self._file, self._size, self._layout, self._look_bytes = file, size, layout, look_bytes

    def part(self, start: int) -> WavPart | None:
        """Return the file that starts here, if there is one."""
        layout = self._layout
        if self._bytes(start, len(layout.magic)) != layout.magic:
            return None
        common: int | None = None
        for name, content, length in self._chunks(start + layout.first_chunk):
            if name == b"COMM":
                common = content
            if name == layout.data:
                return self._of_data(start, content, length, common)
        return None

    def _of_data(self, start: int, content: int, length: int, common: int | None) -> WavPart:
        samples_start = content + self._layout.data_head
        end = self._known_end(content, length)
        if end is not None:
            announced = length - self._layout.data_head
            return WavPart(start=start, end=end, samples_start=samples_start, announced_bytes=announced)
        end = self._next_file(samples_start)
        patches = self._patches(start, content, end, common)
        return WavPart(start=start, end=end, samples_start=samples_start, announced_bytes=None, patches=patches)

    def _known_end(self, content: int, length: int) -> int | None:
        """Return where the part ends, or None if its size is wrong."""
        there = self._size - content
        if length <= self._layout.data_head or length > max(there, PLACEHOLDER):
            return None
        at = content + length
        if self._size - at < LEAST_MORE_BYTES:
            return self._size
        at = content + -(-length // self._layout.padded_to) * self._layout.padded_to
        return self._end_of_chunks(at)

    def _end_of_chunks(self, at: int) -> int | None:
        """Return where the chunks end, before the next file; None without chunks."""
        magic = self._layout.magic
        for name, content, length in self._chunks(at):
            begin = content - self._layout.name_bytes - self._layout.size_bytes
            if self._bytes(begin, len(magic)) == magic:
                return begin
            if not all(0x20 <= char < 0x7F for char in name[:4]) or content + length > self._size + 1:
                return None
        return self._size

    def _next_file(self, at: int) -> int:
        """Return where the next file of this format starts, or the file's end."""
        magic, last = self._layout.magic, min(self._size, at + self._look_bytes)
        while at < last:
            block = self._bytes(at, min(LOOK_BYTES, last - at) + 64)
            found = block.find(magic)
            while found >= 0:
                if _begins(block[found : found + 64]):
                    return at + found
                found = block.find(magic, found + 1)
            at += LOOK_BYTES
        return self._size

    def _patches(self, start: int, content: int, end: int, common: int | None) -> tuple[Patch, ...]:
        layout, length = self._layout, end - content
        own = layout.name_bytes + layout.size_bytes if layout.own_head else 0
        patches = [Patch(at=content - layout.size_bytes - start, data=self._number(length + own))]
        if layout.outer_at is not None:
            outer = end - start - (0 if layout.own_head else layout.outer_at + layout.size_bytes)
            patches.append(Patch(at=layout.outer_at, data=self._number(outer)))
        if common is not None and (frame_bytes := self._aiff_frame_bytes(common)):
            frames = (length - layout.data_head) // frame_bytes
            patches.append(Patch(at=common + 2 - start, data=frames.to_bytes(4)))
        return tuple(patches)

    def _aiff_frame_bytes(self, common: int) -> int:
        fields = self._bytes(common, 8)
        return int.from_bytes(fields[:2]) * -(-int.from_bytes(fields[6:8]) // 8)

    def _number(self, value: int) -> bytes:
        most = MOST_32 if self._layout.size_bytes == 4 else value
        return min(value, most).to_bytes(self._layout.size_bytes, self._layout.order)

    def _chunks(self, at: int) -> Iterator[tuple[bytes, int, int]]:
        """Yield each chunk's name, where its content starts, and its length."""
        layout = self._layout
        head_bytes = layout.name_bytes + layout.size_bytes
        for _ in range(MAX_CHUNKS):
            head = self._bytes(at, head_bytes)
            if len(head) < head_bytes:
                return
            told = int.from_bytes(head[layout.name_bytes :], layout.order)
            length = max(0, told - head_bytes) if layout.own_head else told
            yield head[: layout.name_bytes], at + head_bytes, length
            at += head_bytes + -(-length // layout.padded_to) * layout.padded_to

    def _bytes(self, at: int, count: int) -> bytes:
        self._file.seek(at)
        return self._file.read(count)
