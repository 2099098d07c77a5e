"""The export formats: one `FormatSpec` each, with everything that the program needs to know.

A new format is a member here and a case in `tasks.exports.writers.write`, which mypy requires.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

NO_SETTINGS: frozenset[str] = frozenset()
SPEAKERS = frozenset({"speakers"})
TEXT = frozenset({"byte_order_mark"})
CUES = SPEAKERS | {
    "max_line_width",
    "max_line_count",
    "min_duration_s",
    "max_duration_s",
    "max_chars_per_s",
    "min_gap_s",
}
ALL_SETTINGS = CUES | TEXT | {"highlight_words"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatSpec:
    """The facts of an export format; `settings` are the fields of `CueLimits` that affect it."""

    extension: str
    media_type: str
    label: str
    settings: frozenset[str]
    usual: bool = False  # written when a job that requested no formats ends
    shared: bool = False  # offered to visitors of a share link
    archive: bool = False  # contains the files of all other formats
    timed: bool = True  # says when each text is said, so it cannot be had of a text without times


class ExportFormat(StrEnum):
    """The export formats of a finished job; `zip` contains all the others."""

    spec: FormatSpec
    _value_: str

    def __new__(cls, spec: Any) -> Self:  # a FormatSpec here; `ExportFormat("srt")` looks up a member
        member = str.__new__(cls, spec.extension)
        member._value_ = spec.extension
        member.spec = spec
        return member

    SRT = FormatSpec(
        extension="srt",
        media_type="application/x-subrip; charset=utf-8",
        label="Subtitles for players and editors",
        settings=ALL_SETTINGS,
        usual=True,
        shared=True,
    )
    VTT = FormatSpec(
        extension="vtt",
        media_type="text/vtt; charset=utf-8",
        label="Captions for the web",
        settings=ALL_SETTINGS,
        usual=True,
        shared=True,
    )
    TXT = FormatSpec(
        extension="txt",
        media_type="text/plain; charset=utf-8",
        label="Plain text to read or paste",
        settings=SPEAKERS | TEXT,
        timed=False,
        usual=True,
        shared=True,
    )
    JSON = FormatSpec(
        extension="json",
        media_type="application/json; charset=utf-8",
        label="Everything, with word times",
        settings=NO_SETTINGS,
        timed=False,
        usual=True,
    )
    TSV = FormatSpec(
        extension="tsv",
        media_type="text/tab-separated-values; charset=utf-8",
        label="Table of lines for spreadsheets",
        settings=TEXT,
        usual=True,
    )
    DOCX = FormatSpec(
        extension="docx",
        media_type="application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        label="Document with times and speakers",
        settings=SPEAKERS,
        timed=False,
        shared=True,
    )
    ASS = FormatSpec(
        extension="ass",
        media_type="text/x-ssa; charset=utf-8",
        label="Subtitles for Aegisub and mpv",
        settings=ALL_SETTINGS,
    )
    TTML = FormatSpec(
        extension="ttml",
        media_type="application/ttml+xml; charset=utf-8",
        label="Subtitles for broadcasters (EBU-TT-D)",
        settings=CUES,
    )
    SBV = FormatSpec(
        extension="sbv",
        media_type="text/plain; charset=utf-8",
        label="Captions for YouTube",
        settings=CUES | TEXT,
    )
    ZIP = FormatSpec(
        extension="zip",
        media_type="application/zip",
        label="All of these in one file",
        settings=ALL_SETTINGS,
        timed=False,
        archive=True,
    )


USUAL_FORMATS = tuple(fmt for fmt in ExportFormat if fmt.spec.usual)
SHARED_FORMATS = tuple(fmt for fmt in ExportFormat if fmt.spec.shared)
SINGLE_FORMATS = tuple(fmt for fmt in ExportFormat if not fmt.spec.archive)
"""Every format except archives of the others."""
