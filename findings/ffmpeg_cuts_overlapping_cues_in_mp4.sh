#!/usr/bin/env bash
# Guess: when FFmpeg puts subtitles into an MP4 (`-c:s mov_text`), as for a player or an upload that wants one file, each
#   cue keeps its start and its end, as it does in Matroska.
# What happens: samples of a track in MP4 follow each other, so a cue ends where the next one starts, and does not come
#   back: of a cue of eight seconds in which somebody else says "Yes" after two, six are gone, and of two people who
#   talk at once the first one's line goes. No warning, exit status 0. Matroska keeps the times.
# Versions: imageio-ffmpeg 0.8.1 with FFmpeg 9.0.2
# Date: 2026-11-30
# Source: measured here; ISO/IEC 14496-12 (sample table), 3GPP TS 26.245 (timed text)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check imageio-ffmpeg==0.8.1 srt==3.5.3
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import subprocess
from datetime import timedelta
from importlib.metadata import version

import imageio_ffmpeg
import srt

CUES = [("Ann tells a long story", 1.0, 9.0), ("Bob: yes", 3.0, 4.0), ("Ann goes on", 10.0, 13.0), ("Bob goes on", 12.0, 14.0)]
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def through(container: str, codec: str) -> list[tuple[str, float, float]]:
    """Return the cues after a way through a container."""
    for arguments in (["-i", "talk.srt", "-c:s", codec, f"talk.{container}"], ["-i", f"talk.{container}", "again.srt"]):
        subprocess.run([FFMPEG, "-v", "warning", "-y", *arguments], check=True)
    with open("again.srt") as file:
        return [(cue.content, cue.start.total_seconds(), cue.end.total_seconds()) for cue in srt.parse(file)]


with open("talk.srt", "w") as file:
    seconds = [(text, timedelta(seconds=start), timedelta(seconds=end)) for text, start, end in CUES]
    file.write(srt.compose(srt.Subtitle(None, start, end, text) for text, start, end in seconds))
print(f"imageio-ffmpeg {version('imageio-ffmpeg')}, FFmpeg {imageio_ffmpeg.get_ffmpeg_version()}")
matroska, mp4 = through("mkv", "subrip"), through("mp4", "mov_text")
for (text, start, end), (_, _, kept), (_, _, cut) in zip(CUES, matroska, mp4, strict=True):
    print(f"  {text}: from {start} s to {end}; from Matroska to {kept}, from MP4 to {cut}")
assert matroska == CUES
assert [text for text, _, _ in mp4] == [text for text, _, _ in CUES]
assert [end for _, _, end in mp4] == [3.0, 4.0, 12.0, 14.0], "the behaviour has changed"
PYTHON
