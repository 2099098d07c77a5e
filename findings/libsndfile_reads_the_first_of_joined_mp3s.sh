#!/usr/bin/env bash
# Guess: MP3s joined one behind the other, as dictation devices and radio recorders write them, are read to their end.
# What happens: libsndfile (soundfile, and librosa on top of it) believes the number of frames in the header of the first,
#   ends there and says nothing: of three files of 3 s it reads 3 s. Who makes transcripts from what it reads loses all
#   that follows. FFmpeg meets the second header, and reads on.
# Versions: soundfile 0.14.0 with libsndfile 1.2.2, PyAV 18.1.0
# Date: 2026-11-30
# Source: measured here
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check soundfile==0.14.0 av==18.1.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import io
from fractions import Fraction
from importlib.metadata import version

import av
import numpy as np
import soundfile

RATE, FRAME, LENGTH_S, FILES = 48_000, 960, 3, 3


def mp3(hz: int) -> bytes:
    """Return a tone as an MP3 without tags."""
    sound = (0.3 * np.sin(2 * np.pi * hz * np.arange(RATE * LENGTH_S) / RATE)).astype(np.float32)
    written = io.BytesIO()
    with av.open(written, "w", format="mp3", options={"id3v2_version": "0"}) as out:
        track = out.add_stream("libmp3lame", rate=RATE, layout="mono")
        for at in range(0, len(sound), FRAME):
            frame = av.AudioFrame.from_ndarray(sound[None, at : at + FRAME], format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
            out.mux(track.encode(frame))
        out.mux(track.encode(None))
    return written.getvalue()


def by_soundfile(joined: bytes) -> float:
    sound, rate = soundfile.read(io.BytesIO(joined))
    return len(sound) / rate


def by_ffmpeg(joined: bytes) -> float:
    with av.open(io.BytesIO(joined)) as opened:
        return sum(frame.samples / frame.sample_rate for frame in opened.decode(audio=0))


print(f"soundfile {version('soundfile')}, {soundfile.__libsndfile_version__}; PyAV {version('av')}")
joined = b"".join(mp3(300 * (1 + number)) for number in range(FILES))
print(f"  {FILES} times {LENGTH_S} s: soundfile {by_soundfile(joined):.2f} s, FFmpeg {by_ffmpeg(joined):.2f} s")
assert abs(by_ffmpeg(joined) - FILES * LENGTH_S) < 0.3 and abs(by_soundfile(mp3(300)) - LENGTH_S) < 0.1
assert abs(by_soundfile(joined) - LENGTH_S) < 0.1, "the behaviour has changed"
PYTHON
