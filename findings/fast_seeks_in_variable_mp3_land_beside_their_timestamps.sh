#!/usr/bin/env bash
# Guess: an MP3 with a Xing header, as every encoder writes for a variable bit rate, is sought as well as any other format:
#   who asks for 5:05 gets a timestamp near 5:05, and the sound of that timestamp.
# What happens: with FFmpeg's flag `fastseek` the sound is from seconds before its own timestamp, since the header's table
#   has 100 places of one byte each, and nobody corrects the timestamps by what is found there. Without the header it is
#   from anywhere (the first bit rate is taken for all). Chromium sets this flag: `audio.currentTime = t` played sound from
#   0.9 to 2.4 s before t in a podcast-like file of 20 minutes, and 3 to 42 s beside it without the header (Chromium 156, by
#   a rising tone). A constant bit rate is right, and so are AAC, Opus, Vorbis and FLAC in their containers. Transcripts
#   that one reads along with such a file are beside what one hears, after each click and only then.
# Versions: PyAV 18.1.0 with FFmpeg 8
# Date: 2026-11-30
# Source: measured here; libavformat/mp3dec.c, mp3_seek; https://gabriel.mp3-tech.org/mp3infotag
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import av
import numpy as np

RATE, FRAME, LENGTH_S, WINDOW = 44_100, 1152, 720, 32_768
LOWEST_HZ, HZ_PER_S = 300, 4


def write(path: str, encoder: dict[str, str], header: str = "1") -> None:
    """Write a tone that rises with the time; hiss in every third minute takes more bits."""
    random = np.random.default_rng(1)
    with av.open(path, "w", format="mp3", options={"write_xing": header}) as container:
        stream = container.add_stream("libmp3lame", rate=RATE, layout="mono", options=encoder)
        for second in range(LENGTH_S):
            time = second + np.arange(RATE) / RATE
            sound = 0.3 * np.sin(2 * np.pi * (LOWEST_HZ * time + HZ_PER_S * time**2 / 2))
            if second // 60 % 3 == 1:
                sound += 0.15 * random.standard_normal(RATE)
            frame = av.AudioFrame.from_ndarray((np.clip(sound, -1, 1) * 32767).astype("int16")[None], "s16p", "mono")
            frame.sample_rate, frame.pts = RATE, second * RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def beside_s(path: str, asked_s: float, flags: dict[str, str]) -> float:
    """Return how far the sound after a seek is from its own timestamp, by its pitch."""
    sound = np.zeros(0)
    with av.open(path, options=flags) as container:
        container.seek(round(asked_s * 1e6))
        for number, frame in enumerate(container.decode(audio=0)):
            if number == 2:  # the first ones lack what came before them
                begin_s = frame.time
            if number >= 2:
                sound = np.append(sound, frame.to_ndarray()[0])
            if len(sound) >= WINDOW:
                break
    power = np.abs(np.fft.rfft(sound[:WINDOW] * np.hanning(WINDOW)))
    pitch_hz = (200 + int(np.argmax(power[200:]))) * RATE / WINDOW
    return (pitch_hz - LOWEST_HZ) / HZ_PER_S - WINDOW / RATE / 2 - begin_s


print(f"PyAV {version('av')}, FFmpeg's libavformat {'.'.join(map(str, av.library_versions['libavformat']))}")
variable = {"flags": "+qscale", "global_quality": "472"}
off = {}
for name, encoder, header in (
    ("constant", {"b": "64000"}, "1"),
    ("variable", variable, "1"),
    ("variable, no header", variable, "0"),
):
    write("sound.mp3", encoder, header)
    for way, flags in (("exact", {}), ("fastseek", {"fflags": "fastseek"})):
        off[name, way] = [round(beside_s("sound.mp3", asked_s, flags), 1) for asked_s in (35, 140, 305, 500, 670)]
        print(f"  {name}, {way}: sound beside its timestamp by {off[name, way]} s")

assert all(max(map(abs, off[name, "exact"])) < 0.5 for name in ("constant", "variable", "variable, no header"))
assert max(map(abs, off["constant", "fastseek"])) < 0.5
assert max(map(abs, off["variable", "fastseek"])) > 1, "the behaviour has changed"
assert max(map(abs, off["variable, no header", "fastseek"])) > 10, "the behaviour has changed"
PYTHON
