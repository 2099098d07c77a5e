#!/usr/bin/env bash
# Guess: where packets are missing in the middle of a recording (a muted microphone that sends nothing, a lost
#   connection), faster-whisper's decode_audio hears silence, as a player does; so words keep the times of the player.
# What happens: it joins what it finds. A tone of a second, four seconds of nothing and another tone are 6 s in the
#   container and in every player, and 2 s to decode_audio: all words after the gap are 4 s early in the subtitles.
# Versions: faster-whisper 1.2.1, PyAV 18.1.0 with its own FFmpeg
# Date: 2026-11-30
# Source: measured here
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check faster-whisper==1.2.1 av==18.1.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import io
from fractions import Fraction
from importlib.metadata import version

import av
import numpy as np
from faster_whisper.audio import decode_audio

RATE, FRAME = 48_000, 960
TONE = (0.3 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)


def recording(container: str, codec: str, starts_s: tuple[int, ...]) -> io.BytesIO:
    """Return tones of a second that start at these seconds of the recording's clock."""
    written = io.BytesIO()
    with av.open(written, "w", format=container) as out:
        track = out.add_stream(codec, rate=RATE, layout="mono")
        for at in (start_s * RATE + first for start_s in starts_s for first in range(0, RATE, FRAME)):
            frame = av.AudioFrame.from_ndarray(TONE[None, at % RATE : at % RATE + FRAME], format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
            out.mux(track.encode(frame))
        out.mux(track.encode(None))
    return io.BytesIO(written.getvalue())


print(f"faster-whisper {version('faster-whisper')}, PyAV {version('av')}")
for container, codec in (("webm", "libopus"), ("matroska", "libopus")):
    whole, broken = (recording(container, codec, starts_s) for starts_s in ((0, 1), (0, 5)))
    with av.open(broken) as opened:
        length_s = opened.duration / 1e6
    broken.seek(0)
    heard_s, heard_whole_s = len(decode_audio(broken)) / 16_000, len(decode_audio(whole)) / 16_000
    print(f"  {container}: {length_s:.2f} s by the container, {heard_s:.2f} s heard; without the gap {heard_whole_s:.2f}")
    assert abs(length_s - 6) < 0.1 and abs(heard_whole_s - 2) < 0.1
    assert abs(heard_s - 2) < 0.1, "the behaviour has changed"
PYTHON
