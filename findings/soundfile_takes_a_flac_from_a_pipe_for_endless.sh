#!/usr/bin/env bash
# Guess: a FLAC that was written to a pipe, so that its header says no length, is read to its end, in one call as in
#   blocks; until then its length is 0 or unknown.
# What happens: libsndfile says 9223372036854775807 frames, 18 million years at 16 kHz, and soundfile.read() without
#   a number of frames asks NumPy for as much memory: ValueError, "array is too big". In blocks, whole ones come, and the
#   read that meets the end raises LibsndfileError, "Internal psf_fseek() failed", in place of the last one.
#   So recorders and converters that write to pipes or to a network make files that FFmpeg and browsers read, and who
#   loads them with soundfile (or librosa) in one call does not; sums of durations by soundfile.info() are nonsense.
# Versions: soundfile 0.14.0 with libsndfile 1.2.2, PyAV 18.1.0
# Date: 2026-11-30
# Source: measured here; RFC 9639, 8.2: a total of 0 samples means that it is unknown
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check soundfile==0.14.0 av==18.1.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import io
from fractions import Fraction
from importlib.metadata import version

import av
import numpy as np
import soundfile

RATE, FRAME, LENGTH_S = 16_000, 4608, 3


class Pipe(io.RawIOBase):
    """Something to write to, whose beginning cannot be written again."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        self.data += data
        return len(data)


def flac(out) -> None:
    sound = (9000 * np.sin(np.arange(RATE * LENGTH_S) / 20)).astype(np.int16)
    with av.open(out, "w", format="flac") as opened:
        track = opened.add_stream("flac", rate=RATE, layout="mono")
        for at in range(0, len(sound), FRAME):
            frame = av.AudioFrame.from_ndarray(sound[None, at : at + FRAME], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
            opened.mux(track.encode(frame))
        opened.mux(track.encode(None))


def by_ffmpeg(data: bytes) -> int:
    with av.open(io.BytesIO(data)) as opened:
        return sum(frame.samples for frame in opened.decode(audio=0))


pipe, file = Pipe(), io.BytesIO()
flac(pipe)
flac(file)
piped, whole = bytes(pipe.data), file.getvalue()
print(f"soundfile {version('soundfile')}, {soundfile.__libsndfile_version__}; PyAV {version('av')}")
assert by_ffmpeg(piped) == by_ffmpeg(whole) == len(soundfile.read(io.BytesIO(whole))[0]) == RATE * LENGTH_S
said = soundfile.info(io.BytesIO(piped)).frames
in_blocks, ends = 0, "and ends"
try:
    for block in soundfile.blocks(io.BytesIO(piped), blocksize=RATE - 1):
        in_blocks += len(block)
except soundfile.LibsndfileError as error:
    ends = f"and raises {error}"
try:
    read = str(len(soundfile.read(io.BytesIO(piped))[0]))
except ValueError as error:
    read = f"ValueError, {error}"
print(f"  {RATE * LENGTH_S} samples: FFmpeg {by_ffmpeg(piped)}, info() {said}, blocks() {in_blocks} {ends}")
print(f"  read(): {read}")
assert said == 2**63 - 1 and read.startswith("ValueError"), "the behaviour has changed"
assert in_blocks == (RATE - 1) * LENGTH_S and "raises" in ends, "the behaviour has changed"
PYTHON
