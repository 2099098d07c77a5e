"""Write cues as EBU-TT-D, the TTML of broadcasters and streams (https://tech.ebu.ch/publications/tech3380)."""

import re
from collections.abc import Sequence
from html import escape

from tasks.exports.cues import Cue, text_of
from tasks.exports.srt_vtt import LANGUAGE_TAG, vtt_timestamp

NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter" \
xmlns:tts="http://www.w3.org/ns/ttml#styling" xmlns:ebuttm="urn:ebu:tt:metadata" \
ttp:timeBase="media" ttp:cellResolution="32 15" xml:lang="{language}">
  <head>
    <metadata>
      <ebuttm:documentMetadata>
        <ebuttm:conformsToStandard>urn:ebu:tt:distribution:2018-04</ebuttm:conformsToStandard>
      </ebuttm:documentMetadata>
    </metadata>
    <styling>
      <style xml:id="paragraph" tts:fontFamily="proportionalSansSerif" tts:fontSize="100%" tts:lineHeight="125%" \
tts:textAlign="center"/>
      <style xml:id="fromRight" tts:direction="rtl"/>
      <style xml:id="text" tts:color="#ffffff" tts:backgroundColor="#000000c2"/>
    </styling>
    <layout>
      <region xml:id="bottom" tts:origin="10% 10%" tts:extent="80% 80%" tts:displayAlign="after"/>
    </layout>
  </head>
  <body>
    <div>
"""
TAIL = """\
    </div>
  </body>
</tt>
"""


def ttml(cues_found: Sequence[Cue], *, language: str | None) -> str:
    """Return cues as EBU-TT-D in this language; those in another one say so.

    Without a language, all are translated to English.
    """
    paragraphs = (
        _paragraph(number, cue, language=cue.language if language != cue.language and language else None)
        for number, cue in enumerate(cues_found, 1)
    )
    return HEAD.format(language=_tag(language or "en")) + "".join(paragraphs) + TAIL


def xml_text(text: str) -> str:
    """Return the text without characters that XML cannot contain."""
    return NOT_IN_XML.sub("", text)


def _paragraph(number: int, cue: Cue, *, language: str | None) -> str:
    texts = [escape(text, quote=False) for words in cue.lines if (text := xml_text(text_of(words)))] or ["…"]
    lines = "<br/>".join(f'<span style="text">{text}</span>' for text in texts)
    times = f'begin="{vtt_timestamp(cue.start_s)}" end="{vtt_timestamp(cue.end_s)}"'
    style = "paragraph fromRight" if cue.right_to_left else "paragraph"
    other = f' xml:lang="{tag}"' if (tag := _tag(language)) else ""
    return f'      <p xml:id="cue{number}" region="bottom" style="{style}" {times}{other}>{lines}</p>\n'


def _tag(language: str | None) -> str:
    return language if language and LANGUAGE_TAG.fullmatch(language) else ""
