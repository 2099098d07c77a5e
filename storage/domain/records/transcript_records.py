"""Transcripts: findings, seams, versions, notes and summaries."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from storage.domain.records.job_options import Options
from storage.domain.records.span_results import LanguageGuess, Redecoding, Segment, Untranscribed

NOT_TIMED = "times not measured"
"""The kind of finding of a text whose times nobody measured; its segments may be anywhere in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A stretch that a reader should check, and why."""

    kind: str
    start_s: float
    end_s: float
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seam:
    """A cut between two spans, with the text on both sides.

    `before_gap_s` and `after_gap_s` are the distances of the nearest words from the cut; None without a word. If nobody
    paused, the spans overlap, and `agreed` counts the words that both sides have. `doubt` is empty if no word can have
    been lost or doubled.
    """

    at_s: float
    overlap_s: float
    silence_s: float
    before: str
    after: str
    before_gap_s: float | None
    after_gap_s: float | None
    agreed: int = 0
    doubt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedCue:
    """A subtitle that a person set: when it is shown, and which words it shows.

    These are the words of this speaker that begin in [from_s, until_s), so that an edit of a word is one of its cue.
    """

    start_s: float
    end_s: float
    from_s: float
    until_s: float
    speaker: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """The text of a whole recording, with what is needed to judge its quality."""

    schema_version: int = 1
    job_id: str
    media_sha256: str
    name: str
    duration_s: float
    speech_s: float
    language: str
    language_probability: float | None
    model: str
    fingerprint: str
    engine: str
    options: Options
    segments: tuple[Segment, ...]
    findings: tuple[Finding, ...] = ()
    given_up: tuple[str, ...] = ()
    reheard: tuple[Redecoding, ...] = ()
    version: int = 1
    other_languages: tuple[LanguageGuess, ...] = ()
    seams: tuple[Seam, ...] = ()
    untranscribed: tuple[Untranscribed, ...] = ()
    pinned_cues: tuple[PinnedCue, ...] = ()  # in order; the exporter makes the other cues

    @property
    def timed(self) -> bool:
        """Whether the times of its text were measured."""
        return all(finding.kind != NOT_TIMED for finding in self.findings)

    @property
    def text(self) -> str:
        return " ".join(segment.text.strip() for segment in self.segments if segment.text.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of a transcript; the first is the engine's, `changed` counts new segments."""

    number: int
    stored_as: str
    made_by: str
    made_at: datetime
    note: str = ""
    changed: int = 0


class HighlightColour(StrEnum):
    """The colours of highlights; each is also told apart by the line under it."""

    YELLOW = "yellow"
    GREEN = "green"
    BLUE = "blue"
    PINK = "pink"


class AlignmentState(StrEnum):
    """How far a corrected text is; all but the first two are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        return self not in {AlignmentState.QUEUED, AlignmentState.RUNNING}


@dataclass(frozen=True, slots=True, kw_only=True)
class TextAlignment:
    """A corrected text that gets its times from the sound.

    It becomes the version after `base`. `detail` says why it was refused or failed, or what became of it.
    """

    id: str
    job_id: str
    base: int
    state: AlignmentState
    progress: float
    detail: str
    made_by: str
    made_at: datetime
    flow_run_id: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignedText:
    """What a worker has made of a corrected text, as stored."""

    segments: tuple[Segment, ...]
    findings: tuple[Finding, ...]
    share: float
    words: int
    timed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A note about a recording, a moment or a passage of it.

    With `end_s` it is about a passage, whose words are kept in `quote`: a highlight with a `colour`, a comment without.
    A reply names the comment that it answers as its `parent`. `seen_at` says when the recording's owner saw it.
    """

    id: str
    at_s: float | None
    text: str
    made_by: str
    made_at: datetime
    changed_at: datetime | None = None
    end_s: float | None = None
    quote: str = ""
    parent: str | None = None
    colour: HighlightColour | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """A part of a recording with its title."""

    start_s: float
    end_s: float
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A summary of one version of a transcript.

    `chars` of it were sent to `host` in `parts`.
    """

    schema_version: int = 1
    job_id: str
    version: int
    text: str
    chapters: tuple[Chapter, ...] = ()
    model: str
    host: str
    chars: int
    parts: int
    made_by: str
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSummary:
    """Where a summary is stored, and of which version of the transcript it is."""

    version: int
    stored_as: str
    made_by: str
    made_at: datetime
