"""Find encryption that FFmpeg does not report.

It hands out the packets as if they were sound. MP4 names encryption where a track is described, Windows Media (ASF) in
the header, and MPEG-TS in each packet.
"""

from collections.abc import Iterator
from typing import BinaryIO
from uuid import UUID

from storage.media import mp4_boxes

ASF_HEADER = UUID("75b22630-668e-11cf-a6d9-00aa0062ce6c").bytes_le
ASF_ENCRYPTION = {
    UUID(each).bytes_le
    for each in (
        "2211b3fb-bd23-11d2-b4b7-00a0c955fc6e",
        "298ae614-2622-4c17-b935-dae07ee9289c",
        "43058533-6981-49e6-9b74-ad12cb86d58c",
    )
}
ASF_FIRST_OBJECT, ASF_OBJECT_HEAD = 30, 24
MOST_HEADER_BYTES = 1 << 20
TS_SYNC, TS_BYTES, TS_LOOK_BYTES = 0x47, 188, 2 << 20
TS_LAYOUTS = ((0, TS_BYTES), (4, TS_BYTES + 4))
"""Where packets start, and how far apart they are: alone, or each behind a time stamp, as cameras write them."""
AUDIO_STREAMS = {0xBD, 0xFD, *range(0xC0, 0xE0)}


def is_encrypted(file: BinaryIO, size_bytes: int) -> bool:
    """Return whether the file's sound is encrypted, by its container."""
    if mp4_boxes.is_mp4(file):
        return mp4_boxes.is_encrypted(file, size_bytes)
    file.seek(0)
    head = file.read(ASF_OBJECT_HEAD)
    if head[:16] == ASF_HEADER:
        return _asf_is_encrypted(head + file.read(min(int.from_bytes(head[16:], "little"), MOST_HEADER_BYTES)))
    if TS_SYNC in {head[at] for at, _ in TS_LAYOUTS if at < len(head)}:
        return _ts_is_encrypted(head + file.read(TS_LOOK_BYTES))
    return False


def _asf_is_encrypted(header: bytes) -> bool:
    at = ASF_FIRST_OBJECT
    while at + ASF_OBJECT_HEAD <= len(header):
        if header[at : at + 16] in ASF_ENCRYPTION:
            return True
        at += max(ASF_OBJECT_HEAD, int.from_bytes(header[at + 16 : at + 24], "little"))
    return False


def _ts_is_encrypted(data: bytes) -> bool:
    """Return whether packets are scrambled, and no sound among them begins in the clear."""
    scrambled = False
    for packet in _ts_packets(data):
        begins, control = packet[1] & 0x40, packet[3]
        payload = packet[4 + (1 + packet[4] if control & 0x20 else 0) :]
        if control & 0xC0:
            scrambled = True
        elif begins and payload[:3] == b"\0\0\1" and payload[3] in AUDIO_STREAMS:
            return False
    return scrambled


def _ts_packets(data: bytes) -> Iterator[bytes]:
    for first, apart in TS_LAYOUTS:
        starts = range(first, len(data) - TS_BYTES + 1, apart)
        if len(starts) > 3 and all(data[at] == TS_SYNC for at in starts[:8]):
            yield from (data[at : at + TS_BYTES] for at in starts if data[at] == TS_SYNC)
            return
