"""The options of a job, its states and its lanes."""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from storage.domain.export_formats import ExportFormat

TERM_SEPARATOR = ", "


class JobState(StrEnum):
    """The state of a job; the last three are final."""

    QUEUED = "queued"
    INGESTING = "ingesting"
    TRANSCRIBING = "transcribing"
    EXPORTING = "exporting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        return self in {JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED}


class Lane(StrEnum):
    """The work queue of a job, first to last."""

    INTERACTIVE = "interactive"
    BATCH = "batch"
    BACKFILL = "backfill"


@dataclass(frozen=True, slots=True, kw_only=True)
class CueLimits:
    """How cues are built; lengths in columns (East Asian wide characters take two).

    Times are in seconds. `highlight_words` marks each word while it is spoken; `speakers` names known speakers.
    `byte_order_mark` starts text files with one, which some programs need to read UTF-8.
    """

    max_line_width: int = 42
    max_line_count: int = 2
    min_duration_s: float = 5 / 6
    max_duration_s: float = 7.0
    max_chars_per_s: float = 20.0
    min_gap_s: float = 0.083
    highlight_words: bool = False
    speakers: bool = True
    byte_order_mark: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of a job, part of every result's name except `storage.domain.names.NOT_HEARD`.

    `formats` are the files to write when the job ends; none means the default ones.
    """

    model: str = "auto"
    language: str | None = None
    task: str = "transcribe"
    prompt: str | None = None
    hotwords: str | None = None
    beam_size: int = 5
    temperature: float = 0.0
    word_timestamps: bool = True
    audio_track: int | None = None  # from 0; None: the one that speaks
    channels: str = "mix"  # or "split": a transcript of each channel, merged by time
    cues: CueLimits = CueLimits()
    language_per_span: bool = False
    diarize: bool = False
    speakers: int | None = None  # their number, if known
    formats: tuple[ExportFormat, ...] = ()


def terms_in(text: str) -> list[str]:
    """Return the distinct terms of a text, separated by line ends, commas or semicolons."""
    found: dict[str, str] = {}
    for part in re.split(r"[\r\n,;]+", unicodedata.normalize("NFC", text)):
        term = "".join(char for char in " ".join(part.split()) if char.isprintable())
        if term:
            found.setdefault(term.casefold(), term)
    return list(found.values())
