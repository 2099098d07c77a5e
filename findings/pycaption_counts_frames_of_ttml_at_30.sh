#!/usr/bin/env bash
# Guess: in TTML with ttp:frameRate="25", as European broadcasters deliver it, pycaption takes 12 frames for 480 ms and
#   250f for 10 s.
# What happens: it counts 30 frames a second whatever the document says: 12 frames are 400 ms, and 250f are 8.33 s. Cues
#   timed in frames alone run ever earlier, by ten minutes in an hour; those with seconds are off by up to 160 ms. ttconv
#   reads the rate.
# Versions: pycaption 2.2.20, ttconv 1.2.3
# Date: 2026-11-30
# Source: measured here; https://www.w3.org/TR/ttml2/#parameter-attribute-frameRate
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pycaption==2.2.20 ttconv==1.2.3
"$folder/venv/bin/python" - <<'PYTHON'
import xml.etree.ElementTree as ET
from importlib.metadata import version

from pycaption import DFXPReader
from ttconv.imsc import reader

TTML = """<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter" xml:lang="en"
 ttp:frameRate="{rate}"><body><div><p begin="00:00:10:12" end="00:00:12:00">One</p>
<p begin="500f" end="600f">Two</p></div></body></tt>"""


def by_pycaption(text: str) -> list[float]:
    return [caption.start / 1e6 for caption in DFXPReader().read(text).get_captions("en")]


def by_ttconv(text: str) -> list[float]:
    body = reader.to_model(ET.ElementTree(ET.fromstring(text))).get_body()
    return [float(each.get_begin()) for each in body.dfs_iterator() if each.get_begin()]


print(f"pycaption {version('pycaption')}, ttconv {version('ttconv')}")
for rate in (25, 30, 50):
    by_one, by_other = by_pycaption(TTML.format(rate=rate)), by_ttconv(TTML.format(rate=rate))
    print(f"  {rate} frames a second: pycaption starts cues at {by_one} s, ttconv at {by_other}")
    assert [round(each, 3) for each in by_other] == [round(10 + 12 / rate, 3), round(500 / rate, 3)]
    assert [round(each, 3) for each in by_one] == [10.4, 16.667], "the behaviour has changed"
PYTHON
