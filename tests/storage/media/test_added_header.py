"""Recordings get headers that independent readers understand."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from storage.domain.errors import EmptyUpload
from storage.media import added_header
from storage.media.added_header import ByteRange, with_header
from storage.media.headerless import Headerless, InputFormat
from storage.media.probe import check
from storage.media.wav_parts import wav_parts

SAMPLES = np.arange(-3000, 3000, dtype=np.int16).reshape(-1, 2)
SECONDS = 3
PCM = {InputFormat.S16LE: "<i2", InputFormat.S16BE: ">i2", InputFormat.F32LE: "<f4"}


def sound(rate_hz: int, channels: int) -> np.ndarray:
    """Return a sweep as float64, shape (n, channels), each channel at a level of its own."""
    times = np.arange(SECONDS * rate_hz) / rate_hz
    return np.stack([np.sin(times * (600 + 300 * times)) * 0.5 / (1 + each) for each in range(channels)], axis=1)


def raw_bytes(path: Path, said: Headerless) -> bytes:
    """Return the sound in a format, as other programs write it without a header."""
    samples = sound(said.rate_hz, said.channels)
    if said.format in PCM:
        scale = 1 if said.format is InputFormat.F32LE else 32767
        return (samples * scale).astype(PCM[said.format]).tobytes()
    if said.format is InputFormat.G722:
        return b"".join(bytes(packet) for packet in g722(samples))
    subtype = {"s24le": "PCM_24", "alaw": "ALAW", "mulaw": "ULAW", "gsm": "GSM610"}[said.format]
    soundfile.write(path, samples, said.rate_hz, format="RAW", subtype=subtype, endian="LITTLE")
    return path.read_bytes()


def g722(samples: np.ndarray) -> Iterator[Any]:
    encoder: Any = av.Codec("g722", "w").create()
    encoder.sample_rate, encoder.layout, encoder.format = 16_000, "mono", "s16"
    for at in range(0, len(samples), 320):
        frame = av.AudioFrame.from_ndarray((samples[at : at + 320].T * 32767).astype(np.int16), "s16", "mono")
        frame.sample_rate, frame.pts = 16_000, at
        yield from encoder.encode(frame)


def heard(path: Path) -> np.ndarray:
    """Return the samples as float64, shape (n, channels), as FFmpeg reads the file."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="dbl")
        blocks = [part.to_ndarray() for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        return np.concatenate(blocks, axis=1).reshape(-1, container.streams.audio[0].channels)


@pytest.mark.parametrize(
    ("fmt", "rate_hz", "channels", "error"),
    [
        ("s16le", 22_050, 2, 1e-4),
        ("s16be", 8_000, 1, 1e-4),
        ("s24le", 48_000, 3, 1e-6),
        ("f32le", 44_100, 2, 1e-6),
        ("alaw", 8_000, 2, 0.02),
        ("mulaw", 16_000, 1, 0.02),
        ("g722", 16_000, 1, 0.1),
        ("gsm", 8_000, 1, 1e-3),
    ],
)
def test_every_format_is_read_as_it_was_written(
    tmp_path: Path, fmt: str, rate_hz: int, channels: int, error: float
) -> None:
    said = Headerless(format=InputFormat(fmt), rate_hz=rate_hz, channels=channels)
    (tmp_path / f"call.{fmt}").write_bytes(raw_bytes(tmp_path / "raw", said))
    with with_header(tmp_path / f"call.{fmt}", said) as path:
        assert path.name == said.name_with_header("call")
        info = check(path, path.name, max_hours=1)
        found = heard(path)
    codec = {"s16be": "pcm_s16le", "g722": "g722", "gsm": "gsm"}.get(fmt, f"pcm_{fmt}")
    assert (info.codec, info.sample_rate_hz, info.channels) == (codec, rate_hz, channels)
    assert info.duration_s == pytest.approx(SECONDS, abs=0.001)
    expected = sound(rate_hz, channels)
    if fmt == "gsm":  # changes waves much, but every decoder has to give the same samples
        expected = soundfile.read(
            tmp_path / "raw", format="RAW", subtype="GSM610", samplerate=8000, channels=1, always_2d=True
        )[0]
    assert len(found) == len(expected)
    delay = 22 if fmt == "g722" else 0  # of its filters
    assert np.abs(found[delay:] - expected[: len(expected) - delay]).max() < error


def test_bytes_of_a_block_that_was_cut_off_are_left_out(tmp_path: Path) -> None:
    raw, whole = tmp_path / "raw", {"s24le": 12, "gsm": 66, "alaw": 6, "g722": 7}
    for fmt, kept in whole.items():
        said = Headerless(format=InputFormat(fmt), rate_hz=8000, channels=1 if fmt in {"gsm", "g722"} else 2)
        raw.write_bytes(bytes(kept) + (b"" if fmt == "g722" else b"\1"))
        sha256, size_bytes = added_header.write(raw, tmp_path / "out", said)
        written = (tmp_path / "out").read_bytes()
        assert (sha256, size_bytes) == (hashlib.sha256(written).hexdigest(), len(written))
        assert b"\1" not in written[-kept:]
        if said.format.spec.extension == "wav":  # chunks have even sizes, and the sizes say what is there
            assert int.from_bytes(written[4:8], "little") == len(written) - 8
            assert len(written) % 2 == 0
            at = written.index(b"data") + 4
            assert int.from_bytes(written[at : at + 4], "little") == kept


@pytest.mark.parametrize("fmt", InputFormat)
def test_less_than_a_block_is_empty(tmp_path: Path, fmt: InputFormat) -> None:
    (tmp_path / "raw").touch()
    said = Headerless(format=fmt, rate_hz=8000)
    with with_header(tmp_path / "raw", said) as path, pytest.raises(EmptyUpload):
        check(path, path.name, max_hours=1)


def test_parts_follow_each_other(tmp_path: Path) -> None:
    raw, wav = tmp_path / "raw", tmp_path / "wav"
    raw.write_bytes(SAMPLES.tobytes())
    parts = (ByteRange(start=0, end=400), ByteRange(start=8000, end=8400))
    added_header.write(raw, wav, Headerless(rate_hz=8000, channels=2), parts)
    found, _ = soundfile.read(wav, dtype="int16")
    assert np.array_equal(found, np.concatenate([SAMPLES[:100], SAMPLES[2000:2100]]))


@pytest.mark.parametrize(("fmt", "sample_bytes"), [("s16le", 2), ("alaw", 1)])
def test_a_file_above_4_gib_has_64_bit_sizes(tmp_path: Path, fmt: str, sample_bytes: int) -> None:
    size_bytes, path = 5 * 2**30, tmp_path / "large"
    header = added_header.wav_header(Headerless(format=InputFormat(fmt), rate_hz=48_000), size_bytes)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + size_bytes)
    with path.open("rb") as file:
        (part,) = wav_parts(file, path.stat().st_size)
    assert (part.samples_start, part.announced_bytes) == (len(header), size_bytes)
    assert soundfile.info(path).frames == size_bytes // sample_bytes
