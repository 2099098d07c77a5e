"""Audio for tests, and helpers to write it into containers."""

from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import soundfile
from av.audio import AudioStream
from av.container import OutputContainer
from av.video import VideoStream
from numpy.typing import NDArray

from storage.domain.records import FileNote
from tasks.audio.channels import Mixer
from tasks.audio.decode import PATIENCE, Decoding, Patience

RATE_HZ = 16_000
CODED_HZ = 48_000
Samples = NDArray[np.float32]


def tone(seconds: float, hz: float = 440.0, rate_hz: int = RATE_HZ, level: float = 0.3) -> Samples:
    """Return a sine, float32 mono."""
    samples = round(seconds * rate_hz)
    repeated = min(samples, rate_hz) if float(hz).is_integer() else samples  # whole waves fit into a second
    times = np.arange(repeated) / rate_hz
    return np.resize((level * np.sin(2 * np.pi * hz * times)).astype(np.float32), samples)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE_HZ), dtype=np.float32)


def read_wav(path: Path) -> Samples:
    samples, rate_hz = soundfile.read(path, dtype="float32")
    assert rate_hz == RATE_HZ
    return np.asarray(samples, dtype=np.float32)


def decoded(
    path: Path, *, track: int | None = None, notes: list[FileNote] | None = None, patience: Patience = PATIENCE
) -> Samples:
    """Decode a track as float32 mono at 16 kHz; `notes` then says what is missing."""
    with Decoding(path, name=path.name, track=track, patience=patience) as decoding:
        mixer = Mixer(decoding.channel_names)
        samples = np.concatenate([mixer.mono(block) for block in decoding.blocks()])
    if notes is not None:
        notes += decoding.notes
    return samples


def write_wav(path: Path, samples: Samples, rate_hz: int = RATE_HZ) -> Path:
    soundfile.write(path, samples, rate_hz, subtype="PCM_16")
    return path


def write_media(
    path: Path,
    tracks: list[Samples],
    *,
    codec: str = "aac",
    picture: bool = False,
    start_s: float = 0.0,
    muxer: dict[str, str] | None = None,
    encoder: dict[str, str] | None = None,
) -> Path:
    """Write a container with these mono tracks, and two seconds of black if `picture`.

    `muxer` and `encoder` are FFmpeg's options.
    """
    with av.open(str(path), "w", options=muxer) as container:
        images = picture_stream(container) if picture else None
        streams = [container.add_stream(codec, rate=CODED_HZ, layout="mono", options=encoder) for _ in tracks]
        if images is not None:
            show(container, images, 2.0)
        for stream, samples in zip(streams, tracks, strict=True):
            play(container, cast(AudioStream, stream), samples, start_s)
    return path


def play(container: OutputContainer, stream: AudioStream, samples: Samples, start_s: float) -> None:
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout="mono")
    frame.sample_rate = RATE_HZ
    size = stream.codec_context.frame_size or None
    resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=CODED_HZ, frame_size=size)
    done = round(start_s * CODED_HZ)
    for part in (frame, None):
        for out in resampler.resample(part):
            out.pts, out.time_base = done, Fraction(1, CODED_HZ)
            done += out.samples
            container.mux(stream.encode(out))
    container.mux(stream.encode(None))


def picture_stream(container: OutputContainer) -> VideoStream:
    stream = container.add_stream("mpeg4", rate=10)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    return stream


def show(container: OutputContainer, stream: VideoStream, seconds: float) -> None:
    for number in range(round(seconds * 10)):
        frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), dtype=np.uint8), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, 10)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
