#!/usr/bin/env bash
# Guess: in WebVTT the voice of "Ann & Ben" is written <v Ann &amp; Ben>, as the standard has it, and a reader that knows
#   voices shows the words after it alone.
# What happens: ttconv ends the tag at the character reference and shows the rest of it as words: "v& Ben>Yes, I do". So
#   captions of two people under one name gain a piece of it when they are converted. With "Ann and Ben" it does not.
#   webvtt-py reads both.
# Versions: ttconv 1.2.3, webvtt-py 0.6.0
# Date: 2026-11-29
# Source: measured here; https://www.w3.org/TR/webvtt1/#webvtt-cue-span-start-tag-annotation-text
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ttconv==1.2.3 webvtt-py==0.6.0
"$folder/venv/bin/python" - <<'PYTHON'
import io
from importlib.metadata import version

import webvtt
from ttconv.isd import ISD
from ttconv.model import Text
from ttconv.vtt import reader

VTT = "WEBVTT\n\n00:00:01.000 --> 00:00:03.000\n<v {}>Yes, I do\n"


def by_ttconv(text: str) -> str:
    frame = ISD.from_model(reader.to_model(io.StringIO(text)), 1)
    parts = (each for region in frame.iter_regions() for each in region.dfs_iterator())
    return "".join(part.get_text() for part in parts if isinstance(part, Text))


def by_webvtt(text: str) -> str:
    (caption,) = webvtt.from_buffer(io.StringIO(text)).captions
    return caption.text


print(f"ttconv {version('ttconv')}, webvtt-py {version('webvtt-py')}")
with_and, with_mark = VTT.format("Ann and Ben"), VTT.format("Ann &amp; Ben")
print(f"  ttconv: {by_ttconv(with_and)!r}, {by_ttconv(with_mark)!r}; webvtt-py: {by_webvtt(with_mark)!r}")
assert by_ttconv(with_and) == by_webvtt(with_and) == by_webvtt(with_mark) == "Yes, I do"
assert by_ttconv(with_mark) == "v& Ben>Yes, I do", "the behaviour has changed"
PYTHON
