#!/usr/bin/env bash
# Guess: in XML a prefix is only a name for a namespace: TTML with <tt:p> and TTML with <p> are the same captions.
# What happens: pycaption's reader of TTML (DFXPReader) looks for the name "p" as it is written. In a file with prefixes,
#   as the examples of EBU-TT-D have them and many broadcasters write them, it finds nothing, and refuses the file as
#   "empty caption file". The same file without prefixes is read; ttconv reads both alike.
# Versions: pycaption 2.3.14, ttconv 1.2.3
# Date: 2026-11-29
# Source: measured here; https://github.com/pbs/pycaption/issues/213 (closed); EBU Tech 3380 for the form of the file
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pycaption==2.3.14 ttconv==1.2.3
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import xml.etree.ElementTree as ET
from importlib.metadata import version

import pycaption
from ttconv.imsc import reader as imsc_reader
from ttconv.isd import ISD

PREFIXED = """<?xml version="1.0" encoding="UTF-8"?>
<tt:tt xmlns:tt="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter"
  xmlns:tts="http://www.w3.org/ns/ttml#styling" ttp:timeBase="media" ttp:cellResolution="32 15" xml:lang="en">
  <tt:head>
    <tt:styling><tt:style xml:id="s" tts:color="#ffffff"/></tt:styling>
    <tt:layout><tt:region xml:id="r" tts:origin="10% 10%" tts:extent="80% 80%"/></tt:layout>
  </tt:head>
  <tt:body><tt:div>
    <tt:p xml:id="c1" region="r" begin="00:00:01.000" end="00:00:03.000"><tt:span style="s">Good morning</tt:span></tt:p>
  </tt:div></tt:body>
</tt:tt>
"""
PLAIN = PREFIXED.replace("xmlns:tt=", "xmlns=").replace("<tt:", "<").replace("</tt:", "</")


def by_pycaption(text: str) -> str:
    try:
        (caption,) = pycaption.DFXPReader().read(text).get_captions("en")
    except pycaption.CaptionReadNoCaptions as error:
        return f"refused: {error}"
    return caption.get_text()


def moments_of_ttconv(text: str) -> list[float]:
    document = imsc_reader.to_model(ET.ElementTree(ET.fromstring(text)))
    return [float(moment) for moment in ISD.significant_times(document)]


print(f"pycaption {version('pycaption')}, ttconv {version('ttconv')}")
print("  with prefixes:", by_pycaption(PREFIXED), "\n  without:", by_pycaption(PLAIN))
assert moments_of_ttconv(PREFIXED) == moments_of_ttconv(PLAIN), "ttconv reads them differently"
assert by_pycaption(PLAIN) == "Good morning"
assert by_pycaption(PREFIXED).startswith("refused"), "the behaviour has changed"
PYTHON
