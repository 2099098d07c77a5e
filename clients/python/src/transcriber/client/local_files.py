"""Files on this machine."""

import hashlib
import os
from pathlib import Path
from typing import IO

from transcriber.client.steps import ReadPart


def read_part(step: ReadPart) -> bytes:
    """Return bytes of a file."""
    with step.path.open("rb") as file:
        file.seek(step.offset)
        return file.read(step.size)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_to_disk(file: IO[bytes]) -> None:
    """Wait until what was written is on the disk."""
    file.flush()
    os.fsync(file.fileno())
