#!/usr/bin/env bash
# Guess: readers of WebVTT give `R&amp;D` and `a &lt; b` as the text "R&D" and "a < b", as browsers do, and writers make
#   references of `&` and `<` again; so a way from WebVTT to SRT or back keeps the words.
# What happens: pysubs2 and webvtt-py leave the references as they are, so that an SRT made by them shows "R&amp;D" on
#   screen, and searches and word counts see other words; of an SRT they write WebVTT with a bare "<", which opens a tag
#   in browsers. pycaption and FFmpeg do both right.
# Versions: pysubs2 1.8.1, webvtt-py 0.6.0, pycaption 2.2.20, PyAV 18.1.0
# Date: 2026-11-30
# Source: measured here; https://www.w3.org/TR/webvtt1/#webvtt-cue-text-parsing-rules
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pysubs2==1.8.1 webvtt-py==0.6.0 pycaption==2.2.20 av==18.1.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version
from pathlib import Path

import av
import pycaption
import pysubs2
import webvtt

TEXT, REFERENCES = "R&D says a < b", "R&amp;D says a &lt; b"
vtt, srt = Path("talk.vtt"), Path("talk.srt")
vtt.write_text(f"WEBVTT\n\n00:01.000 --> 00:02.000\n{REFERENCES}\n")
srt.write_text(f"1\n00:00:01,000 --> 00:00:02,000\n{TEXT}\n")


def by_ffmpeg() -> str:
    with av.open(str(vtt)) as container:
        return next(each.dialogue.decode() for packet in container.demux() for each in packet.decode())


read = {
    "pysubs2": pysubs2.SSAFile.load(str(vtt))[0].plaintext,
    "webvtt-py": webvtt.read(str(vtt))[0].text,
    "pycaption": pycaption.WebVTTReader().read(vtt.read_text()).get_captions("en-US")[0].get_text(),
    "av": by_ffmpeg(),
}
written = {
    "pysubs2": pysubs2.SSAFile.load(str(srt)).to_string("vtt"),
    "webvtt-py": webvtt.from_srt(str(srt)).content,
    "pycaption": pycaption.WebVTTWriter().write(pycaption.SRTReader().read(srt.read_text())),
}
print(", ".join(f"{name} {version(name)}" for name in read))
for name, text in read.items():
    print(f"  WebVTT read by {name}: {text}")
lines = {name: body.strip().splitlines()[-1] for name, body in written.items()}
for name, line in lines.items():
    print(f"  SRT as WebVTT by {name}: {line}")
assert read["pycaption"] == read["av"] == TEXT and lines["pycaption"] == REFERENCES
assert read["pysubs2"] == read["webvtt-py"] == REFERENCES, "the behaviour has changed"
assert lines["pysubs2"] == lines["webvtt-py"] == TEXT, "the behaviour has changed"
PYTHON
