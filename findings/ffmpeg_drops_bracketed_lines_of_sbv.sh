#!/usr/bin/env bash
# Guess: SBV, the plain captions of YouTube, has nothing but times and text, so that a cue "[Music]" is read like any other.
# What happens: FFmpeg reads SBV with its reader of SubViewer, whose times are written alike. There a line that begins
#   with "[" is a header, wherever it stands: the line "[Music]" is not part of the text, and a cue of such a line alone
#   is gone, without a message. In the same captions as SRT, FFmpeg has them. "(Music)" survives in both.
# Versions: FFmpeg 8.1.2 (in PyAV 18.1.0)
# Date: 2026-11-29
# Source: measured here; libavformat/subviewerdec.c
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0
"$folder/venv/bin/python" - <<'PYTHON'
import io

import av

SBV = """0:00:01.000,0:00:03.000
[Music]

0:00:04.000,0:00:06.000
[Ann] Good morning
to all

0:00:07.000,0:00:09.000
(Music)

"""
SRT = """1
00:00:01,000 --> 00:00:03,000
[Music]

2
00:00:04,000 --> 00:00:06,000
[Ann] Good morning
to all

3
00:00:07,000 --> 00:00:09,000
(Music)

"""


def read(text: str) -> tuple[str, list[str]]:
    with av.open(io.BytesIO(text.encode())) as captions:
        shown = [
            subtitle.ass.decode().split(",", 8)[8].replace("\\N", " ")
            for packet in captions.demux(captions.streams.subtitles[0])
            for subtitle in packet.decode()
        ]
        return captions.format.name, shown


print(f"PyAV {av.__version__}, FFmpeg {av.ffmpeg_version_info}")
print(" ", *read(SBV), "\n ", *read(SRT))
assert read(SRT) == ("srt", ["[Music]", "[Ann] Good morning to all", "(Music)"])
assert read(SBV) == ("subviewer", ["to all", "(Music)"]), "the behaviour has changed"
PYTHON
