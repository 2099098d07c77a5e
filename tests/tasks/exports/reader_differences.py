"""What readers show otherwise than it was meant: their own ways with valid files, each with its reason.

The matrix asserts each of them, so that it fails when a reader changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

from tests.tasks.exports.hard_captions import TEXTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One way of a reader with files of a format.

    `words` has what it shows instead of a cue's words, None if it drops the cue; `captions` the first texts that it
    shows of some captions, none if it shows none.
    """

    why: str
    words: Mapping[str, str | None] = field(default_factory=dict)
    captions: Mapping[str, list[str]] = field(default_factory=dict)


ESCAPED = ("angles", "comparison", "tags", "open angle", "arrow", "cue times", "entities", "voice", "xml")
BACKSLASHES_EATEN = {TEXTS["backslashes"]: "the path C: ew\\Home and"}

DIFFERENCES: dict[str, list[Difference]] = {
    "srt-by_ttconv": [
        Difference(why="it decodes HTML's character references in SRT", words={TEXTS["entities"]: "Smith & Sons <b> A"})
    ],
    "vtt-by_mpv": [
        Difference(
            why="FFmpeg escapes `{` for libass; mpv leaves the backslash in the text that it tells programs",
            words={
                TEXTS["braces"]: "and then \\ she left",
                TEXTS["open brace"]: "an open \\{ alone",
                TEXTS["only a brace"]: "\\{",
                TEXTS["overrides"]: "say \\loud\\ now",
            },
        ),
        Difference(why="FFmpeg before 6 leaves `\\n` and `\\h` to libass", words=BACKSLASHES_EATEN),
        Difference(
            why="FFmpeg before 6 ends a voice at a character reference",
            captions={
                "speakers": [*["Yes, I do"] * 4, "& BenYes, I do"],
                "highlighted speakers": [*["Yes, I do"] * 4, "& BenYes, I do"],
                "speakers in marks": ["<b>Yes, I do", "\\Yes, I do"],
            },
        ),
    ],
    "vtt-by_pysubs2": [
        Difference(
            why="it leaves character references as they are",
            words={TEXTS[name]: escape(TEXTS[name], quote=False) for name in ESCAPED},
        ),
        Difference(
            why="it takes braces and backslashes for those of ASS",
            words=BACKSLASHES_EATEN
            | {
                TEXTS["braces"]: "and then she left",
                TEXTS["overrides"]: "say loud now",
            },
        ),
        Difference(why="it takes a line with two times for the times of a cue", words={TEXTS["two times"]: None}),
        Difference(
            why="it does so with the times of words, and shows them where there are more or fewer",
            captions={
                "highlighted": [
                    "I <00:00:00.400>said <00:00:00.800>&lt;inaudible&gt; <00:00:01.200>to <00:00:01.600>him",
                    "and <00:00:10.400>then <00:00:10.800> <00:00:11.200>she <00:00:11.600>left",
                ],
                "highlighted speakers": [],
            },
        ),
    ],
    "vtt-by_ttconv": [
        Difference(
            why="it ends a voice at a character reference, and has no times of words in any other",
            captions={
                "speakers": [*["Yes, I do"] * 4, "v& Ben>Yes, I do"],
                "highlighted speakers": [*["Yes, I do"] * 4, "v& Ben>Yes,", "v& Ben>Yes, I"],
                "speakers in marks": ["v<b>>Yes, I do", "Yes, I do"],
            },
        ),
        Difference(
            why="it shows each word from its time on, as WebVTT says",
            captions={"highlighted": ["I", "I said", "I said <inaudible>"]},
        ),
    ],
    "sbv-by_ffmpeg": [
        Difference(
            why="it takes SBV for SubViewer, where a line that begins with `[` is none of the text",
            words={TEXTS["brackets"]: None},
        )
    ],
}
