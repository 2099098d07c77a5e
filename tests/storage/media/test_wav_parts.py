"""WAV files whose headers tell the wrong size, and several in one file."""

import io

import pytest

from storage.media.wav_parts import Patch, WavPart, wav_parts

SAMPLES = bytes(range(1, 100)) * 200


def chunk(kind: bytes, content: bytes, size: int | None = None) -> bytes:
    return kind + (len(content) if size is None else size).to_bytes(4, "little") + content + bytes(len(content) % 2)


def wav(samples: bytes = SAMPLES, *, size: int | None = None, more: bytes = b"", magic: bytes = b"RIFF") -> bytes:
    form = chunk(b"fmt ", b"\1\0\1\0\x80\x3e\0\0\0\x7d\0\0\2\0\x10\0")
    return magic + (0).to_bytes(4, "little") + b"WAVE" + form + chunk(b"data", samples, size) + more


def parts(data: bytes) -> list[WavPart]:
    return wav_parts(io.BytesIO(data), len(data))


def test_a_right_header_is_believed() -> None:
    (part,) = parts(wav(more=chunk(b"LIST", b"INFO" + b"x" * 6000)))
    assert part.announced_bytes == part.samples_bytes == len(SAMPLES)


def test_a_truncated_file_keeps_its_announced_size() -> None:
    (part,) = parts(wav()[:10_000])
    assert part.announced_bytes == len(SAMPLES)
    assert part.samples_bytes == 10_000 - 44


@pytest.mark.parametrize("size", [0, 1000, 0x7FFFF000, 0x7FFFFFFF, 0x80000000 - 44, 0xFFFFFFFF, 0xFFFFFFFF - 36])
def test_samples_go_on_where_the_size_is_wrong_or_unknown(size: int) -> None:
    (part,) = parts(wav(size=size))
    assert part.announced_bytes is None
    assert part.samples_bytes == len(SAMPLES)
    assert part.patches == (Patch(at=40, data=bytes(4)),)  # or else FFmpeg looks for chunks among the samples


def test_a_wrong_size_of_64_bits_is_corrected() -> None:
    head, rest = wav(size=0xFFFFFFFF, magic=b"RF64")[:12], wav(size=0xFFFFFFFF)[12:]
    large = chunk(b"ds64", bytes(8) + (1000).to_bytes(8, "little") + bytes(12))
    (part,) = parts(head + large + rest)
    assert part.announced_bytes is None
    assert part.patches == (Patch(at=28, data=len(SAMPLES).to_bytes(8, "little")),)


def test_only_so_much_is_searched_for_a_next_file() -> None:
    data = wav(2 * SAMPLES, size=0) + wav()
    assert len(wav_parts(io.BytesIO(data), len(data))) == 2
    (part,) = wav_parts(io.BytesIO(data), len(data), look_bytes=1000)
    assert part.end == len(data)


@pytest.mark.parametrize("size", [None, 0, 1000, 0xFFFFFFFF])
def test_wav_files_in_a_row_are_all_found(size: int | None) -> None:
    first = wav(size=size)
    found = parts(first + wav() + wav(SAMPLES[:5000]))
    assert [(part.start, part.samples_bytes) for part in found] == [
        (0, len(SAMPLES)),
        (len(first), len(SAMPLES)),
        (len(first) + len(wav()), 5000),
    ]


def test_sizes_of_64_bits_are_read() -> None:
    head, rest = wav(size=0xFFFFFFFF, magic=b"RF64")[:12], wav(size=0xFFFFFFFF)[12:]
    large = chunk(b"ds64", (0).to_bytes(8, "little") + len(SAMPLES).to_bytes(8, "little") + bytes(12))
    (part,) = parts(head + large + rest)
    assert part.announced_bytes == len(SAMPLES)


def test_a_few_bytes_behind_the_samples_are_no_sound() -> None:
    (part,) = parts(wav() + b"TAG" + bytes(125))
    assert part.announced_bytes == len(SAMPLES)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"fLaC" + bytes(100), b"RIFF\0\0\0\0AVI " + bytes(100), wav()[:30]])
def test_anything_else_is_left_to_ffmpeg(data: bytes) -> None:
    assert parts(data) == []
