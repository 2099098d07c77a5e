"""Give received recordings the header that they lack."""

from pathlib import Path

from storage.files.upload_store import raise_if_no_room
from storage.media import added_header
from storage.media.added_header import ByteRange
from storage.media.headerless import Headerless

HEADER_BYTES = 128


def give_header(
    path: Path, described: Headerless, name: str, parts: tuple[ByteRange, ...] | None = None
) -> tuple[str, int]:
    """Replace a raw file by the same with a header; return its SHA-256 and size.

    With `parts`, only those are kept.

    Raises:
        StorageFull: the disk has no space for both.
    """
    raise_if_no_room(path.parent, path.stat().st_size + HEADER_BYTES, name)
    target = path.with_suffix(".headed")
    try:
        sha256, size_bytes = added_header.write(path, target, described, parts)
        target.replace(path)
    finally:
        target.unlink(missing_ok=True)
    return sha256, size_bytes
