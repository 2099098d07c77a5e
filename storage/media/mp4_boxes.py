"""Read the boxes of an MP4 or QuickTime file, for its index and encryption.

FFmpeg calls a file without an index invalid data, and hands out encrypted sound as if it could be decoded.
"""

from collections.abc import Iterator
from typing import BinaryIO

FIRST = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}
INDEX = {b"moov", b"moof"}
PATH = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
HEAD_BYTES, STSD_HEAD_BYTES = 8, 16
ENCRYPTED = {b"enca", b"drms", b"aavd"}
MOST_BOXES = 10_000


def is_mp4(file: BinaryIO) -> bool:
    """Return whether the file starts with a box of this format."""
    file.seek(4)
    return file.read(4) in FIRST


def has_index(file: BinaryIO, size_bytes: int) -> bool:
    """Return whether the file says where its samples are."""
    return any(kind in INDEX for kind, _, _ in _boxes(file, 0, size_bytes))


def is_encrypted(file: BinaryIO, size_bytes: int) -> bool:
    """Return whether a track's sound is encrypted."""
    return any(kind in ENCRYPTED for kind in _formats(file, 0, size_bytes, PATH))


def _formats(file: BinaryIO, start: int, end: int, path: tuple[bytes, ...]) -> Iterator[bytes]:
    """Yield the formats of the samples, at the end of a path of boxes."""
    for kind, at, behind in _boxes(file, start, end):
        if not path:
            yield kind
        elif kind == path[0]:
            head = HEAD_BYTES if path[1:] else STSD_HEAD_BYTES
            yield from _formats(file, at + head, behind, path[1:])


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each box, where it starts and where it ends."""
    at = start
    for _ in range(MOST_BOXES):
        file.seek(at)
        head = file.read(16)
        if at + 8 > end or len(head) < 8:
            return
        size = int.from_bytes(head[:4])
        if size == 1 and len(head) == 16:
            size = int.from_bytes(head[8:])
        behind = end if size == 0 else at + size
        if behind < at + 8:
            return
        yield head[4:8], at, min(behind, end)
        at = behind
