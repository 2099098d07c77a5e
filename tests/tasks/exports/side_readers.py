"""Read caption files with packages that cannot share the tests' environment; `caption_readers.py` runs this.

Arguments: reader and format. Files come as a JSON list of base64 texts; the answer is the cues of each file.
"""

import base64
import html
import io
import json
import re
import sys
import warnings
from collections.abc import Iterator

Shown = tuple[int, int, str]
UNDERLINED = re.compile("</?u>")


def by_webvtt(body: bytes, fmt: str) -> Iterator[Shown]:
    import webvtt

    for caption in webvtt.from_buffer(io.StringIO(body.decode("utf-8-sig")), format=fmt).captions:
        text = html.unescape(caption.text) if fmt == "vtt" else UNDERLINED.sub("", caption.text)
        start_ms, end_ms = (
            round((at.hours * 3600 + at.minutes * 60 + at.seconds) * 1000) + at.milliseconds
            for at in (caption.start_time, caption.end_time)
        )
        yield start_ms, end_ms, text


def by_pycaption(body: bytes, fmt: str) -> Iterator[Shown]:
    import pycaption

    reader = {"srt": pycaption.SRTReader, "vtt": pycaption.WebVTTReader, "ttml": pycaption.DFXPReader}[fmt]()
    warnings.simplefilter("ignore")  # of Beautiful Soup, which thinks that TTML is HTML
    try:
        found = reader.read(body.decode("utf-8-sig"))
    except pycaption.CaptionReadNoCaptions:  # so it says that there are none
        return
    for language in found.get_languages():
        for caption in found.get_captions(language):
            yield round(caption.start / 1000), round(caption.end / 1000), UNDERLINED.sub("", caption.get_text())


if __name__ == "__main__":
    read = {"webvtt": by_webvtt, "pycaption": by_pycaption}[sys.argv[1]]
    bodies = map(base64.b64decode, json.load(sys.stdin))
    json.dump([list(read(body, sys.argv[2])) for body in bodies], sys.stdout)
