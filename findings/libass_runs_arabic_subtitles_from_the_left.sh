#!/usr/bin/env bash
# Guess: libass, which has FriBidi, takes the direction of a line of Arabic or Hebrew from its letters, as browsers do with
#   WebVTT: the full stop of a sentence stands at its left end.
# What happens: every line runs from the left unless the style says otherwise, so that the full stop of an Arabic sentence
#   stands at the right, before its first word: in SRT and WebVTT, which cannot say otherwise, and in ASS with 1 (any) as
#   Encoding, which most writers use, and even with 178 and 177, which are Arabic and Hebrew. Only -1, a value of libass's
#   own, looks at the letters. So every SRT burnt in by FFmpeg (or shown by mpv) needs force_style=Encoding=-1, or
#   characters for the direction in each line.
# Versions: libass in FFmpeg n9.0.2-17-g2a571b6068 of imageio-ffmpeg 0.8.1, DejaVu Sans of matplotlib 3.11.2
# Date: 2026-11-30
# Source: measured here; found with mpv 0.35.1 on a transcript in Arabic
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check imageio-ffmpeg==0.8.1 matplotlib==3.11.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import subprocess
from importlib.metadata import version
from pathlib import Path

import imageio_ffmpeg
import matplotlib
import numpy as np

FFMPEG, FONTS = imageio_ffmpeg.get_ffmpeg_exe(), Path(matplotlib.get_data_path(), "fonts", "ttf")
WIDTH, HEIGHT, FONT = 640, 120, "FontName=DejaVu Sans,Fontsize=60,Outline=0,Shadow=0"
SAID = {"Arabic": "نعم هذا هو الاجتماع.", "Hebrew": "זו הפגישה הראשונה.", "English": "We meet today."}
SRT = "1\n00:00:00,000 --> 00:00:05,000\n{said}\n"
VTT = "WEBVTT\n\n00:00:00.000 --> 00:00:05.000\n{said}\n"
ASS = """[Script Info]
ScriptType: v4.00+
PlayResX: 640
PlayResY: 120

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, OutlineColour, BackColour, BorderStyle, Outline, Alignment, Encoding
Style: Default,DejaVu Sans,60,&H00FFFFFF,&H00000000,&H00000000,1,0,2,{encoding}

[Events]
Format: Start, End, Style, Text
Dialogue: 0:00:00.00,0:00:05.00,Default,{said}
"""


def stop_of(body: str, ending: str, style: str = "") -> str:
    """Say at which end of the drawn line the lowest mark is."""
    Path(f"said.{ending}").write_text(body, encoding="utf-8")
    filtered = f"subtitles=said.{ending}:fontsdir={FONTS}"
    if style:
        filtered += f":force_style='{style}'"
    film = ("-f", "lavfi", "-i", f"color=c=black:s={WIDTH}x{HEIGHT}:d=1")
    asked = (FFMPEG, "-v", "error", *film, "-vf", filtered, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray", "-")
    pixels = subprocess.run(asked, capture_output=True, check=True).stdout
    ink = np.frombuffer(pixels, np.uint8).reshape(HEIGHT, WIDTH) > 100
    columns = np.flatnonzero(ink.any(axis=0))
    marks = np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)
    left, right = (np.ptp(np.flatnonzero(ink[:, mark].any(axis=1))) for mark in (marks[0], marks[-1]))
    return "left" if left < right else "right"


print(f"imageio-ffmpeg {version('imageio-ffmpeg')}")
for language, said in SAID.items():
    ends = "right" if language == "English" else "left"
    found = {
        "SRT": stop_of(SRT.format(said=said), "srt", FONT),
        "SRT, Encoding=-1": stop_of(SRT.format(said=said), "srt", f"{FONT},Encoding=-1"),
        "WebVTT": stop_of(VTT.format(said=said), "vtt", FONT),
        **{f"ASS, {one}": stop_of(ASS.format(said=said, encoding=one), "ass") for one in (1, 177, 178, -1)},
    }
    print(f"  {language}, full stop: " + "; ".join(f"{name}: {place}" for name, place in found.items()))
    for name, place in found.items():
        assert place == (ends if name.endswith("-1") else "right"), "the behaviour has changed"
PYTHON
