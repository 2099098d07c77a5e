"""Transcripts that are hard to write as captions, each under a name."""

from dataclasses import replace

from storage.domain.records import CueLimits, Transcript
from tests.tasks.exports.test_writers import said, transcript

Captions = tuple[Transcript, CueLimits]

DAY_S = 24 * 3600.0
DIGITS = "1984" * 10  # as wide as a line
TEXTS = {
    "angles": "I said <inaudible> to him",
    "braces": "and then {laughs} she left",
    "brackets": "[Music] or so",
    "comparison": "where a < b && c > d it holds",
    "tags": "<3 and <b>bold</b> & more",
    "open angle": "an open < alone",
    "open brace": "an open { alone",
    "arrow": "from here --> to there",
    "two times": "from 00:00:01.000 to 00:00:02.500 sharp",
    "cue times": "00:00:01,000 --> 00:00:02,000",
    "dashes": "- Yes. - No, not - at all",
    "note": "NOTE this",
    "style": "STYLE of mine",
    "region": "REGION of ours",
    "webvtt": "WEBVTT is a format",
    "digits": "1984",
    "entities": "Smith &amp; Sons &lt;b&gt; &#65;",
    "backslashes": "the path C:\\new\\Home and \\h",
    "overrides": "say {\\b1}loud{\\b0} now",
    "empty lines": "one\n\n\ntwo",
    "control characters": "a\x00b \x1b c",
    "no characters": "a\ufffeb \ud800 c\uffffd \ufdd0",
    "line separators": "one\u2028two\u2029three\x85four\x1efive",
    "form feeds": "one\x0btwo\x0cthree",
    "xml": "<?xml version='1.0'?> <!-- no --> <![CDATA[ x ]]>",
    "last backslash": "it is C:\\",
    "only a brace": "{",
    "joined emoji": "family 👩\u200d👩\u200d👧 and 🏳️\u200d🌈",
    "directions": "\u200eabc\u200f \u202babc\u202c",
    "voice": "<v Ann> she said </v>",
    "arabic": "قالَ: نعم، 3 مرات؟",
    "hebrew": "שלום, אמר 42 פעמים!",
    "persian": "می‌خواهم بروم",
    "thai": "ภาษาไทยไม่มีช่องว่างระหว่างคำ ที่นี่",
    "lao": "ພາສາລາວບໍ່ມີຍະຫວ່າງລະຫວ່າງຄຳ",
    "burmese": "မြန်မာဘာသာစကားဖြစ်သည်",
    "khmer": "ភាសាខ្មែរគ្មានដកឃ្លារវាងពាក្យ",
    "marks": "e\u0301le\u0300ve n\u0303 Z\u0351\u036b\u0343",
    "japanese": "今日はとても良い天気ですね、明日も晴れるでしょうか。",
    "beyond 16 bits": "𝒳 plus 𐐷 and 𠮷野家",
    "long word": "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
}


def captions() -> dict[str, Captions]:
    """Return every hard transcript, with the limits to write it with."""
    all_texts = transcript(*(said(text, start_s=10.0 * at) for at, text in enumerate(TEXTS.values())))
    speakers = in_turn("Ann, B", "NOTE", "WEBVTT", "1984", "Ann & Ben")
    return {name: (three_times(text), CueLimits()) for name, text in TEXTS.items()} | {
        "digits in the last line": (in_two_lines(), CueLimits()),
        "speakers": (speakers, CueLimits()),
        "speakers in marks": (in_turn("Ann <b>", "{Ben}"), CueLimits()),
        "overlapping": (overlapping(), CueLimits()),
        "no time": (transcript(said("Now", word_s=0.0), said("then", start_s=9.0, word_s=0.0001)), CueLimits()),
        "after a day": (after_a_day(), CueLimits()),
        "two languages": (in_two_languages(), CueLimits()),
        "silence": (transcript(), CueLimits()),
        "byte order mark": (three_times("Größe zählt"), CueLimits(byte_order_mark=True)),
        "highlighted": (all_texts, CueLimits(highlight_words=True)),
        "highlighted speakers": (speakers, CueLimits(highlight_words=True)),
    }


def three_times(text: str) -> Transcript:
    """Return a transcript that begins and ends with the text, which stands in the middle of it, too."""
    return transcript(*(said(part, start_s=10.0 * at) for at, part in enumerate((text, "Then", text, "and", text))))


def in_two_lines() -> Transcript:
    return transcript(said(f"its number is {DIGITS}"), said(f"or else {DIGITS}", start_s=20.0))


def after_a_day() -> Transcript:
    return transcript(said("Good evening", start_s=1.5 * DAY_S), said("and on", start_s=4 * DAY_S))


def in_turn(*speakers: str) -> Transcript:
    return transcript(*(said("Yes, I do", start_s=5.0 * at, speaker=name) for at, name in enumerate(speakers)))


def overlapping() -> Transcript:
    """Return a long speech with another inside it, and a third that begins in it and ends after it."""
    return transcript(
        said("all the while", start_s=0.0, word_s=2.0, speaker="Ann"),
        said("yes yes", start_s=2.5, speaker="Ben"),
        said("and so on", start_s=5.5, speaker="Cy"),
    )


def in_two_languages() -> Transcript:
    english, german = said("Good morning to all"), said("Guten Morgen an alle", start_s=9.0)
    return transcript(replace(english, language="en"), replace(german, language="de"))
