"""The header of an MP3 file, a first frame with its length.

See https://gabriel.mp3-tech.org/mp3infotag.
"""

from enum import Enum
from pathlib import Path

HEAD_BYTES = 4096


class Mp3Header(Enum):
    """A header that says the length; encoders write `Info` where the bit rate is constant."""

    CONSTANT_RATE = b"Info"
    VARIABLE_RATE = b"Xing"
    VARIABLE_RATE_OF_FRAUNHOFER = b"VBRI"


def mp3_header(path: Path) -> Mp3Header | None:
    """Return the header of an MP3 file if it says how long the file is."""
    with path.open("rb") as opened:
        head = opened.read(10)
        if head[:3] == b"ID3":
            opened.seek(10 + int("".join(f"{byte & 0x7F:07b}" for byte in head[6:10]), 2))
        else:
            opened.seek(0)
        frame = opened.read(HEAD_BYTES)
        size = path.stat().st_size - opened.tell() + len(frame)
    for header in Mp3Header:
        at = frame.find(header.value, 0, HEAD_BYTES // 8)
        if at >= 0:
            return header if _says_length(frame[at:], size, header) else None
    return None


def _says_length(head: bytes, size: int, header: Mp3Header) -> bool:
    """Return whether an MP3 header says how many frames there are.

    A program that writes to a pipe leaves 0. FFmpeg guesses where the file is larger than its header says, as one that
    others were appended to.
    """
    is_vbri = header is Mp3Header.VARIABLE_RATE_OF_FRAUNHOFER
    has_frames, has_bytes = (True, True) if is_vbri else (bool(head[7] & 1), bool(head[7] & 2))
    frames_at, bytes_at = (14, 10) if is_vbri else (8, 12)
    said = int.from_bytes(head[bytes_at : bytes_at + 4]) if has_bytes else size
    return has_frames and any(head[frames_at : frames_at + 4]) and size - said <= said >> 4
