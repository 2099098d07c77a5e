#!/usr/bin/env bash
# Guess: a subtitle's text is text: a line such as "from 00:00:01.000 to 00:00:02.500" is read as it stands, and so are
#   the words of a WebVTT cue in which two of them carry the time at which they are spoken.
# What happens: pysubs2 takes every line with exactly two times for the line that starts a cue, with or without an arrow.
#   In SRT and WebVTT the words of that line are gone, its cue is empty, and an empty cue with the two times is added. In
#   WebVTT with word times, a cue of three words (the first has no time of its own) loses all of them; one of two or of
#   four words keeps them. srt, which looks for the arrow, reads the first.
# Versions: pysubs2 1.8.1, srt 3.5.3
# Date: 2026-11-29
# Source: measured here; pysubs2/formats/subrip.py (`if len(stamps) == 2: # timestamp line`); for text with clock times
#   https://github.com/tkarabela/pysubs2/pull/115 (closed); https://www.w3.org/TR/webvtt1/#webvtt-cue-timestamp
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pysubs2==1.8.1 srt==3.5.3
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import pysubs2
import srt

SRT = """1
00:00:10,000 --> 00:00:12,000
from 00:00:01.000 to 00:00:02.500

2
00:00:20,000 --> 00:00:22,000
and on
"""
VTT = """WEBVTT

00:00:10.000 --> 00:00:12.000
Yes, <00:00:10.400>I <00:00:10.800>do

00:00:20.000 --> 00:00:22.000
and <00:00:20.400>on
"""


def read(text: str) -> list[tuple[int, int, str]]:
    return [(event.start, event.end, event.plaintext.strip()) for event in pysubs2.SSAFile.from_string(text)]


print(f"pysubs2 {version('pysubs2')}, srt {version('srt')}")
print("  SRT:", read(SRT), "\n  WebVTT:", read(VTT), "\n  srt:", [cue.content for cue in srt.parse(SRT)])
assert [cue.content for cue in srt.parse(SRT)] == ["from 00:00:01.000 to 00:00:02.500", "and on"]
assert read(SRT) == [(10_000, 12_000, ""), (1_000, 2_500, ""), (20_000, 22_000, "and on")], "SRT: it has changed"
words = " ".join(text for _, _, text in read(VTT))
assert "Yes" not in words, "WebVTT: the three words are read"
assert "and" in words, "WebVTT: the two words are gone"
PYTHON
